import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex } from '#core/bytes.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { err, ok } from '#core/result.ts';
import { headerHash } from '#core/types/header.ts';
import type { LightBlock } from '#core/types/light-block.ts';
import { addMillis, type Timestamp } from '#core/types/timestamp.ts';
import {
  BLOCK_MS,
  CHAIN_ID,
  decide,
  fastVerifier,
  GENESIS_TIME,
  makeChain,
  nextHeader,
  provider,
  type SimChain,
  type SimProvider,
  signers,
  timeAfter,
} from '#test/support/light-chain.ts';
import { createLightClient, type LightClient, type LightClientOptions } from './client.ts';
import { openLightStore } from './store.ts';
import { DEFAULT_TRUST_LEVEL } from './verifier.ts';

const HOUR = 3_600_000_000_000n;

interface Setup {
  readonly primary: SimProvider;
  readonly witnesses: readonly SimProvider[];
  readonly options?: Partial<LightClientOptions>;
  readonly now?: Timestamp;
  readonly kv?: MemoryKv;
  readonly waited?: () => void;
}

async function clientOf({ primary, witnesses, options, now, kv, waited }: Setup) {
  const store = await openLightStore(kv ?? new MemoryKv(), CHAIN_ID);
  if (!store.ok) throw new Error(store.error);
  const clock = { time: now ?? timeAfter(primary.height) };
  const client = createLightClient(
    {
      chainId: CHAIN_ID,
      trustingPeriodNanos: HOUR,
      maxClockDriftNanos: 1_000_000_000n,
      trustLevel: DEFAULT_TRUST_LEVEL,
      mode: 'skipping',
      witnessLagMs: 1_000,
      keep: 100,
      ...options,
    },
    {
      primary,
      witnesses,
      store: store.value,
      verifier: fastVerifier,
      clock: { now: () => clock.time },
      logger: silentLogger,
      wait: async () => waited?.(),
    },
  );
  if (!client.ok) throw new Error(client.error);
  return { client: client.value, clock, store: store.value };
}

const rootOf = (block: LightBlock) => ({ height: block.header.height, hash: headerHash(block.header) });

async function trusting(setup: Setup, root: LightBlock) {
  const made = await clientOf(setup);
  const trusted = await made.client.trust(rootOf(root));
  expect(trusted.ok || trusted.error).toBe(true);
  return made;
}

async function expectBlock(client: LightClient, chain: SimChain, height: number): Promise<void> {
  const verified = await client.verifyAt(BigInt(height));
  if (!verified.ok) throw new Error(`${verified.error.kind}: ${verified.error.message}`);
  expect(toHex(headerHash(verified.value.header))).toBe(toHex(headerHash(chain.at(height).header)));
}

async function expectFault(outcome: ReturnType<LightClient['verifyAt']>, kind: string, message: RegExp) {
  const answer = await outcome;
  if (answer.ok) throw new Error(`expected a refusal, got block ${answer.value.header.height}`);
  expect(answer.error.kind).toBe(kind);
  expect(answer.error.message).toMatch(message);
  return answer.error;
}

/** Ten validators, of which one is replaced every two heights: after twenty heights none is left. */
const drifting = (height: number) => signers(height >> 1, 10);
const constant = () => signers(0, 4);

const steady = makeChain({ heights: 60, members: constant });
const moving = makeChain({ heights: 60, members: drifting });
/** Nobody stays: each height has a set of its own. */
const replaced = makeChain({ heights: 20, members: (height) => signers(height * 10, 4) });

