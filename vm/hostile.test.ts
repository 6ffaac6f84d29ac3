/**
 * Modules that mean harm, beside those of `admission.test.ts` and `run.test.ts`: each is refused by name, or ends in the
 * same outcome on every machine.
 */
import { expect, test } from 'vitest';
import { utf8 } from '#core/bytes.ts';
import { ERRORS, type VmError } from '#core/errors.ts';
import { ABI, assemble } from '#test/vm/assemble.ts';
import { admitted, ECHO, guest, result, run, wat } from '#test/vm/wat.ts';
import { admit, instrument } from './admission.ts';
import { wrapComponent } from './component.ts';
import { BYTES_PER_GAS_LOG2, CALL_GAS, PAGE_GAS, TABLE_ENTRY_GAS } from './gas-table.ts';
import { MODULE_LIMITS } from './limits.ts';
import { outcomeName } from './outcome.ts';
import { OP } from './wasm/opcodes.ts';
import { SECTION } from './wasm/parse.ts';
import { I32, V128 } from './wasm/types.ts';
import { put, putBytes, putSized, putU32, type Writer, writer, written } from './wasm/writer.ts';

function expectRefusal(core: Uint8Array, kind: VmError, message: RegExp): void {
  const found = admit(wrapComponent(core));
  if (found.ok) throw new Error(`accepted, expected ${kind}: ${message}`);
  expect(found.error.message).toMatch(message);
  expect(found.error).toMatchObject({ codespace: 'vm', code: ERRORS.vm[kind] });
}

/** A model with this data section, whose content is taken as it is. */
function withData(content: Uint8Array): Uint8Array {
  const out = writer(content.length + 1024);
  putBytes(out, wat(DATALESS));
  put(out, SECTION.data);
  putSized(out, content);
  return written(out).slice();
}

const DATALESS = `(module (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0))
  (func (export "describe") (result i32) (i32.const 0))
  (func (export "infer") (param i32 i32 i64) (result i32) (i32.const 0)))`;

test('Hostile module: a giant data segment is refused, announced or really there', () => {
  // One segment at address 0 that says it has 2³² - 1 bytes, and has three.
  const announced = Uint8Array.of(1, 0, 0x41, 0, 0x0b, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3);
  expectRefusal(withData(announced), 'malformed', /4294967295 bytes|found only 3/);
  const real = writer();
  put(real, 1, 0, 0x41, 0, 0x0b);
  putSized(real, new Uint8Array(MODULE_LIMITS.moduleBytes));
  expectRefusal(withData(written(real)), 'limit', /bytes of module, expected at most 67108864/);
  const beyond = writer();
  put(beyond, 1, 0, 0x41, 0, 0x0b);
  putSized(beyond, new Uint8Array(1 << 20));
  expectRefusal(withData(written(beyond)), 'invalid', /data segment 0: ends at 1048576, memory at 65536/);
});

test('Hostile module: ten thousand data segments and one more are refused', () => {
  const many = writer();
  putU32(many, 10_001);
  for (let i = 0; i < 10_001; i++) put(many, 1, 0);
  expectRefusal(withData(written(many)), 'limit', /10001 data segments, expected at most 10000/);
});

/** Writes a piece of code so often that it has about as many bytes as one function may have. */
function often(piece: (w: Writer) => void): (w: Writer) => void {
  return (w) => {
    const begin = w.length;
    piece(w);
    const size = w.length - begin;
    for (let left = 255_000 - size; left >= size; left -= size) piece(w);
  };
}

const LABELS = 8_000;
const DEEP = 990;

/** What metering can blow up most, in a function `(i32)` with a local of type v128. */
const BOMBS: readonly (readonly [string, (w: Writer) => void])[] = [
  ['loop headers', often((w) => put(w, OP.loop, 0x40, OP.end))],
  ['both arms of conditions', often((w) => put(w, OP.localGet, 0, OP.if, 0x40, OP.else, OP.end))],
  [
    'packed floats whose bits are seen',
    // local 1 = not (f32x4.add (local 1, local 1))
    often((w) => put(w, OP.localGet, 1, OP.localGet, 1, 0xfd, 0xe4, 0x01, 0xfd, 0x4d, OP.localSet, 1)),
  ],
  [
    'jump tables of thousands of labels',
    often((w) => {
      put(w, OP.block, 0x40, OP.localGet, 0, OP.brTable);
      putU32(w, LABELS);
      for (let i = 0; i <= LABELS; i++) put(w, 0);
      put(w, OP.end);
    }),
  ],
  [
    'blocks as deep as they may be',
    often((w) => {
      for (let i = 0; i < DEEP; i++) put(w, OP.block, 0x40);
      for (let i = 0; i < DEEP; i++) put(w, OP.end);
    }),
  ],
];

