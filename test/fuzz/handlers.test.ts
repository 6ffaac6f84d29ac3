/**
 * Every message and every query of the chain, made of values that hurt: whatever a transaction says, a block executes to
 * its end and the invariants hold; whatever a query asks, it is answered. An assertion that input can break is a halt.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_INT64, MAX_UINT64, MIN_INT64 } from '#core/int.ts';
import { create, type DescMessage, encode, type MessageInitShape, pack, typeUrlOf } from '#proto/message.ts';
import { type DescField, reflect } from '#proto/reflect.ts';
import { formatAddress, moduleAddress } from '#runtime/address.ts';
import { type ModuleTable, moduleTable } from '#runtime/module-table.ts';
import { startTestChain, testKey } from '#runtime/test-chain.ts';
import { fuzzRuns } from './runs.ts';

const chain = await startTestChain();
await chain.block();
const table: ModuleTable = moduleTable();
const alice = testKey(1);
const self = chain.address(alice);
const prefixed = (bytes: Uint8Array, prefix = 'auton') => formatAddress({ bech32Prefix: prefix }, bytes);

const ADDRESSES = [
  self,
  self.toUpperCase(),
  chain.address(testKey(2)),
  chain.address(testKey(77)),
  prefixed(moduleAddress('fee_collector')),
  prefixed(moduleAddress('provider_bonds')),
  prefixed(Uint8Array.of(1)),
  prefixed(new Uint8Array(32).fill(7)),
  prefixed(new Uint8Array(255).fill(7)),
  prefixed(new Uint8Array(20).fill(7), 'autonvaloper'),
  prefixed(new Uint8Array(20).fill(7), 'autonvalcons'),
];
const DENOMS = ['uauton', 'ucredit', 'factory/x:y'];
const AMOUNTS = [
  '0',
  '1',
  '7',
  '1000000',
  '-1',
  '+5',
  '05',
  '1e3',
  '0x10',
  ' 1',
  '١٢',
  '9'.repeat(78),
  String(2n ** 256n - 1n),
  '1000000000000000000',
];
const TEXTS = ['', ...ADDRESSES, ...DENOMS, ...AMOUNTS, 'a'.repeat(300), '\ufeff\ufeffx', '\u0000', '__proto__'];
const BYTES = [0, 1, 20, 32, 33, 64, 256, 70_000].map((length) => new Uint8Array(length).fill(2));
const INTEGERS = [0n, 1n, 2n, 5n, 100n, 1_000_000n, 25_000_000n, MAX_INT64, MAX_UINT64, -1n, MIN_INT64];

interface Draw {
  pick<T>(items: readonly T[]): T;
  chance(percent: number): boolean;
}

function drawer(seed: readonly number[]): Draw {
  let at = 0;
  const next = (): number => seed[at++ % seed.length] ?? 0;
  return {
    pick<T>(items: readonly T[]): T {
      const item = items[(next() + at) % items.length];
      if (item === undefined) throw new Error('nothing to pick from');
      return item;
    },
    chance: (percent) => (next() + at * 37) % 100 < percent,
  };
}

/** What such a field usually holds, so that handlers are reached and not only their first check. */
function textsFor(name: string): readonly string[] {
  if (name.includes('amount')) return AMOUNTS;
  if (name.includes('denom')) return DENOMS;
  if (/msg|allowed|type/.test(name)) return [...table.messages.keys()];
  return /name|licence|description|memo/.test(name) ? ['x', 'y'] : ADDRESSES;
}

function scalarOf(draw: Draw, field: DescField, type: string): unknown {
  switch (type) {
    case 'string':
      return draw.pick(draw.chance(20) ? TEXTS : textsFor(field.name));
    case 'bytes':
      return draw.pick(BYTES);
    case 'bool':
      return draw.chance(50);
    case 'int32':
      return draw.pick([0, 1, -1, 7, 0x7fffffff, -0x80000000]);
    case 'uint32':
      return draw.pick([0, 1, 7, 0x7fffffff, 0xffffffff]);
    case 'int64':
      return BigInt.asIntN(64, draw.pick(INTEGERS));
    case 'uint64':
      return BigInt.asUintN(64, draw.pick(INTEGERS));
    default:
      throw new Error(`${field.name}: ${type} is not drawn`);
  }
}

