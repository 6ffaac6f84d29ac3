import { expect, test } from 'vitest';
import { concat, toHex } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { ERRORS, type VmError } from '#core/errors.ts';
import { component, guest, wat } from '#test/vm/wat.ts';
import { admit } from './admission.ts';
import { packageModel, unwrapComponent, wrapComponent } from './component.ts';
import { MODULE_LIMITS } from './limits.ts';
import { put, putBytes, putSized, putU32, type Writer, writer, written } from './wasm/writer.ts';

function expectRefusal(
  found: ReturnType<typeof admit> | ReturnType<typeof packageModel>,
  kind: VmError,
  message: RegExp,
): void {
  if (found.ok) throw new Error(`accepted, expected ${kind}: ${message}`);
  expect(found.error.message).toMatch(message);
  expect(found.error).toMatchObject({ codespace: 'vm', code: ERRORS.vm[kind] });
}

/** Admission of a core module as it is, without packaging. */
function admitCore(core: Uint8Array): ReturnType<typeof admit> {
  return admit(wrapComponent(core));
}

const REALLOC = '(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0))';
const DESCRIBE = '(func (export "describe") (result i32) (i32.const 0))';
const INFER = '(func (export "infer") (param i32 i32 i64) (result i32) (i32.const 0))';
const MEMORY = '(memory (export "memory") 1)';
const module = (...fields: string[]): Uint8Array => wat(`(module ${fields.join(' ')})`);

test('a model is admitted under the hashes of its component and of its core module', () => {
  const bytes = component(guest());
  const model = admit(bytes);
  if (!model.ok) throw new Error(model.error.message);
  expect(toHex(model.value.componentHash)).toBe(toHex(sha256(bytes)));
  expect(toHex(model.value.moduleHash)).toBe(toHex(sha256(model.value.coreModule)));
  expect(model.value).toMatchObject({ initialPages: 1, maximumPages: 16 });
});

test('packaging drops custom sections and exports that the ABI does not have', () => {
  const core = module(
    MEMORY,
    REALLOC,
    DESCRIBE,
    INFER,
    '(func (export "cabi_post_infer") (param i32))',
    '(global (export "g") i32 (i32.const 1))',
  );
  const custom = concat(core, Uint8Array.of(0, 5, 4, 0x6e, 0x61, 0x6d, 0x65));
  const packaged = packageModel(custom);
  if (!packaged.ok) throw new Error(packaged.error.message);
  expect(admit(packaged.value).ok).toBe(true);
  expectRefusal(
    admitCore(core),
    'interface',
    /export "(cabi_post_infer|g)": expected only memory, cabi_realloc, describe, infer/,
  );
});

test('packaging an already packaged core module gives the same component', () => {
  const once = component(guest());
  const inner = unwrapComponent(once);
  if (!inner.ok) throw new Error(inner.error.message);
  expect(component(inner.value.coreModule)).toEqual(once);
});

test.each([
  ['no memory', module(REALLOC, DESCRIBE, INFER), /"memory": expected, found none/],
  ['no infer', module(MEMORY, REALLOC, DESCRIBE), /"infer": expected, found none/],
  [
    'memory is a function',
    module('(func (export "memory"))', REALLOC, DESCRIBE, INFER),
    /expected a memory, found a func/,
  ],
  [
    'infer of another type',
    module(MEMORY, REALLOC, DESCRIBE, '(func (export "infer") (param i32 i32 i32) (result i32) (i32.const 0))'),
    /expected type \(i32, i32, i64\) -> \(i32\), found \(i32, i32, i32\) -> \(i32\)/,
  ],
  ['an initializer', module(MEMORY, REALLOC, DESCRIBE, INFER, '(func (export "_initialize"))'), /_initialize/],
])('interface: %s', (_, core, message) => {
  expectRefusal(packageModel(core), 'interface', message);
});

test.each([
  [
    'a WASI import',
    '(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))',
    /import section/,
  ],
  ['a start function', '(func $s) (start $s)', /start function/],
])('Hostile module: %s is refused by name', (_, field, message) => {
  expectRefusal(packageModel(module(field, MEMORY, REALLOC, DESCRIBE, INFER)), 'unsupported', message);
});

