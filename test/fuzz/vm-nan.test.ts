/**
 * Random float programs, full of NaNs, in two forms: as they are, and with every arithmetic result made canonical by the
 * program itself. After rewriting both must leave the same bits, whatever the engine makes of NaNs.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { guest, result, run } from '#test/vm/wat.ts';
import { outcomeName } from '#vm/outcome.ts';
import { fuzzRuns } from './runs.ts';

type Type = 'f32' | 'f64' | 'v128';

/** A node picks by these numbers; the program is a function of them and of the form. */
interface Choice {
  readonly pick: number;
  readonly next: readonly Choice[];
}

function choices(depth: number): fc.Arbitrary<Choice> {
  const next = depth === 0 ? fc.constant([]) : fc.array(choices(depth - 1), { maxLength: 4 });
  return fc.record({ pick: fc.nat(999), next });
}

interface Form {
  /** Wraps an arithmetic result. */
  readonly made: (kind: 'f32' | 'f64' | 'f32x4' | 'f64x2', text: string) => string;
}

const AS_IS: Form = { made: (_, text) => text };
const CANONICAL: Form = { made: (kind, text) => `(call $${kind} ${text})` };

const HELPERS = `
  (func $f32 (param f32) (result f32)
    (select (local.get 0) (f32.const nan) (f32.eq (local.get 0) (local.get 0))))
  (func $f64 (param f64) (result f64)
    (select (local.get 0) (f64.const nan) (f64.eq (local.get 0) (local.get 0))))
  (func $f32x4 (param v128) (result v128)
    (v128.bitselect (local.get 0) (v128.const f32x4 nan nan nan nan) (f32x4.eq (local.get 0) (local.get 0))))
  (func $f64x2 (param v128) (result v128)
    (v128.bitselect (local.get 0) (v128.const f64x2 nan nan) (f64x2.eq (local.get 0) (local.get 0))))
  (func $swap (param f64 v128) (result v128 f64) (local.get 1) (local.get 0))`;

const NOTHING: Choice = { pick: 0, next: [] };

function child(node: Choice, i: number): Choice {
  return node.next[i] ?? NOTHING;
}

function leaf(type: Type, pick: number): string {
  const local = `(local.get $${type}_${pick % 3})`;
  const address = `(i32.const ${256 + 16 * (pick % 8)})`;
  const leaves: Record<Type, readonly string[]> = {
    f32: [local, local, `(f32.load ${address})`, '(f32.const 0)', '(f32.const inf)', '(f32.const nan:0x200001)'],
    f64: [local, local, `(f64.load ${address})`, '(f64.const 0)', '(f64.const -inf)', '(f64.const -nan)'],
    v128: [local, local, `(v128.load ${address})`, '(v128.const i64x2 0 0)', '(v128.const f32x4 inf nan 1 0)'],
  };
  return leaves[type][pick % leaves[type].length] ?? local;
}

function expression(form: Form, type: Type, node: Choice): string {
  const { pick } = node;
  const of = (t: Type, i: number): string => expression(form, t, child(node, i));
  if (node.next.length === 0) return leaf(type, pick);
  const made = form.made;
  const forms: Record<Type, readonly (() => string)[]> = {
    f32: [
      () => made('f32', `(f32.add ${of('f32', 0)} ${of('f32', 1)})`),
      () => made('f32', `(f32.div ${of('f32', 0)} ${of('f32', 1)})`),
      () => made('f32', `(f32.min ${of('f32', 0)} ${of('f32', 1)})`),
      () => made('f32', `(f32.demote_f64 ${of('f64', 0)})`),
      () => `(f32.neg ${of('f32', 0)})`,
      () => `(f32.copysign ${of('f32', 0)} ${of('f32', 1)})`,
      () => `(f32x4.extract_lane 1 ${of('v128', 0)})`,
      () => `(select ${of('f32', 0)} ${of('f32', 1)} (f32.lt ${of('f32', 2)} (f32.const 0)))`,
      () => `(local.tee $f32_${pick % 3} ${of('f32', 0)})`,
    ],
    f64: [
      () => made('f64', `(f64.sub ${of('f64', 0)} ${of('f64', 1)})`),
      () => made('f64', `(f64.mul ${of('f64', 0)} ${of('f64', 1)})`),
      () => made('f64', `(f64.sqrt ${of('f64', 0)})`),
      () => made('f64', `(f64.promote_f32 ${of('f32', 0)})`),
      () => `(f64.abs ${of('f64', 0)})`,
      () => `(f64.reinterpret_i64 (i64.reinterpret_f64 ${of('f64', 0)}))`,
      () => `(if (result f64) (f64.gt ${of('f64', 0)} (f64.const 1)) (then ${of('f64', 1)}) (else ${of('f64', 2)}))`,
      () => `(local.tee $f64_${pick % 3} ${of('f64', 0)})`,
      () =>
        `(block (result f64) (call $swap ${of('f64', 0)} ${of('v128', 1)}) (local.set $f64_0) (drop) (local.get $f64_0))`,
    ],
    v128: [
      () => made('f32x4', `(f32x4.mul ${of('v128', 0)} ${of('v128', 1)})`),
      () => made('f32x4', `(f32x4.sub ${of('v128', 0)} ${of('v128', 1)})`),
      () => made('f64x2', `(f64x2.add ${of('v128', 0)} ${of('v128', 1)})`),
      () => made('f64x2', `(f64x2.div ${of('v128', 0)} ${of('v128', 1)})`),
      () => made('f32x4', `(f32x4.demote_f64x2_zero ${of('v128', 0)})`),
      () => made('f64x2', `(f64x2.promote_low_f32x4 ${of('v128', 0)})`),
      () => `(v128.xor ${of('v128', 0)} ${of('v128', 1)})`,
      () => `(f32x4.pmin ${of('v128', 0)} ${of('v128', 1)})`,
      () => `(i32x4.add ${of('v128', 0)} ${of('v128', 1)})`,
      () => `(f32x4.splat ${of('f32', 0)})`,
      () => `(f64x2.replace_lane 0 ${of('v128', 0)} ${of('f64', 1)})`,
      () => `(local.tee $v128_${pick % 3} ${of('v128', 0)})`,
      () => `(f64x2.lt ${of('v128', 0)} ${of('v128', 1)})`,
    ],
  };
  return forms[type][pick % forms[type].length]?.() ?? leaf(type, pick);
}

