import { expect, test } from 'vitest';
import { component, guest } from '#test/vm/wat.ts';
import { admit } from '#vm/admission.ts';
import { wrapComponent } from '#vm/component.ts';
import { glueFor } from './glue.ts';
import { withoutData } from './skeleton.ts';

const FIELDS = `(data "passive") (data (i32.const 4096) "active") (func (memory.init 1 (i32.const 0) (i32.const 0) (i32.const 2)))
  (table 3 funcref) (func $f) (elem (i32.const 1) $f)`;

test('without its data a module is still one, of the same code, and has the pinned glue', async () => {
  const bytes = component(guest({ fields: FIELDS }));
  const model = admit(bytes);
  if (!model.ok) throw new Error(model.error.message);
  const skeleton = withoutData(model.value.module);
  expect(WebAssembly.validate(new Uint8Array(skeleton))).toBe(true);
  const again = admit(wrapComponent(skeleton));
  if (!again.ok) throw new Error(again.error.message);
  const { module } = again.value;
  expect(module.data.map(({ active, length }) => [active !== undefined, length])).toEqual([
    [true, 0],
    [false, 0],
    [true, 0],
  ]);
  for (const [id, { start, end }] of model.value.module.sections) {
    if (id === 11) continue;
    const range = module.sections.get(id);
    if (range === undefined) throw new Error(`section ${id} is lost`);
    expect(module.bytes.subarray(range.start, range.end)).toEqual(model.value.module.bytes.subarray(start, end));
  }
  expect(await glueFor(wrapComponent(skeleton), skeleton)).toMatchObject({ ok: true });
});