const SCALARS: Readonly<Record<number, string>> = {
  3: 'int64',
  4: 'uint64',
  5: 'int32',
  8: 'bool',
  9: 'string',
  12: 'bytes',
  13: 'uint32',
};

/** Types that may stand in an Any, anything else aside. */
const anyTypes = [
  ...[...table.messages.values()].map(({ schema }) => schema),
  ...table.modules.flatMap(({ anyTypes: types = [] }) => types),
];

function messageOf(draw: Draw, schema: DescMessage, depth: number): Record<string, unknown> {
  if (schema.typeName === 'google.protobuf.Any') {
    if (depth > 4) return { typeUrl: draw.pick(TEXTS), value: new Uint8Array(0) };
    const inner = draw.pick(anyTypes);
    return { typeUrl: typeUrlOf(inner), value: encode(inner, messageOf(draw, inner, depth + 1)) };
  }
  const out: Record<string, unknown> = {};
  for (const field of schema.fields) {
    const oneof = field.oneof?.localName;
    if (oneof !== undefined) {
      if (draw.chance(60)) out[oneof] = { case: field.localName, value: single(draw, field, depth) };
      continue;
    }
    if (field.fieldKind === 'list') {
      const count = draw.pick([0, 1, 1, 2, 3]);
      out[field.localName] = Array.from({ length: count }, () => single(draw, field, depth));
    } else if (draw.chance(85)) out[field.localName] = single(draw, field, depth);
  }
  return out;
}

function single(draw: Draw, field: DescField, depth: number): unknown {
  if (field.message !== undefined) return depth > 8 ? {} : messageOf(draw, field.message, depth + 1);
  if (field.enum !== undefined) return draw.pick([0, 1, 2, 3, 99, -1]);
  return scalarOf(draw, field, SCALARS[field.scalar ?? 0] ?? '');
}

const seeds = fc.array(fc.nat(10_000), { minLength: 40, maxLength: 60 });

test('any message, signed by whom it names: the block ends, the invariants hold', async () => {
  const handlers = [...table.messages.values()];
  expect(handlers.length).toBeGreaterThan(10);
  let executed = 0;
  await fc.assert(
    fc.asyncProperty(fc.nat(handlers.length - 1), seeds, async (which, seed) => {
      const draw = drawer(seed);
      const { schema } = handlers[which] as (typeof handlers)[number];
      const message = create(schema, messageOf(draw, schema, 1) as MessageInitShape<DescMessage>);
      // The signer's field is the first text of nearly every message.
      const signer = schema.fields.find(({ scalar }) => scalar === 9);
      if (signer !== undefined && draw.chance(90)) reflect(schema, message).set(signer, self as never);
      const gasLimit = draw.pick([80_000n, 400_000n, 8_000_000n, 9_000_000n, 10_000_000n, MAX_UINT64]);
      const tx = chain.sign(alice, { messages: [pack(schema, message)], gasLimit });
      const checked = await chain.app.checkTx({ tx, type: 'new' });
      expect(checked.log).not.toContain(' failed: internal');
      const { code, log } = await chain.deliver(tx);
      if (code === 0) executed++;
      expect(log).not.toContain(' failed: internal');
      expect(chain.app.brokenInvariants()).toEqual([]);
    }),
    // One of twenty-three is executed to its end.
    { numRuns: fuzzRuns(900) },
  );
  expect(executed).toBeGreaterThan(5);
}, 600_000);

test('any query is answered', () => {
  const queries = [...table.queries.values()];
  fc.assert(
    fc.property(fc.nat(queries.length - 1), seeds, fc.constantFrom(0n, 1n, -1n, MAX_INT64), (which, seed, height) => {
      const { path, request } = queries[which] as (typeof queries)[number];
      const data = encode(request, messageOf(drawer(seed), request, 1) as MessageInitShape<DescMessage>);
      const { code, log } = chain.app.query({ path, data, height, prove: false });
      if (code === 0) expect(log).toBe('');
      else expect(log).not.toContain('query failed');
    }),
    { numRuns: fuzzRuns() },
  );
}, 600_000);