const TYPES: readonly Type[] = ['f32', 'f64', 'v128'];

function statement(form: Form, node: Choice, depth: number): string {
  const { pick } = node;
  const type = TYPES[pick % 3] ?? 'f32';
  const inner = (from: number): string =>
    node.next
      .slice(from)
      .map((each) => statement(form, each, depth + 1))
      .join('\n');
  const condition = `(f64.lt ${expression(form, 'f64', child(node, 0))} (f64.const 2))`;
  switch (pick % 8) {
    case 0:
    case 1:
    case 2:
      return `(local.set $${type}_${(pick % 7) % 3} ${expression(form, type, child(node, 0))})`;
    case 3:
      return `(${type}.store (i32.const ${384 + 16 * (pick % 8)}) ${expression(form, type, child(node, 0))})`;
    case 4:
      return `(if ${condition} (then ${inner(1)}) (else ${statement(form, child(node, 1), depth + 1)}))`;
    case 5:
      return `(if ${condition} (then ${inner(1)}))`;
    case 6:
      return `(block $b${depth} ${inner(1)} (br_if $b${depth} ${condition}) ${statement(form, child(node, 1), depth + 1)})`;
    default:
      if (depth > 2) return '(nop)';
      return `(local.set $i${depth} (i32.const 0))
        (block $out${depth} (loop $l${depth} ${inner(1)} (br_if $out${depth} ${condition})
          (local.set $i${depth} (i32.add (local.get $i${depth}) (i32.const 1)))
          (br_if $l${depth} (i32.lt_u (local.get $i${depth}) (i32.const 3)))))`;
  }
}

function program(form: Form, nodes: readonly Choice[]): Uint8Array {
  const locals = TYPES.flatMap((type) => [0, 1, 2].map((i) => `(local $${type}_${i} ${type})`)).join(' ');
  const stores = TYPES.flatMap((type, t) =>
    [0, 1, 2].map((i) => `(${type}.store (i32.const ${512 + 16 * (3 * t + i)}) (local.get $${type}_${i}))`),
  ).join('\n');
  const data =
    '\\00\\00\\c0\\ff\\01\\00\\a0\\7f\\00\\00\\80\\3f\\00\\00\\80\\7f\\ff\\ff\\ff\\ff\\ff\\ff\\f7\\7f'.repeat(6);
  return guest({
    fields: `${HELPERS} (data (i32.const 256) "${data}")`,
    infer: `${locals} (local $i0 i32) (local $i1 i32) (local $i2 i32)
      ${nodes.map((node) => statement(form, node, 0)).join('\n')} ${stores}
      ${result(0, '(i32.const 256)', '(i32.const 512)')}`,
  });
}

test('lazy canonicalisation leaves the bits of a program that makes each result canonical itself', () => {
  fc.assert(
    fc.property(fc.array(choices(4), { minLength: 1, maxLength: 8 }), (nodes) => {
      const [lazy, eager] = [AS_IS, CANONICAL].map((form) => run(program(form, nodes)));
      if (lazy?.kind !== 'ok' || eager?.kind !== 'ok') throw new Error(lazy === undefined ? '' : outcomeName(lazy));
      expect(lazy.output).toEqual(eager.output);
    }),
    { numRuns: fuzzRuns(400) },
  );
});
