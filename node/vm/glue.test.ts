import { componentEmbed, componentNew } from '@bytecodealliance/jco';
import { expect, test } from 'vitest';
import { lineTrainer } from '#test/vm/trainable.ts';
import { component, guest, wat } from '#test/vm/wat.ts';
import { admit } from '#vm/admission.ts';
import { MODEL_WIT, unwrapComponent, wrapComponent } from '#vm/component.ts';
import { glueFor } from './glue.ts';

/** The component without its custom sections, top level only. */
function withoutCustom(bytes: Uint8Array): Uint8Array {
  const out: number[] = [...bytes.subarray(0, 8)];
  let at = 8;
  while (at < bytes.length) {
    const start = at;
    const id = bytes[at++];
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const next = bytes[at++] ?? 0;
      size |= (next & 0x7f) << shift;
      if (next < 0x80) break;
    }
    at += size;
    if (id !== 0) out.push(...bytes.subarray(start, at));
  }
  return Uint8Array.from(out);
}

test.each([
  ['model', guest()],
  ['trainable-model', lineTrainer()],
] as const)('the pinned template of world %s is what component tooling makes of it', async (world, core) => {
  const embedded = await componentEmbed({ binary: core, witSource: MODEL_WIT, world });
  const made = withoutCustom(await componentNew(embedded));
  const inner = unwrapComponent(made);
  if (!inner.ok) throw new Error(inner.error.message);
  expect(inner.value.world).toBe(world);
  expect(made).toEqual(wrapComponent(inner.value.coreModule, world));
});

test('every component has the pinned glue', async () => {
  const cores = [
    guest(),
    guest({ fields: '(func) (func (param i32) (result i64) (i64.const 1)) (table 3 funcref)', memory: '3' }),
    guest({ fields: '(global f64 (f64.const 1)) (data (i32.const 4096) "abc")', memory: '2 2' }),
    lineTrainer(),
  ];
  for (const core of cores) {
    const bytes = component(core);
    const model = admit(bytes);
    if (!model.ok) throw new Error(model.error.message);
    expect(await glueFor(bytes, model.value.coreModule, model.value.world)).toMatchObject({ ok: true });
  }
});

test('other glue, another core module and no component are faults of the host', async () => {
  const core = guest();
  const bytes = component(core);
  expect(await glueFor(bytes, core, 'trainable-model')).toMatchObject({ error: { reason: 'disagreement' } });
  expect(await glueFor(bytes, core.subarray(1), 'model')).toMatchObject({ error: { reason: 'disagreement' } });
  expect(await glueFor(core, core, 'model')).toMatchObject({ error: { reason: 'disagreement' } });
  const posted = wat(`(module (memory (export "memory") 1)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0))
    (func (export "describe") (result i32) (i32.const 0)) (func (export "cabi_post_describe") (param i32))
    (func (export "infer") (param i32 i32 i64) (result i32) (i32.const 0)))`);
  const other = await componentNew(await componentEmbed({ binary: posted, witSource: MODEL_WIT, world: 'model' }));
  const inner = withoutCustom(other);
  expect(admit(inner)).toMatchObject({ ok: false, error: { codespace: 'vm' } });
  const start = inner.findIndex((_, i) => i > 8 && inner[i] === 0 && inner[i + 1] === 0x61 && inner[i + 2] === 0x73);
  const end = inner.length;
  let found: unknown;
  for (let stop = start + 8; stop <= end && found === undefined; stop++) {
    const part = inner.subarray(start, stop);
    if (WebAssembly.validate(part)) found = (await glueFor(inner, part, 'model')) as unknown;
  }
  expect(found).toMatchObject({ error: { reason: 'disagreement' } });
});
