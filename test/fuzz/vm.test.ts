/** Components and modules from anyone: a verdict, never an exception; and what is accepted an engine accepts too. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { component, guest, result, wat } from '#test/vm/wat.ts';
import { admit, instrument } from '#vm/admission.ts';
import { packageModel, wrapComponent } from '#vm/component.ts';
import { MODULE_LIMITS } from '#vm/limits.ts';
import { rewriteModule } from '#vm/rewrite.ts';
import { checkModule } from '#vm/wasm/check.ts';
import { parseModule } from '#vm/wasm/parse.ts';
import { fuzzRuns } from './runs.ts';

const numRuns = fuzzRuns(3000);

const RICH = wat(`(module
  (type $t (func (param i32) (result i32)))
  (table 3 funcref) (elem (i32.const 0) $even $odd) (elem $passive func $even)
  (memory (export "memory") 1 4) (data (i32.const 8) "abc") (data $later "defghi")
  (global $g (mut v128) (v128.const i64x2 1 2)) (global f32 (f32.const 1.5))
  (func $even (param i32) (result i32)
    (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 1))
      (else (call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i32.const 1)))))
  (func $odd (param i32) (result i32)
    (block $a (result i32) (block $b (block $c (br_table $b $c $b (local.get 0))) (return (i32.const 0)))
      (call $even (i32.const 2))))
  (func $pair (param f64) (result i64 f64) (i64.trunc_sat_f64_s (local.get 0)) (f64.sqrt (local.get 0)))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (memory.init $later (i32.const 0) (i32.const 1) (i32.const 2))
    (data.drop $later) (table.init $passive (i32.const 0) (i32.const 0) (i32.const 1)) (memory.grow (i32.const 1)))
  (func (export "describe") (result i32) (local f32 v128)
    (global.set $g (f32x4.add (global.get $g) (f32x4.mul (local.get 1) (f32x4.splat (local.get 0)))))
    (i32x4.extract_lane 3 (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 31 (local.get 1) (global.get $g))))
  (func (export "infer") (param i32 i32 i64) (result i32) (local $x f64)
    (loop $l (local.set $x (f64.add (local.get $x) (f64.const 1))) (br_if $l (f64.lt (local.get $x) (f64.const 9))))
    (call $pair (local.get $x)) (drop) (drop) (memory.fill (i32.const 0) (i32.const 1) (i32.const 9)) (i32.const 64)))`);

const SEEDS = [guest(), guest({ infer: result(1, '(i32.const 16)', '(i32.const 7)') }), RICH];

const edit = fc.record({
  kind: fc.constantFrom('flip', 'set', 'cut', 'remove', 'repeat', 'insert'),
  at: fc.nat(),
  value: fc.integer({ min: 0, max: 255 }),
});
type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never;

function mutate(bytes: Uint8Array, edits: readonly Edit[]): Uint8Array {
  const out = [...bytes];
  for (const { kind, at, value } of edits) {
    const place = at % (out.length + 1);
    if (kind === 'flip' && place < out.length) out[place] = (out[place] ?? 0) ^ (1 << (value & 7));
    else if (kind === 'set' && place < out.length) out[place] = value;
    else if (kind === 'cut') out.length = place;
    else if (kind === 'remove') out.splice(place, value & 7);
    else if (kind === 'repeat') out.splice(place, 0, ...out.slice(place, place + value));
    else out.splice(place, 0, value);
  }
  return Uint8Array.from(out);
}

const edits = fc.array(edit, { minLength: 1, maxLength: 4 });
const seed = fc.constantFrom(...SEEDS);
const mutated = fc.tuple(seed, edits).map(([bytes, changes]) => mutate(bytes, changes));
/** One byte of a module changed: often still a module, so that acceptance is tried too. */
const nudged = fc
  .tuple(seed, fc.nat(), fc.nat(7))
  .map(([bytes, at, bit]) => mutate(bytes, [{ kind: 'flip', at, value: bit }]));
const anyModule = fc.oneof(
  { weight: 9, arbitrary: mutated },
  { weight: 3, arbitrary: nudged },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 64 }) },
);

test('mutated core modules: what is accepted, an engine accepts, before and after rewriting', () => {
  let accepted = 0;
  fc.assert(
    fc.property(anyModule, (bytes) => {
      const parsed = parseModule(bytes, { limits: MODULE_LIMITS });
      const facts = parsed.ok ? checkModule(parsed.value, MODULE_LIMITS) : parsed;
      if (!parsed.ok || !facts.ok) {
        expect(facts).toMatchObject({ ok: false, error: { codespace: 'vm', message: expect.any(String) } });
        return;
      }
      accepted++;
      expect(WebAssembly.validate(bytes)).toBe(true);
      const rewritten = rewriteModule(parsed.value, facts.value, { maxMemoryPages: MODULE_LIMITS.memoryPages });
      if (rewritten.ok) expect(WebAssembly.validate(rewritten.value)).toBe(true);
      else expect(rewritten.error.message).toMatch(/reserved/);
    }),
    { numRuns },
  );
  expect(accepted).toBeGreaterThan(numRuns >> 5);
});

/** Where an engine accepts what we call invalid, it must be for a feature that we do not have. */
test('mutated bodies: what is refused as invalid, an engine refuses', () => {
  const newer =
    /constant expression|element expression|memory index|table index|alignment 2|type index|found 0x|end of|select/;
  fc.assert(
    fc.property(mutated, (bytes) => {
      const parsed = parseModule(bytes, { limits: MODULE_LIMITS });
      const facts = parsed.ok ? checkModule(parsed.value, MODULE_LIMITS) : parsed;
      if (facts.ok || facts.error.code > 2 || newer.test(facts.error.message)) return;
      if (WebAssembly.validate(bytes)) expect.fail(`an engine accepts: ${facts.error.message}`);
    }),
    { numRuns },
  );
});

test('mutated components, and any core module in the template', () => {
  const bytes = fc.oneof(
    fc.tuple(seed, edits).map(([core, changes]) => mutate(component(core), changes)),
    mutated.map(wrapComponent),
  );
  fc.assert(
    fc.property(bytes, (input) => {
      const model = admit(input);
      if (!model.ok) {
        expect(model.error).toMatchObject({ codespace: 'vm', message: expect.any(String) });
        return;
      }
      const rewritten = instrument(model.value, 64);
      if (rewritten.ok) expect(WebAssembly.validate(rewritten.value)).toBe(true);
      else expect(rewritten.error.message).toMatch(/pages of initial memory/);
    }),
    { numRuns },
  );
});

test('packaging anything gives a component that admission reads, or a reason', () => {
  fc.assert(
    fc.property(anyModule, (input) => {
      const packaged = packageModel(input);
      if (!packaged.ok) expect(packaged.error.codespace).toBe('vm');
      else {
        const model = admit(packaged.value);
        if (!model.ok) expect(model.error.message).not.toMatch(/template|export/);
      }
    }),
    { numRuns },
  );
});