describe('the way to a block', () => {
  test('unchanged validators: one jump', async () => {
    const [primary, witness] = [provider('primary', steady), provider('witness', steady)];
    const { client } = await trusting({ primary, witnesses: [witness] }, steady.at(1));
    await expectBlock(client, steady, 60);
    expect(primary.asked).toEqual([1n, 60n]);
  });

  test('drifting validators: bisection, with fewer blocks than there are', async () => {
    const primary = provider('primary', moving);
    const { client } = await trusting({ primary, witnesses: [provider('witness', moving)] }, moving.at(1));
    await expectBlock(client, moving, 60);
    expect(primary.asked.length).toBeGreaterThan(3);
    expect(primary.asked.length).toBeLessThan(25);
  });

  test('all validators replaced at each height: every header, and no further', async () => {
    const primary = provider('primary', replaced);
    const { client } = await trusting({ primary, witnesses: [provider('witness', replaced)] }, replaced.at(1));
    await expectBlock(client, replaced, 20);
    expect(new Set(primary.asked).size).toBe(20);
  });

  test('a higher trust level asks for more blocks', async () => {
    const asked = async (numerator: bigint) => {
      const primary = provider('primary', moving);
      const options = { trustLevel: { numerator, denominator: 6n } };
      const { client } = await trusting({ primary, witnesses: [provider('witness', moving)], options }, moving.at(1));
      await expectBlock(client, moving, 60);
      return primary.asked.length;
    };
    expect(await asked(5n)).toBeGreaterThan(await asked(2n));
  });

  test('sequential: every header', async () => {
    const primary = provider('primary', moving);
    const options = { mode: 'sequential' } as const;
    const { client } = await trusting({ primary, witnesses: [provider('witness', moving)], options }, moving.at(1));
    await expectBlock(client, moving, 40);
    expect(new Set(primary.asked).size).toBe(40);
  });

  test('between and below what is trusted; the newest', async () => {
    const primary = provider('primary', moving);
    const { client } = await trusting({ primary, witnesses: [provider('witness', moving)] }, moving.at(20));
    const updated = await client.update();
    expect(updated.ok && updated.value.header.height).toBe(60n);
    await expectBlock(client, moving, 41);
    await expectBlock(client, moving, 7);
    expect(client.first()?.header.height).toBe(7n);
    expect(client.latest()?.header.height).toBe(60n);
    expect((await client.update()).ok).toBe(true);
    await expectFault(client.verifyAt(61n), 'unavailable', /above 60/);
    await expectFault(client.verifyAt(0n), 'unavailable', /at least 1/);
  });

  test('requests at the same time are answered one after the other', async () => {
    const primary = provider('primary', moving);
    const { client } = await trusting({ primary, witnesses: [provider('witness', moving)] }, moving.at(1));
    await Promise.all([50, 30, 50, 10, 60].map((height) => expectBlock(client, moving, height)));
    expect(primary.asked.filter((height) => height === 50n)).toHaveLength(1);
  });
});

