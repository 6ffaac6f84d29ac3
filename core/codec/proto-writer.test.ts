import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ProtoWriter } from './proto-writer.ts';

test('what a finished writer answered is never overwritten by later writers, nested ones included', () => {
  const chunk = fc.uint8Array({ maxLength: 3000 });
  fc.assert(
    fc.property(fc.array(fc.tuple(chunk, chunk), { minLength: 1, maxLength: 20 }), (messages) => {
      const made = messages.map(([outer, inner]) =>
        new ProtoWriter().bytes(1, outer).message(2, new ProtoWriter().raw(inner).finish()).raw(outer).finish(),
      );
      const copies = made.map((bytes) => bytes.slice());
      const again = messages.map(([outer, inner]) =>
        new ProtoWriter().bytes(1, outer).message(2, new ProtoWriter().raw(inner).finish()).raw(outer).finish(),
      );
      expect(made).toEqual(copies);
      expect(again).toEqual(made);
    }),
  );
});

test('two writers open at once do not share a buffer', () => {
  const first = new ProtoWriter().raw(new Uint8Array([1, 2]));
  const second = new ProtoWriter().raw(new Uint8Array([3, 4]));
  first.raw(new Uint8Array([5]));
  expect([...first.finish()]).toEqual([1, 2, 5]);
  expect([...second.finish()]).toEqual([3, 4]);
});

test('a writer is finished once, and takes nothing afterwards', () => {
  const writer = new ProtoWriter().varint(1, 1);
  writer.finish();
  expect(() => writer.finish()).toThrow('finished once');
  expect(() => writer.varint(1, 1)).toThrow('finished message');
});
