import { expect, test } from 'vitest';
import { EMPTY } from '#core/bytes.ts';
import { PageRequestSchema } from '#proto/gen/cosmos/base/query/v1beta1/pagination_pb.ts';
import { create, type MessageInitShape } from '#proto/message.ts';
import { RUNTIME_LIMITS } from './limits.ts';
import { paginate } from './pagination.ts';
import type { KvReader } from './state/kv-view.ts';

const ENTRIES = 25_000;

/** A store that tells how much of it was read. */
function longStore(): { readonly store: KvReader; read(): number } {
  let read = 0;
  const store: KvReader = {
    get: () => undefined,
    has: () => false,
    *entries() {
      for (; read < ENTRIES; read++) yield [Uint8Array.of(1, read >>> 8, read & 255), EMPTY];
    },
  };
  return { store, read: () => read };
}

function page(
  init: MessageInitShape<typeof PageRequestSchema> | undefined,
  wanted: (key: Uint8Array) => boolean = () => true,
) {
  const { store, read } = longStore();
  const request = init && create(PageRequestSchema, init);
  const answer = paginate(store, Uint8Array.of(1), request, (key) => (wanted(key) ? key : undefined));
  if (!answer.ok) throw new Error(answer.error.message);
  return { ...answer.value.pagination, items: answer.value.items.length, read: read() };
}

test('a plain request reads no whole store, whatever it leaves out; a count that is asked for does', () => {
  const { defaultPageEntries, maxCountedEntries } = RUNTIME_LIMITS;
  const plain = page(undefined);
  expect(plain).toMatchObject({ items: defaultPageEntries, total: 0n, read: maxCountedEntries });
  expect(plain.nextKey).toEqual(Uint8Array.of(0, defaultPageEntries));
  expect(page({}, (key) => key[0] === 0)).toMatchObject({
    items: defaultPageEntries,
    total: 0n,
    read: maxCountedEntries,
  });
  expect(page({ limit: 5n })).toMatchObject({ items: 5, total: 0n, read: 5 });
  expect(page({ limit: 5n, countTotal: true })).toMatchObject({ items: 5, total: BigInt(ENTRIES), read: ENTRIES });
});

test('what would read beyond the limit is refused with a way out: a far offset, a count, a filter that finds nothing', () => {
  const { maxVisitedEntries } = RUNTIME_LIMITS;
  let read = 0;
  const endless: KvReader = {
    get: () => undefined,
    has: () => false,
    *entries() {
      for (; ; read++) yield [Uint8Array.of(1, 1), EMPTY];
    },
  };
  const ask = (init: MessageInitShape<typeof PageRequestSchema>, wanted = true) =>
    paginate(endless, Uint8Array.of(1), create(PageRequestSchema, init), (key) => (wanted ? key : undefined));
  for (const answer of [ask({ offset: 1n << 40n }), ask({ countTotal: true }), ask({ limit: 1n }, false)]) {
    expect(answer.ok ? '' : answer.error.message).toContain(`reads more than ${maxVisitedEntries} entries`);
  }
  expect(read).toBeLessThanOrEqual(3 * maxVisitedEntries);
});