test.each(BOMBS)('Hostile module: a compile bomb of %s grows within bounds, compiles and ends', (_, write) => {
  const body = writer(300_000);
  write(body);
  const bomb = { type: { params: [I32], results: [] }, locals: [V128], code: written(body) };
  // Calls the bomb with the input's length; the result area at 64 is zero, an output of no bytes.
  const infer = { type: ABI.infer, locals: [], code: Uint8Array.of(OP.localGet, 1, OP.call, 3, OP.i32Const, 0xc0, 0) };
  const core = assemble({
    functions: [ABI.realloc, ABI.describe, infer, bomb],
    globals: [ABI.heap],
    memory: { min: 1, max: 1 },
    exports: ABI.exports,
  });
  expect(core.length).toBeGreaterThan(240_000);
  const rewritten = instrument(admitted(core), 256);
  if (!rewritten.ok) throw new Error(rewritten.error.message);
  expect(rewritten.value.length).toBeLessThan(16 * core.length);
  const outcome = run(core);
  expect(outcomeName(outcome)).toBe('ok');
  expect(run(core)).toEqual(outcome);
});

test('Hostile module: a br_table as large as it may be pays for itself and ends', () => {
  const labels = '0 '.repeat(MODULE_LIMITS.brTableLabels);
  const core = guest({ infer: `(block (br_table ${labels} 0 (local.get $length))) ${ECHO}` });
  expect(outcomeName(run(core))).toBe('ok');
});

/** Name, fields, the operation, and the least gas that one of it may cost: what it moves, by its length. */
const BULK: readonly (readonly [string, string, string, bigint])[] = [
  [
    'memory.fill',
    '',
    '(memory.fill (i32.const 0) (i32.const 7) (i32.const 65536))',
    65_536n >> BigInt(BYTES_PER_GAS_LOG2),
  ],
  [
    'memory.copy',
    '',
    '(memory.copy (i32.const 0) (i32.const 1) (i32.const 65535))',
    65_535n >> BigInt(BYTES_PER_GAS_LOG2),
  ],
  [
    'memory.init',
    `(data $d "${'x'.repeat(60_000)}")`,
    '(memory.init $d (i32.const 0) (i32.const 0) (i32.const 60000))',
    60_000n >> BigInt(BYTES_PER_GAS_LOG2),
  ],
  [
    'table.copy',
    '(table 65536 funcref)',
    '(table.copy (i32.const 0) (i32.const 1) (i32.const 65535))',
    65_535n * TABLE_ENTRY_GAS,
  ],
  [
    'table.init',
    `(table 65536 funcref) (func $f) (elem $e func ${'$f '.repeat(60_000)})`,
    '(table.init $e (i32.const 0) (i32.const 0) (i32.const 60000))',
    60_000n * TABLE_ENTRY_GAS,
  ],
];

function gasOf(outcome: ReturnType<typeof run>): bigint {
  if (outcome.kind !== 'ok') throw new Error(outcomeName(outcome));
  return outcome.gasUsed;
}

test.each(BULK)(
  'Hostile module: %s in an endless spin pays by its length until the gas is gone',
  (_, fields, operation, least) => {
    const once = gasOf(run(guest({ fields, infer: `${operation} ${ECHO}` })));
    const twice = gasOf(run(guest({ fields, infer: `${operation} ${operation} ${ECHO}` })));
    expect(twice - once).toBeGreaterThanOrEqual(least);
    const spin = guest({ fields, infer: `(loop $l ${operation} (br $l)) (unreachable)` });
    const outcome = run(spin, { gasLimit: 50_000_000n });
    expect(outcome).toMatchObject({ kind: 'out-of-gas', gasUsed: 50_000_000n });
  },
);

test('Hostile module: bulk operations beyond their segment or memory pay first, then fault', () => {
  const ends = (length: number, gasLimit: bigint): string => {
    const core = guest({
      fields: '(data $d "abc")',
      infer: `(memory.init $d (i32.const 0) (i32.const 0) (i32.const ${length})) ${ECHO}`,
    });
    return outcomeName(run(core, { gasLimit }));
  };
  const before = CALL_GAS + PAGE_GAS;
  expect(ends(4, before + 100n)).toBe('trap(fault)');
  expect(ends(8_000_004, before + 1_000_000n)).toBe('out-of-gas');
  expect(ends(8_000_004, before + 1_000_100n)).toBe('trap(fault)');
});

const NOT_UTF8: readonly (readonly [string, readonly number[]])[] = [
  ['a lone continuation byte', [0x80]],
  ['a cut sequence', [0x61, 0xe2, 0x82]],
  ['an overlong form', [0xc0, 0xaf]],
  ['a surrogate', [0xed, 0xa0, 0x80]],
  ['a code point beyond Unicode', [0xf4, 0x90, 0x80, 0x80]],
];

test.each(NOT_UTF8)('Hostile module: an error of invalid UTF-8, %s, has its own outcome', (_, bytes) => {
  const outcome = run(guest({ infer: result(1, '(local.get 0)', '(local.get 1)') }), { input: Uint8Array.from(bytes) });
  expect(outcomeName(outcome)).toBe('guest-error(error-not-utf8)');
});

test('Hostile module: an error that begins with a byte order mark keeps it', () => {
  const message = utf8('\ufeffno');
  const outcome = run(guest({ infer: result(1, '(local.get 0)', '(local.get 1)') }), { input: message });
  expect(outcome).toMatchObject({ kind: 'guest-error', message });
});
