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

test('messages that are opened and closed in place are those that writers of their own make', () => {
  interface Tree {
    readonly bytes: Uint8Array;
    readonly inner: readonly Tree[];
  }
  const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
    tree: fc.record({
      // Lengths around 128 and 16,384 take one byte more.
      bytes: fc.oneof(
        fc.uint8Array({ maxLength: 20 }),
        fc.integer({ min: 100, max: 140 }).map((length) => new Uint8Array(length).fill(7)),
        fc.integer({ min: 16_360, max: 16_400 }).map((length) => new Uint8Array(length).fill(9)),
      ),
      inner: fc.oneof({ maxDepth: 3 }, fc.constant([]), fc.array(tie('tree'), { maxLength: 3 })),
    }),
  }));
  const apart = ({ bytes, inner }: Tree): Uint8Array => {
    const writer = new ProtoWriter().bytes(1, bytes);
    for (const each of inner) writer.message(2, apart(each));
    return writer.varint(3, bytes.length).finish();
  };
  const inPlace = (writer: ProtoWriter, { bytes, inner }: Tree): ProtoWriter => {
    writer.bytes(1, bytes);
    for (const each of inner) {
      const opened = writer.open(2);
      inPlace(writer, each).close(opened);
    }
    return writer.varint(3, bytes.length);
  };
  fc.assert(
    fc.property(tree, (one) => {
      expect(inPlace(new ProtoWriter(), one).finish()).toEqual(apart(one));
    }),
  );
});