test('Hostile module: a second memory is refused by name', () => {
  const w = writer();
  put(w, 0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 5, 5, 2, 0, 1, 0, 1);
  expectRefusal(admitCore(written(w)), 'unsupported', /2 memories, expected at most 1/);
});

test.each([
  [
    'a data segment beyond memory',
    '(data (i32.const 65530) "12345678")',
    /data segment 0: ends at 65538, memory at 65536/,
  ],
  [
    'an element segment beyond its table',
    '(table 2 funcref) (func $f) (elem (i32.const 1) $f $f)',
    /element segment 0: ends at 3, table at 2/,
  ],
  ['a body of the wrong type', '(func (result i32) (i64.const 1))', /expected an operand of type i32, found i64/],
])('Hostile module: %s is refused', (_, field, message) => {
  expectRefusal(
    admitCore(field.startsWith('(func') ? badBody() : module(MEMORY, REALLOC, DESCRIBE, INFER, field)),
    'invalid',
    message,
  );
});

function section(out: Writer, id: number, content: Uint8Array): void {
  put(out, id);
  putSized(out, content);
}

/** A module whose functions all have this type and this body, beside the exports of the ABI. */
function withBody(params: number, body: Uint8Array): Uint8Array {
  const base = module(MEMORY, REALLOC, DESCRIBE, INFER);
  const parts = sectionsOf(base);
  const out = writer();
  putBytes(out, base.subarray(0, 8));
  for (const [id, content] of parts) {
    if (id === 1) {
      const w = writer();
      put(w, 4);
      putBytes(w, content.subarray(1));
      put(w, 0x60);
      putU32(w, params);
      for (let i = 0; i < params; i++) put(w, 0x7f);
      put(w, 1, 0x7f);
      section(out, id, written(w));
    } else if (id === 3) section(out, id, concat(Uint8Array.of(4), content.subarray(1), Uint8Array.of(3)));
    else if (id === 10) {
      const w = writer();
      put(w, 4);
      putBytes(w, content.subarray(1));
      putSized(w, body);
      section(out, id, written(w));
    } else section(out, id, content);
  }
  return written(out).slice();
}

function sectionsOf(bytes: Uint8Array): [number, Uint8Array][] {
  const out: [number, Uint8Array][] = [];
  for (let at = 8; at < bytes.length; ) {
    const id = bytes[at++] ?? 0;
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const next = bytes[at++] ?? 0;
      size |= (next & 0x7f) << shift;
      if (next < 0x80) break;
    }
    out.push([id, bytes.subarray(at, at + size)]);
    at += size;
  }
  return out;
}

function badBody(): Uint8Array {
  return withBody(0, Uint8Array.of(0, 0x42, 1, 0x0b));
}

function bodyOf(write: (w: Writer) => void): Uint8Array {
  const w = writer();
  write(w);
  return written(w);
}

const repeat = (w: Writer, count: number, ...bytes: number[]): void => {
  for (let i = 0; i < count; i++) put(w, ...bytes);
};

/** Functions of this many bytes and locals each; nothing else. */
function withBodies(functions: number, bytes: number, locals = 0): Uint8Array {
  const out = writer();
  put(out, 0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0);
  section(
    out,
    3,
    bodyOf((w) => {
      putU32(w, functions);
      repeat(w, functions, 0);
    }),
  );
  const body = bodyOf((w) => {
    put(w, 1);
    putU32(w, locals);
    put(w, 0x7f);
    repeat(w, bytes, 0x01);
    put(w, 0x0b);
  });
  section(
    out,
    10,
    bodyOf((w) => {
      putU32(w, functions);
      for (let i = 0; i < functions; i++) putSized(w, body);
    }),
  );
  return written(out).slice();
}

