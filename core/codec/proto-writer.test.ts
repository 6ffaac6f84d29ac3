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

test('two large writers open at once do not share a buffer, nor do they with one that comes after', () => {
  const filled = (byte: number) => new Uint8Array(100_000).fill(byte);
  new ProtoWriter().raw(filled(9)).finish();
  const first = new ProtoWriter().raw(filled(1));
  const second = new ProtoWriter().raw(filled(2));
  first.raw(filled(3));
  const made = [first.finish(), second.finish()];
  new ProtoWriter().raw(filled(4)).finish();
  expect(made).toEqual([new Uint8Array([...filled(1), ...filled(3)]), filled(2)]);
});

test('a text is its UTF-8 bytes, wherever a unit that is not ASCII stands and whatever its field and length', () => {
  const text = fc
    .tuple(
      fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 120, max: 135 })),
      fc.array(fc.tuple(fc.nat(), fc.constantFrom('\u007f', '\u0080', 'é', '€', '\ud83d\ude00', '\ud800')), {
        maxLength: 2,
      }),
    )
    .map(([length, others]) => {
      const units = Array.from({ length }, (_, i) => String.fromCharCode(32 + (i % 90)));
      for (const [at, other] of others) units.splice(at % (length + 1), 0, other);
      return units.join('');
    });
  fc.assert(
    fc.property(
      fc.constantFrom(1, 15, 16, 2_047, 2_048),
      text,
      fc.uint8Array({ maxLength: 4 }),
      (field, value, before) => {
        const bytes = new TextEncoder().encode(value);
        const written = new ProtoWriter().raw(before).string(field, value).bool(field, true).finish();
        expect(written).toEqual(new ProtoWriter().raw(before).bytes(field, bytes).varint(field, 1).finish());
      },
    ),
  );
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
