import { expect, test } from 'vitest';
import { ECHO, guest, type RunOptions, run } from '#test/vm/wat.ts';
import { CALL_GAS, FUNCTION_UNITS, gasPrices, NAN_UNITS, PAGE_GAS, regionGas, TABLE_ENTRY_GAS } from './gas-table.ts';
import { MAX_PAGES } from './limits.ts';
import { OPCODES } from './wasm/opcodes.ts';

interface Code {
  readonly body: string;
  readonly memory?: string;
  readonly fields?: string;
}

/** Gas of a call whose `infer` has this body before it echoes. */
function gasOf({ body, memory = '1 1', fields = '' }: Code, options: RunOptions = {}): bigint {
  const locals = '(local $i i32) (local $f f32) (local $d f64) (local $v v128)';
  const outcome = run(guest({ infer: `${locals} ${body} ${ECHO}`, memory, fields }), {
    gasLimit: 1_000_000_000n,
    ...options,
  });
  if (outcome.kind !== 'ok') throw new Error(outcome.kind);
  return outcome.gasUsed;
}

/** Eight of them cost as many whole gas as one costs eighths. */
function unitsOf(body: string, rest: Omit<Code, 'body'> = {}): number {
  return Number(gasOf({ ...rest, body: body.repeat(8) }) - gasOf({ ...rest, body: '' }));
}

test('every instruction has a price in a memory of any size, none less in a larger one', () => {
  const sizes = [0, 1, 16, 17, 64, 65, 128, 129, MAX_PAGES].map(gasPrices);
  for (const { name, gas } of OPCODES.values()) {
    const prices = sizes.map((prices) => prices[gas]);
    expect(prices, name).toEqual([...prices].sort((a, b) => a - b));
    expect(prices[0], name).toBeGreaterThanOrEqual(0);
  }
});

test('only what leaves no machine code is free', () => {
  const free = [...OPCODES.values()].filter(({ gas }) => gasPrices(0)[gas] === 0).map(({ name }) => name);
  expect(free).toEqual(['unreachable', 'nop', 'block', 'loop', 'else', 'end', 'drop']);
});

test('an access costs by what the module declares that its memory may reach, and by where the number goes', () => {
  const load = (pages: string, text: string) => unitsOf(`(drop (${text} (local.get $i)))`, { memory: pages }) - 1;
  const integers = (pages: string) => load(pages, 'i32.load');
  const others = (pages: string) => load(pages, 'v128.load');
  expect(['1 16', '1 17', '1 65', '1 129', '1'].map(integers)).toEqual([20, 44, 136, 272, 272]);
  expect(['1 16', '1 17', '1 65', '1 129', '1'].map(others)).toEqual([2, 4, 12, 48, 48]);
});

test('no parameter of the chain changes the gas of a call', () => {
  const code = { body: '(drop (i64.load (local.get $i)))', memory: '1 1000' };
  expect(gasOf(code, { maxPages: 20 })).toBe(gasOf(code, { maxPages: 2_000 }));
});

test.each([
  ['a lane', '(drop (i32x4.extract_lane 1 (local.get $v)))'],
  ['a comparison of floats', '(drop (f64.lt (local.get $d) (local.get $d)))'],
  ['the bits of a float', '(drop (i32.reinterpret_f32 (local.get $f)))'],
  ['the number of a float', '(drop (i64.trunc_sat_f32_u (local.get $f)))'],
  ['a mask', '(drop (i8x16.bitmask (local.get $v)))'],
  ['whether any bit is set', '(drop (v128.any_true (local.get $v)))'],
])('%s may become an address: it pays the rest of what a load into an integer costs', (_, body) => {
  const { loadInteger, access } = gasPrices(MAX_PAGES);
  const small = gasPrices(1);
  expect(unitsOf(body, { memory: '1' }) - unitsOf(body)).toBe(
    loadInteger - access - (small.loadInteger - small.access),
  );
});

test('making a value canonical is paid where it is done, and nowhere else', () => {
  const sum = '(f64.add (local.get $d) (local.get $d))';
  const packed = '(f32x4.mul (local.get $v) (local.get $v))';
  expect(unitsOf(`(f64.store (local.get $i) ${sum})`) - unitsOf(`(f64.store (local.get $i) (local.get $d))`)).toBe(
    1 + gasPrices(1).float + NAN_UNITS.f64,
  );
  expect(unitsOf(`(drop ${sum})`)).toBe(2 + gasPrices(1).float);
  expect(unitsOf(`(drop (v128.not ${packed}))`) - unitsOf('(drop (v128.not (local.get $v)))')).toBe(
    1 + gasPrices(1).simdFloat + NAN_UNITS.f32x4,
  );
});

test('the empty call costs the call, its page and two functions', () => {
  const { simple, access, branch } = gasPrices(1);
  expect(branch).toBe(1);
  // cabi_realloc: three accesses to globals, an addition, a local read twice and written once.
  const realloc = regionGas(FUNCTION_UNITS + 3 * gasPrices(1).global + 4 * simple);
  // infer: one store of a byte, two of words, their addresses and values, the address of the result.
  const infer = regionGas(FUNCTION_UNITS + 3 * access + 7 * simple);
  expect(gasOf({ body: '' })).toBe(CALL_GAS + PAGE_GAS + realloc + infer);
});

test('entries of tables are paid one by one', () => {
  const copy = (entries: number) => ({
    fields: '(table 200 funcref)',
    body: `(table.copy (i32.const 0) (i32.const 100) (i32.const ${entries}))`,
  });
  expect(gasOf(copy(100)) - gasOf(copy(0))).toBe(100n * TABLE_ENTRY_GAS);
});
