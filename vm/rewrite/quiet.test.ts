/** Gas in a local: what is used is the same as where the global counts, whichever way code leaves its loops. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { admitted, ECHO, guest, run } from '#test/vm/wat.ts';
import { instrument } from '../admission.ts';
import { type ExecutionOutcome, outcomeName } from '../outcome.ts';
import { MAX_QUIET_REGIONS } from './body.ts';

/** Loops that are never reached and cost nothing; so many of them make their function keep its gas in the global. */
function padded(body: string, loops: number): string {
  return `${body} (block (br 0) ${'(loop) '.repeat(loops)})`;
}

/** A model that runs a function of this body; `$n` is its argument. */
function model(body: string): Uint8Array {
  return guest({
    fields: `(global $steps (mut i32) (i32.const 0)) (table funcref (elem $f)) (type $t (func))
      (func $f (global.set $steps (i32.add (global.get $steps) (i32.const 100))))
      (func $r (param $n i32) ${body})`,
    infer: `(call $r (local.get $length)) ${ECHO}`,
    memory: '1 3',
  });
}

function outcomes(body: string): readonly [ExecutionOutcome, ExecutionOutcome] {
  const options = { input: Uint8Array.of(1, 2, 3), gasLimit: 3_000_000n };
  return [run(model(padded(body, 0)), options), run(model(padded(body, MAX_QUIET_REGIONS)), options)];
}

const STEP = `(local.set $n (i32.add (local.get $n) (i32.const 1)))
  (global.set $steps (i32.add (global.get $steps) (i32.const 1)))`;
const ROUNDS = `(br_if 1 (i32.gt_u (local.get $n) (i32.const 40))) ${STEP}`;

const WAYS: readonly (readonly [string, string])[] = [
  ['falls through', `(loop ${STEP} (br_if 0 (i32.lt_u (local.get $n) (i32.const 20))))`],
  ['branches out of a block around it', `(block (loop ${ROUNDS} (br 0))) (call $f)`],
  ['branches to the end of the function', `(loop ${ROUNDS} (br 0))`],
  ['returns', `(loop ${STEP} (if (i32.gt_u (local.get $n) (i32.const 9)) (then (return))) (br 0))`],
  [
    'continues a loop that calls',
    `(loop $o (call $f) (block $b (loop ${STEP} (br_if $b (i32.gt_u (local.get $n) (i32.const 30)))
      (br_if $o (i32.eqz (i32.rem_u (local.get $n) (i32.const 7)))) (br 0))))`,
  ],
  ['jumps by a table', `(block (block (loop ${STEP} (br_table 0 0 0 0 0 1 2 (local.get $n))) (call $f)) (call $f))`],
  ['traps', `(loop ${STEP} (if (i32.gt_u (local.get $n) (i32.const 9)) (then (unreachable))) (br 0))`],
  ['is followed by growth', `(loop ${ROUNDS} (br_if 0 (local.get $n))) (drop (memory.grow (i32.const 1)))`],
  ['never ends', `(loop ${STEP} (br 0))`],
];

test.each(WAYS)('a loop that %s uses the same gas', (_, body) => {
  const [local, global] = outcomes(body);
  expect(local).toEqual(global);
});

test('the two forms are two forms', () => {
  const size = (body: string): number => {
    const made = instrument(admitted(model(body)), 256);
    if (!made.ok) throw new Error(made.error.message);
    return made.value.length;
  };
  const loops = (count: number) => `(loop ${STEP}) ${'(loop) '.repeat(count)}`;
  const last = size(loops(MAX_QUIET_REGIONS - 2));
  const step = last - size(loops(MAX_QUIET_REGIONS - 3));
  expect(size(loops(MAX_QUIET_REGIONS - 1)) - last).not.toBe(step);
});

test('a fault costs the whole limit, in a loop and outside', () => {
  for (const body of ['(drop (i32.load (i32.const -1)))', `(loop (drop (i32.load (i32.const -1))) (br 0))`]) {
    const [outcome] = outcomes(body);
    expect(outcomeName(outcome)).toBe('trap(fault)');
    expect(outcome).toMatchObject({ gasUsed: 3_000_000n });
  }
});

type Make = (depth: number) => string;

/** A choice that changes from step to step. */
const condition = fc.integer({ min: 1, max: 15 }).map((mask) => `(i32.and (local.get $n) (i32.const ${mask}))`);
const label = fc.nat({ max: 5 });
const within = (at: number, depth: number): number => at % (depth + 1);
const plainly = (text: string): fc.Arbitrary<Make> => fc.constant(() => text);

const { body } = fc.letrec<{ statement: Make; body: Make }>((tie) => ({
  body: fc
    .array(tie('statement'), { maxLength: 4 })
    .map((all) => (depth: number) => all.map((s) => s(depth)).join(' ')),
  statement: fc.oneof(
    { maxDepth: 5, depthSize: 'large' },
    plainly(STEP),
    plainly('(drop (memory.grow (i32.const 0)))'),
    plainly('(memory.fill (i32.const 512) (local.get $n) (i32.const 40))'),
    plainly('(call $f)'),
    plainly('(call_indirect (type $t) (i32.const 0))'),
    plainly('(return)'),
    fc.tuple(label, condition).map(
      ([at, on]) =>
        (depth: number) =>
          `(br_if ${within(at, depth)} ${on})`,
    ),
    label.map((at) => (depth: number) => `(br ${within(at, depth)})`),
    fc.tuple(label, label, condition).map(
      ([a, b, on]) =>
        (depth: number) =>
          `(br_table ${within(a, depth)} ${within(b, depth)} ${on})`,
    ),
    fc.tuple(condition, plainly('(unreachable)')).map(
      ([on, trap]) =>
        () =>
          `(if ${on} (then) (else ${trap(0)}))`,
    ),
    tie('body').map((inner) => (depth: number) => `(block ${inner(depth + 1)})`),
    tie('body').map((inner) => (depth: number) => `(block (loop ${ROUNDS} ${inner(depth + 2)}))`),
    fc.tuple(tie('body'), condition).map(
      ([inner, on]) =>
        (depth: number) =>
          `(block (loop ${ROUNDS} ${inner(depth + 2)} (br_if 0 ${on})))`,
    ),
    fc.tuple(tie('body'), tie('body'), condition).map(
      ([yes, no, on]) =>
        (depth: number) =>
          `(if ${on} (then ${yes(depth + 1)}) (else ${no(depth + 1)}))`,
    ),
  ),
}));

test('random control flow uses the same gas with it in a local and in the global', { timeout: 60_000 }, () => {
  let ended = 0;
  fc.assert(
    fc.property(body, (make) => {
      const [local, global] = outcomes(`${make(0)} (block (loop ${ROUNDS} ${make(2)} (br 0))) (call $f)`);
      expect(local).toEqual(global);
      if (local.kind === 'ok') ended++;
    }),
    { numRuns: 300 },
  );
  expect(ended).toBeGreaterThan(30);
});