const GIANTS: readonly (readonly [string, Uint8Array, RegExp])[] = [
  ['thousands of parameters', withBody(5_000, Uint8Array.of(0, 0x41, 0, 0x0b)), /5000 parameters, expected at most 64/],
  [
    'four billion locals',
    withBody(0, Uint8Array.of(1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f, 0x41, 0, 0x0b)),
    /4294967295 parameters and locals, expected at most 2000/,
  ],
  [
    'many groups of locals',
    withBody(
      0,
      bodyOf((w) => {
        putU32(w, 1_500);
        repeat(w, 1_500, 2, 0x7f);
        put(w, 0x41, 0, 0x0b);
      }),
    ),
    /2002 parameters and locals, expected at most 2000/,
  ],
  [
    'deep nesting',
    withBody(
      0,
      bodyOf((w) => {
        put(w, 0);
        repeat(w, 5_000, 0x02, 0x40);
        repeat(w, 5_000, 0x0b);
        put(w, 0x41, 0, 0x0b);
      }),
    ),
    /1001 nested blocks, expected at most 1000/,
  ],
  [
    'a huge br_table',
    withBody(
      0,
      bodyOf((w) => {
        put(w, 0, 0x41, 0, 0x0e);
        putU32(w, 20_000);
        repeat(w, 20_001, 0);
        put(w, 0x0b);
      }),
    ),
    /20000 br_table labels, expected at most 8192/,
  ],
  [
    'a giant function',
    withBody(
      0,
      bodyOf((w) => {
        put(w, 0);
        repeat(w, 300_000, 0x01);
        put(w, 0x41, 0, 0x0b);
      }),
    ),
    /bytes in a function body, expected at most 262144/,
  ],
  [
    'a compile bomb of more code than a model needs',
    withBodies(40, 255_000),
    /bytes of code, expected at most 8388608/,
  ],
  [
    'more locals than all functions may have',
    withBodies(101, 8, 1_990),
    /locals in all functions, expected at most 200000/,
  ],
  [
    'more memory than the machine has',
    module('(memory (export "memory") 5000)'),
    /5000 pages of initial memory, expected at most 4096/,
  ],
  ['a giant table', module('(table 70000 funcref)'), /70000 entries of a table, expected at most 65536/],
];

test.each(GIANTS)('Hostile module: %s is refused', (_, core, message) => {
  expectRefusal(admitCore(core), 'limit', message);
});

test('Hostile module: a vector longer than its section allocates nothing', () => {
  const core = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 0xe7, 7, 0x60, 0, 0);
  expectRefusal(admitCore(core), 'malformed', /999 types announced, found only 3 bytes/);
});

test('only the template is a component: another byte before, after or in between is refused', () => {
  const bytes = component(guest());
  expectRefusal(admit(guest()), 'template', /expected a component/);
  expectRefusal(admit(concat(bytes, Uint8Array.of(0, 1, 0))), 'template', /template of world model/);
  expectRefusal(admit(bytes.subarray(0, bytes.length - 1)), 'template', /template of world model/);
  expectRefusal(admit(Uint8Array.of()), 'template', /expected a component/);
  const length = bytes.subarray(9);
  const longer = concat(
    bytes.subarray(0, 9),
    Uint8Array.of((length[0] ?? 0) | 0x80, (length[1] ?? 0) | 0x80, 0),
    length.subarray(2),
  );
  expectRefusal(admit(longer), 'template', /shortest form/);
});

test.each([
  ['threads', [0xfe, 0x10, 2, 0], 'threads'],
  ['relaxed SIMD', [0xfd, 0x80, 2], 'relaxed SIMD'],
  ['tail calls', [0x12, 0], 'tail calls'],
  ['exceptions', [0x08, 0], 'exceptions'],
  ['garbage collection', [0xfb, 0, 0], 'garbage collection'],
  ['reference types', [0xd0, 0x70], 'reference-typed values'],
])('%s are refused by name', (_, code, feature) => {
  expectRefusal(
    admitCore(withBody(0, Uint8Array.of(0, ...code, 0x0b))),
    'unsupported',
    new RegExp(`belongs to ${feature}`),
  );
});

test('an opcode that nobody knows is malformed', () => {
  expectRefusal(admitCore(withBody(0, Uint8Array.of(0, 0xff, 0x0b))), 'malformed', /unknown opcode 0xff/);
});

test('the limits are parameters', () => {
  const bytes = component(guest());
  expectRefusal(admit(bytes, { ...MODULE_LIMITS, moduleBytes: 10 }), 'limit', /bytes of module, expected at most 10/);
});
