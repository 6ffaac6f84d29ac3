import { expect, test } from 'vitest';
import { fromUtf8, toHex, utf8 } from '#core/bytes.ts';
import { RECURSIONS } from '#test/vm/recursions.ts';
import { admitted, ECHO, guest, result, run } from '#test/vm/wat.ts';
import { instrument } from './admission.ts';
import { CALL_GAS, PAGE_GAS } from './gas-table.ts';
import { outcomeName } from './outcome.ts';
import { instantiate, runDescribe } from './run.ts';

const START_GAS = CALL_GAS + PAGE_GAS;

test('an echo answers its input, and the same call costs the same', () => {
  const core = guest();
  const first = run(core);
  expect(first).toMatchObject({ kind: 'ok', output: Uint8Array.of(1, 2, 3) });
  expect(run(core)).toEqual(first);
  if (first.kind === 'ok') expect(first.gasUsed).toBeGreaterThan(START_GAS);
});

test('the seed, the input and every global move the trace', () => {
  const traceOf = (fields: string, infer: string, seed = 7n, input = Uint8Array.of(1, 2, 3)): string => {
    const outcome = run(guest({ fields, infer }), { seed, input });
    if (outcome.kind !== 'ok') throw new Error(outcomeName(outcome));
    return toHex(outcome.traceRoot);
  };
  const vector = '(global $v (mut v128) (v128.const i64x2 1 2)) (global $f (mut f64) (f64.const 0))';
  const bySeed = `(global.set $v (i64x2.splat (local.get $seed))) ${ECHO}`;
  const byFloat = `(global.set $f (f64.reinterpret_i64 (local.get $seed))) ${ECHO}`;
  expect(traceOf(vector, bySeed, 1n)).not.toBe(traceOf(vector, bySeed, 2n));
  expect(traceOf(vector, byFloat, 0x7ff0000000000001n)).not.toBe(traceOf(vector, byFloat, 0x7ff0000000000002n));
  expect(traceOf('', ECHO, 1n)).toBe(traceOf('', ECHO, 2n));
  expect(traceOf('', ECHO, 1n)).not.toBe(traceOf('', ECHO, 1n, Uint8Array.of(1, 2, 4)));
});

test('Hostile module: an endless loop runs out of gas, exactly at its limit', () => {
  const outcome = run(guest({ infer: '(loop $l (br $l)) (unreachable)' }), { gasLimit: 10_000_000n });
  expect(outcome).toMatchObject({ kind: 'out-of-gas', gasUsed: 10_000_000n });
});

test('a gas limit below the price of the call itself runs out before the first instruction', () => {
  expect(run(guest(), { gasLimit: START_GAS - 1n })).toMatchObject({ kind: 'out-of-gas', gasUsed: START_GAS - 1n });
  expect(outcomeName(run(guest(), { gasLimit: START_GAS }))).toBe('out-of-gas');
});

test('the gas that was used is enough gas, one less is not', () => {
  const core = guest({
    infer: `(local $i i32)
      (loop $l (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $l (i32.lt_u (local.get $i) (i32.const 1000))))
      ${ECHO}`,
  });
  const full = run(core);
  if (full.kind !== 'ok') throw new Error(outcomeName(full));
  expect(run(core, { gasLimit: full.gasUsed }).kind).toBe('ok');
  expect(run(core, { gasLimit: full.gasUsed - 1n }).kind).toBe('out-of-gas');
});