describe('trust', () => {
  test('begins at the given hash alone', async () => {
    const setup = { primary: provider('primary', steady), witnesses: [provider('witness', steady)] };
    const { client } = await clientOf(setup);
    await expectFault(client.verifyAt(5n), 'no-root', /nothing is trusted yet/);
    await expectFault(client.update(), 'no-root', /nothing is trusted yet/);
    const wrong = { height: 5n, hash: headerHash(steady.at(6).header) };
    await expectFault(client.trust(wrong), 'no-root', /primary has [0-9a-f]{64} at height 5, expected/);
    expect((await client.trust(rootOf(steady.at(5)))).ok).toBe(true);
    // A second root that contradicts the first is not believed.
    await expectFault(client.trust(wrong), 'no-root', /one of them is not the chain's/);
  });

  test('a root that a witness contradicts, and one that its validators have not signed', async () => {
    const other = makeChain({ heights: 10, members: constant, fork: { of: steady, above: 3 } });
    const contradicted = await clientOf({
      primary: provider('primary', steady),
      witnesses: [provider('witness', other)],
    });
    await expectFault(contradicted.client.trust(rootOf(steady.at(5))), 'no-root', /witness has another block/);
    const unsigned = decide(steady.at(5).header, constant(), { by: signers(0, 2) });
    const primary = provider('primary', steady);
    primary.lies.set(5n, ok(unsigned));
    const { client } = await clientOf({ primary, witnesses: [provider('witness', steady)] });
    await expectFault(client.trust(rootOf(steady.at(5))), 'invalid', /20 of 40 signed/);
  });

  test('expires, and is renewed by a new root', async () => {
    const setup = { primary: provider('primary', steady), witnesses: [provider('witness', steady)] };
    const { client, clock } = await trusting(
      { ...setup, options: { trustingPeriodNanos: 30_000_000_000n }, now: timeAfter(1) },
      steady.at(1),
    );
    clock.time = timeAfter(30);
    await expectBlock(client, steady, 30);
    clock.time = timeAfter(60);
    await expectFault(client.verifyAt(60n), 'expired', /older than the trusting period/);
    await expectFault(client.trust(rootOf(steady.at(20))), 'expired', /root/);
    expect((await client.trust(rootOf(steady.at(50)))).ok).toBe(true);
    await expectBlock(client, steady, 60);
    // Below, hashes still lead to what signatures no longer prove.
    await expectBlock(client, steady, 45);
  });

  test('a block of the future is refused, but for the drift of clocks', async () => {
    const setup = { primary: provider('primary', steady), witnesses: [provider('witness', steady)] };
    const { client, clock } = await trusting({ ...setup, now: timeAfter(10) }, steady.at(1));
    await expectFault(client.verifyAt(60n), 'invalid', /in the future/);
    await expectBlock(client, steady, 11);
    clock.time = timeAfter(60);
    await expectBlock(client, steady, 60);
  });

  test('survives a restart, within its bounds, for its chain alone', async () => {
    const kv = new MemoryKv();
    const setup = () => ({ primary: provider('primary', steady), witnesses: [provider('witness', steady)], kv });
    const first = await trusting({ ...setup(), options: { keep: 5 } }, steady.at(1));
    for (const height of [10, 20, 30, 40, 50, 60]) await expectBlock(first.client, steady, height);
    expect(first.store.size).toBe(5);
    expect(first.client.first()?.header.height).toBe(20n);
    const again = await clientOf(setup());
    expect(again.client.latest()?.header.height).toBe(60n);
    expect(again.store.size).toBe(5);
    await expectBlock(again.client, steady, 45);
    expect((await openLightStore(kv, 'another')).ok).toBe(false);
    await again.store.clear();
    expect(again.client.latest()).toBeUndefined();
  });

  test('options that make no sense are refused', async () => {
    const setup = { primary: provider('primary', steady), witnesses: [provider('witness', steady)] };
    const refused = (change: Partial<LightClientOptions>) =>
      clientOf({ ...setup, options: change }).then(
        () => 'accepted',
        (error: Error) => error.message,
      );
    expect(await refused({ trustLevel: { numerator: 1n, denominator: 4n } })).toMatch(/1\/3 … 1/);
    expect(await refused({ trustLevel: { numerator: 4n, denominator: 3n } })).toMatch(/1\/3 … 1/);
    expect(await refused({ trustingPeriodNanos: 0n })).toMatch(/trusting period/);
    expect(await refused({ keep: 1 })).toMatch(/at least 2/);
    await expect(clientOf({ ...setup, witnesses: [] })).rejects.toThrow(/witnesses/);
  });
});

describe('sources that fail or lie', () => {
  test('a primary that does not answer is replaced by a witness, and becomes one', async () => {
    const [primary, second, third] = ['a', 'b', 'c'].map((name) => provider(name, steady)) as [
      SimProvider,
      SimProvider,
      SimProvider,
    ];
    const { client } = await trusting({ primary, witnesses: [second, third] }, steady.at(1));
    primary.lies.set(40n, err({ kind: 'unavailable', message: 'a: no answer' }));
    await expectBlock(client, steady, 40);
    expect(client.sources()).toEqual({ primary: 'b', witnesses: ['c', 'a'] });
  });

  test('a primary whose blocks on the way are wrong is dropped', async () => {
    const [primary, second, third] = ['a', 'b', 'c'].map((name) => provider(name, moving)) as [
      SimProvider,
      SimProvider,
      SimProvider,
    ];
    const { client } = await trusting({ primary, witnesses: [second, third] }, moving.at(1));
    for (let height = 2n; height < 60n; height++) {
      const unsigned = decide(moving.at(height).header, drifting(Number(height)), { by: [] });
      primary.lies.set(height, ok(unsigned));
    }
    await expectBlock(client, moving, 60);
    expect(client.sources()).toEqual({ primary: 'b', witnesses: ['c'] });
  });

  test('no source has a block on the way: an error, not an endless exchange', async () => {
    const [primary, witness] = [provider('a', moving), provider('b', moving)];
    const { client } = await trusting({ primary, witnesses: [witness] }, moving.at(1));
    for (const source of [primary, witness])
      for (let height = 2n; height < 60n; height++)
        source.lies.set(height, err({ kind: 'not-found', message: 'pruned' }));
    await expectFault(client.verifyAt(60n), 'unavailable', /pruned/);
  });

  test('a target that is not signed is refused', async () => {
    const primary = provider('a', steady);
    const { client } = await trusting({ primary, witnesses: [provider('b', steady)] }, steady.at(1));
    primary.lies.set(30n, ok(decide(steady.at(30).header, constant(), { by: signers(0, 2) })));
    await expectFault(client.verifyAt(30n), 'invalid', /20 of 40 signed/);
    expect(client.latest()?.header.height).toBe(1n);
  });

  test('backwards, a header that the one above does not name is refused', async () => {
    const primary = provider('a', steady);
    const { client } = await trusting({ primary, witnesses: [provider('b', steady)] }, steady.at(20));
    const fork = makeChain({ heights: 20, members: constant, fork: { of: steady, above: 10 } });
    primary.lies.set(18n, ok(fork.at(18)));
    await expectFault(client.verifyAt(15n), 'invalid', /which the header above names/);
    // The header is right, the commit is not one.
    primary.lies.set(18n, ok(decide(steady.at(18).header, constant(), { by: signers(0, 1) })));
    await expectFault(client.verifyAt(18n), 'invalid', /10 of 40 signed/);
  });

  test('a witness that shows nonsense is dismissed; without any the answer is refused', async () => {
    const [liar, honest] = [provider('liar', steady), provider('honest', steady)];
    liar.lies.set(30n, ok({ ...steady.at(30), header: steady.at(29).header }));
    const { client } = await trusting({ primary: provider('a', steady), witnesses: [liar, honest] }, steady.at(1));
    await expectBlock(client, steady, 30);
    expect(client.sources().witnesses).toEqual(['honest']);
    honest.lies.set(40n, ok(decide(nextHeader(steady.at(39), constant(), constant(), 'lie'), constant(), { by: [] })));
    await expectFault(client.verifyAt(40n), 'no-witness', /no witness has confirmed block 40/);
    expect(client.sources().witnesses).toEqual([]);
    expect(client.latest()?.header.height).toBe(30n);
  });

  test('forged proposer priorities are seen, also such whose sums agree (ASA-2024-009)', async () => {
    const forge = ({ header, commit, validators }: LightBlock, change: readonly bigint[]): LightBlock => ({
      header,
      commit,
      validators: {
        ...validators,
        validators: validators.validators.map((one, i) => ({ ...one, priority: one.priority + (change[i] ?? 0n) })),
      },
    });
    for (const change of [[1n], [1n, -1n], [0n, 0n, 0n, 5n]]) {
      const primary = provider('a', steady);
      primary.lies.set(30n, ok(forge(steady.at(30), change)));
      const { client } = await trusting({ primary, witnesses: [provider('b', steady)] }, steady.at(1));
      await expectFault(client.verifyAt(30n), 'invalid', /a and b show different proposer priorities/);
      await expectFault(client.trust(rootOf(steady.at(30))), 'invalid', /different proposer priorities/);
      await expectBlock(client, steady, 31);
    }
  });

  test('a witness that lags is given time, one that stays behind does not confirm', async () => {
    const witness = provider('slow', steady);
    witness.height = 30;
    const waited = () => {
      witness.height++;
    };
    const { client } = await trusting({ primary: provider('a', steady), witnesses: [witness], waited }, steady.at(1));
    await expectBlock(client, steady, 33);
    const stuck = provider('stuck', steady);
    stuck.height = 30;
    const other = await trusting({ primary: provider('a', steady), witnesses: [stuck] }, steady.at(1));
    await expectFault(other.client.verifyAt(33n), 'no-witness', /33/);
  });
});

describe('attacks', () => {
  async function attacked(history: SimChain, height: number, honest = steady) {
    const [primary, witness] = [provider('primary', history), provider('witness', honest)];
    const { client, store } = await trusting({ primary, witnesses: [witness] }, honest.at(1));
    const fault = await expectFault(client.verifyAt(BigInt(height)), 'attack', /prove different blocks/);
    if (fault.kind !== 'attack') throw new Error('no attack');
    // Nothing of it is believed, and nothing is any more.
    expect(store.size).toBe(1);
    await expectFault(client.verifyAt(2n), 'attack', /prove different blocks/);
    expect(witness.evidence).toEqual([fault.attack.againstPrimary]);
    expect(primary.evidence).toEqual(fault.attack.againstWitness === undefined ? [] : [fault.attack.againstWitness]);
    return fault.attack;
  }

  test('lunatic: a made-up application hash, signed by a third of the old validators', async () => {
    const liars = signers(0, 2);
    const forged = makeChain({
      heights: 50,
      members: (height) => (height <= 30 ? constant() : liars),
      fork: { of: steady, above: 30 },
      decision: (height) => (height === 31 ? { by: signers(0, 4) } : {}),
    });
    const { againstPrimary, againstWitness } = await attacked(forged, 50);
    expect(againstPrimary.commonHeight).toBe(1n);
    expect(againstPrimary.totalVotingPower).toBe(40n);
    expect(againstPrimary.timestamp).toEqual(steady.at(1).header.time);
    const accused = againstPrimary.byzantineValidators.map(({ address }) => toHex(address)).sort();
    const signed = forged
      .at(50)
      .validators.validators.map(({ address }) => toHex(address))
      .sort();
    expect(accused).toEqual(signed);
    expect(againstWitness?.conflictingBlock).toEqual(steady.at(50));
  });

  test('equivocation: two blocks of one round', async () => {
    const { header } = steady.at(40);
    const twin = { ...header, dataHash: headerHash(header) };
    const blocks = [...steady.blocks];
    blocks[39] = decide(twin, constant(), { by: signers(0, 3) });
    const { againstPrimary } = await attacked(
      { ...steady, blocks, at: (h) => blocks[Number(h) - 1] as LightBlock },
      40,
    );
    expect(againstPrimary.commonHeight).toBe(40n);
    expect(againstPrimary.byzantineValidators).toHaveLength(3);
  });

  test('amnesia: two blocks of different rounds accuse nobody', async () => {
    const { header } = steady.at(40);
    const blocks = [...steady.blocks];
    blocks[39] = decide({ ...header, dataHash: headerHash(header) }, constant(), { round: 1 });
    const { againstPrimary } = await attacked(
      { ...steady, blocks, at: (h) => blocks[Number(h) - 1] as LightBlock },
      40,
    );
    expect(againstPrimary.byzantineValidators).toEqual([]);
  });

  test('forward lunatic: a height that the chain has not reached, at a time that it has', async () => {
    const short = makeChain({ heights: 40, members: constant });
    const { header } = steady.at(50);
    const early = { ...header, time: addMillis(GENESIS_TIME, 39n * BLOCK_MS) };
    const blocks = [...steady.blocks];
    blocks[49] = decide(early, constant());
    const { againstPrimary } = await attacked(
      { ...steady, blocks, at: (h) => blocks[Number(h) - 1] as LightBlock },
      50,
      short,
    );
    expect(againstPrimary.conflictingBlock.header.height).toBe(50n);
    expect(againstPrimary.byzantineValidators.length).toBeGreaterThan(0);
  });

  test('after bisection: the point of divergence is found between two blocks of the trace', async () => {
    const forged = makeChain({ heights: 60, members: drifting, fork: { of: moving, above: 25 } });
    const [primary, witness] = [provider('primary', forged), provider('witness', moving)];
    const { client } = await trusting({ primary, witnesses: [witness] }, moving.at(1));
    const fault = await expectFault(client.verifyAt(60n), 'attack', /prove different blocks/);
    if (fault.kind !== 'attack') throw new Error('no attack');
    const { commonHeight, conflictingBlock } = fault.attack.againstPrimary;
    expect(commonHeight).toBeLessThanOrEqual(25n);
    expect(conflictingBlock.header.height).toBeGreaterThan(25n);
    expect(conflictingBlock).toEqual(forged.at(conflictingBlock.header.height));
  });
});

test('whatever the sets and whatever one source alters, only blocks of the chain are believed', async () => {
  const plan = fc.record({
    sizes: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 12, maxLength: 12 }),
    moves: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 12, maxLength: 12 }),
    target: fc.integer({ min: 2, max: 11 }),
    lies: fc.array(fc.tuple(fc.integer({ min: 2, max: 11 }), fc.integer({ min: 0, max: 5 })), { maxLength: 4 }),
  });
  await fc.assert(
    fc.asyncProperty(plan, async ({ sizes, moves, target, lies }) => {
      let sum = 0;
      const starts = moves.map((move) => {
        sum += move;
        return sum;
      });
      const members = (height: number) => signers(starts[height - 1] ?? 0, sizes[height - 1] ?? 1);
      const chain = makeChain({ heights: 11, members });
      const primary = provider('a', chain);
      for (const [height, kind] of lies) primary.lies.set(BigInt(height), ok(altered(chain.at(height), kind)));
      const { client } = await trusting(
        { primary, witnesses: [provider('b', chain), provider('c', chain)] },
        chain.at(1),
      );
      const answer = await client.verifyAt(BigInt(target));
      if (answer.ok) expect(headerHash(answer.value.header)).toEqual(headerHash(chain.at(target).header));
      else expect(answer.error.kind).not.toBe('attack');
      if (lies.length === 0) expect(answer.ok).toBe(true);
    }),
    { numRuns: 60 },
  );
});

/** What no third of any set has signed. */
function altered(block: LightBlock, kind: number): LightBlock {
  const { header, commit, validators } = block;
  const [first, ...rest] = commit.signatures;
  if (kind === 0) return { ...block, header: { ...header, appHash: headerHash(header) } };
  if (kind === 1) return { ...block, commit: { ...commit, signatures: rest } };
  if (kind === 2 && first !== undefined)
    return { ...block, commit: { ...commit, signatures: commit.signatures.map(() => first) } };
  if (kind === 3) return decide({ ...header, dataHash: headerHash(header) }, signers(9_000, 4));
  if (kind === 4) return { ...block, validators: { ...validators, totalPower: 1n } };
  return decide({ ...header, appHash: headerHash(header) }, signers(9_000, 4), { round: 1 });
}