test('Hostile module: a memory bomb gets -1 beyond the bound, and pays for the pages below it', () => {
  const grow = (by: string): string =>
    `(i32.store (i32.const 128) (memory.grow ${by})) (i32.store (i32.const 132) (memory.size))
     ${result(0, '(i32.const 128)', '(i32.const 8)')}`;
  const words = (outcome: ReturnType<typeof run>): number[] => {
    if (outcome.kind !== 'ok') throw new Error(outcomeName(outcome));
    return [...new Int32Array(outcome.output.slice().buffer)];
  };
  expect(words(run(guest({ infer: grow('(i32.const 100000)') })))).toEqual([-1, 1]);
  expect(words(run(guest({ infer: grow('(i32.const -1)') })))).toEqual([-1, 1]);
  expect(words(run(guest({ infer: grow('(i32.const 16)') })))).toEqual([-1, 1]);
  expect(words(run(guest({ infer: grow('(i32.const 15)') })))).toEqual([1, 16]);
  expect(words(run(guest({ infer: grow('(i32.const 15)') }), { maxPages: 8 }))).toEqual([-1, 1]);
  expect(words(run(guest({ infer: grow('(i32.const 300)'), memory: '1' })))).toEqual([-1, 1]);
  const small = run(guest({ infer: grow('(i32.const 1)') }));
  const large = run(guest({ infer: grow('(i32.const 11)') }));
  if (small.kind !== 'ok' || large.kind !== 'ok') throw new Error('expected both to end well');
  expect(large.gasUsed - small.gasUsed).toBe(10n * PAGE_GAS);
  expect(outcomeName(run(guest({ infer: grow('(i32.const 15)') }), { gasLimit: START_GAS + 10n * PAGE_GAS }))).toBe(
    'out-of-gas',
  );
});

test.each(Object.entries(RECURSIONS))('Hostile module: deep recursion %s ends in the same trap', (_, fields) => {
  const outcome = run(guest({ fields, infer: `(call $r) ${ECHO}` }));
  expect(outcomeName(outcome)).toBe('trap(stack-overflow)');
  expect(run(guest({ fields, infer: `(call $r) ${ECHO}` }))).toEqual(outcome);
});

test('a return, a branch and a fall-through all give the frame back', () => {
  const fields = `(func $leaf)
    (func $f (param i32) (result i32)
      (call $leaf)
      (if (i32.eqz (local.get 0)) (then (return (i32.const 1))))
      (block $b (result i32) (br_if 1 (i32.const 2) (i32.eq (local.get 0) (i32.const 1))) (drop) (i32.const 3)))`;
  const infer = `(local $i i32)
    (loop $l
      (drop (call $f (i32.rem_u (local.get $i) (i32.const 3))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $l (i32.lt_u (local.get $i) (i32.const 30000))))
    ${ECHO}`;
  expect(run(guest({ fields, infer })).kind).toBe('ok');
});

const TRAPS: readonly (readonly [string, string, string])[] = [
  ['unreachable', '(unreachable)', 'trap(unreachable)'],
  ['division by zero', '(i32.div_u (i32.const 1) (i32.const 0))', 'trap(fault)'],
  ['a load beyond memory', '(i32.load (i32.const -4))', 'trap(fault)'],
  ['a conversion out of range', '(i32.trunc_f32_s (f32.const 1e30))', 'trap(fault)'],
  ['a copy beyond memory', `(memory.fill (i32.const 0) (i32.const 0) (i32.const 65537)) ${ECHO}`, 'trap(fault)'],
];

test.each(TRAPS)('%s', (_, infer, expected) => {
  expect(outcomeName(run(guest({ infer })))).toBe(expected);
});

test('an indirect call of the wrong type is a fault', () => {
  const fields = '(table 2 funcref) (elem (i32.const 0) $f) (type $t (func (result i32))) (func $f)';
  expect(outcomeName(run(guest({ fields, infer: '(call_indirect (type $t) (i32.const 0))' })))).toBe('trap(fault)');
  expect(outcomeName(run(guest({ fields, infer: '(call_indirect (type $t) (i32.const 1))' })))).toBe('trap(fault)');
  expect(outcomeName(run(guest({ fields, infer: '(call_indirect (type $t) (i32.const 9))' })))).toBe('trap(fault)');
});

const BAD_RESULTS: readonly (readonly [string, string, string])[] = [
  [
    'an out-of-range result list',
    result(0, '(i32.const 65000)', '(i32.const 1000)'),
    'guest-error(result-out-of-range)',
  ],
  ['a list at the end of addresses', result(0, '(i32.const -1)', '(i32.const 2)'), 'guest-error(result-out-of-range)'],
  ['a result area beyond memory', '(i32.const 65528)', 'guest-error(result-out-of-range)'],
  ['an odd result area', '(i32.const 66)', 'guest-error(result-out-of-range)'],
  ['a negative result area', '(i32.const -4)', 'guest-error(result-out-of-range)'],
  ['a tag of 2', result(2, '(i32.const 0)', '(i32.const 0)'), 'guest-error(result-bad-tag)'],
  ['an output too large', result(0, '(i32.const 0)', '(i32.const 1048577)'), 'guest-error(output-too-large)'],
  ['an error too long', result(1, '(i32.const 0)', '(i32.const 4097)'), 'guest-error(error-too-long)'],
  ['an error beyond memory', result(1, '(i32.const 65530)', '(i32.const 8)'), 'guest-error(result-out-of-range)'],
  ['an error of invalid UTF-8', result(1, '(local.get 0)', '(local.get 1)'), 'guest-error(error-not-utf8)'],
];

test.each(BAD_RESULTS)('Hostile module: %s is a guest error', (_, infer, expected) => {
  expect(outcomeName(run(guest({ infer }), { input: Uint8Array.of(0xff, 0xfe) }))).toBe(expected);
});

test('an error that the guest returns is its result, with its message', () => {
  const outcome = run(guest({ infer: result(1, '(local.get 0)', '(local.get 1)') }), { input: utf8('no such style') });
  expect(outcomeName(outcome)).toBe('guest-error(returned-error)');
  if (outcome.kind === 'guest-error') expect(fromUtf8(outcome.message)).toBe('no such style');
});

test('an input region beyond memory is a guest error', () => {
  expect(outcomeName(run(guest(), { input: new Uint8Array(65_000) }))).toBe('guest-error(input-out-of-range)');
});

test('a NaN that arithmetic makes has the canonical bits, one that was loaded keeps its own', () => {
  const infer = `(f32.store (i32.const 128) (f32.div (f32.const 0) (f32.const 0)))
    (f64.store (i32.const 136) (f64.sqrt (f64.const -1)))
    (f32.store (i32.const 144) (f32.add (f32.const nan:0x400001) (f32.const -nan:0x200001)))
    (v128.store (i32.const 160) (f32x4.mul (v128.const f32x4 inf -nan:0x7 1 0) (v128.const f32x4 0 1 2 -inf)))
    (f32.store (i32.const 176) (f32.neg (f32.load (i32.const 128))))
    (i32.store (i32.const 180) (i32.const 0x7fa00001))
    (f32.store (i32.const 184) (f32.load (i32.const 180)))
    ${result(0, '(i32.const 128)', '(i32.const 64)')}`;
  const outcome = run(guest({ infer }));
  if (outcome.kind !== 'ok') throw new Error(outcomeName(outcome));
  const view = new DataView(outcome.output.buffer);
  expect(view.getUint32(0, true)).toBe(0x7fc00000);
  expect(view.getBigUint64(8, true)).toBe(0x7ff8000000000000n);
  expect(view.getUint32(16, true)).toBe(0x7fc00000);
  expect([32, 36, 40, 44].map((at) => view.getUint32(at, true))).toEqual([
    0x7fc00000, 0x7fc00000, 0x40000000, 0x7fc00000,
  ]);
  expect(view.getUint32(48, true)).toBe(0xffc00000);
  expect(view.getUint32(56, true)).toBe(0x7fa00001);
});

test('a description is read, or refused with a reason', () => {
  const describe = (text: string): ReturnType<typeof runDescribe> => {
    const model = admitted(guest({ describe: text }));
    const rewritten = instrument(model, 256);
    if (!rewritten.ok) throw new Error(rewritten.error.message);
    const instance = instantiate(new WebAssembly.Module(rewritten.value));
    if (!instance.ok) throw new Error(instance.error.detail);
    return runDescribe(instance.value);
  };
  expect(describe('(i32.const 8)')).toEqual({ ok: true, value: '{"a":1}' });
  for (const bad of ['(i32.const 6)', '(i32.const -4)', '(unreachable)', '(loop $l (br $l)) (unreachable)'])
    expect(describe(bad)).toMatchObject({ ok: false, error: { codespace: 'vm' } });
});
