import { expect, test } from 'vitest';
import { EMPTY } from '#core/bytes.ts';
import { pureVerifier } from '#core/crypto/verify.ts';
import { AuthInfoSchema, TxRawSchema } from '#proto/gen/cosmos/tx/v1beta1/tx_pb.ts';
import { decodeStrict, encode } from '#proto/message.ts';
import { moduleTable } from '../module-table.ts';
import { startTestChain, type TestChain, testKey } from '../test-chain.ts';
import type { DecodedTx } from './decode.ts';
import { factsOf } from './facts.ts';
import { type KnownTxLimits, type KnownTxs, knownTxs } from './known-txs.ts';

const alice = testKey(1);

async function startChain(): Promise<{ chain: TestChain; verified: () => number }> {
  let calls = 0;
  const verifier = {
    ...pureVerifier,
    secp256k1(...check: Parameters<typeof pureVerifier.secp256k1>) {
      calls++;
      return pureVerifier.secp256k1(...check);
    },
  };
  const chain = await startTestChain({ verifier });
  await chain.block();
  return { chain, verified: () => calls };
}

function send(chain: TestChain, amount: bigint, ahead = 0n): Uint8Array {
  return chain.sign(alice, { messages: [chain.send(alice, chain.address(testKey(2)), amount)] }, ahead);
}

/** The same signatures under another body or auth_info. */
function forged(genuine: Uint8Array, other: Uint8Array, part: 'bodyBytes' | 'authInfoBytes'): Uint8Array {
  const [raw, from] = [genuine, other].map((bytes) => decodeStrict(TxRawSchema, bytes));
  if (raw?.ok !== true || from?.ok !== true) throw new Error('no transaction');
  return encode(TxRawSchema, { ...raw.value, [part]: from.value[part] });
}

test('a signature that was found good under one transaction is none under another', async () => {
  const { chain, verified } = await startChain();
  const genuine = send(chain, 1n);
  expect(await chain.app.checkTx({ tx: genuine, type: 'new' })).toMatchObject({ code: 0 });
  const forgeries = [
    forged(genuine, send(chain, 2n), 'bodyBytes'),
    forged(genuine, chain.sign(alice, { messages: [], gasLimit: 200_001n }), 'authInfoBytes'),
  ];
  for (const tx of forgeries) expect(chain.app.tryTx(tx).code).not.toBe(0);
  const refused = { code: 4, codespace: 'sdk' };
  expect((await chain.block(forgeries)).txResults).toMatchObject([refused, refused]);
  const before = verified();
  expect((await chain.deliver(genuine)).code).toBe(0);
  expect(verified(), 'it is still known').toBe(before);
});

test('a proposal that the mempool has seen verifies nothing again, and one it has not seen verifies once', async () => {
  const { chain, verified } = await startChain();
  const [seen, unseen] = [send(chain, 1n), send(chain, 2n, 1n)];
  await chain.app.checkTx({ tx: seen, type: 'new' });
  expect(verified()).toBe(1);
  // As it comes back from the wire: other arrays, and a block's for all of them.
  const txs = [seen, unseen].map((tx) => tx.slice());
  const { decidedLastCommit, ...context } = chain.request(txs);
  const localLastCommit = { round: decidedLastCommit.round, votes: [] };
  expect(chain.app.prepareProposal({ ...context, maxTxBytes: 10_000, localLastCommit })).toEqual(txs);
  expect(verified()).toBe(2);
  expect(chain.app.processProposal({ ...context, proposedLastCommit: decidedLastCommit }).accept).toBe(true);
  expect((await chain.block(txs)).txResults).toMatchObject([{ code: 0 }, { code: 0 }]);
  expect(verified()).toBe(2);
});

const SIZES = { txs: 2, held: 2, txBytes: 400, bytes: 1_000 };

async function keeper(
  limits: KnownTxLimits = SIZES,
): Promise<{ known: KnownTxs; keep: (tx: Uint8Array) => boolean; chain: TestChain }> {
  const { chain } = await startChain();
  const known = knownTxs(moduleTable(), limits);
  return { known, chain, keep: (tx) => known.keep(tx, decoded(known, tx)) };
}

function decoded(known: KnownTxs, tx: Uint8Array): DecodedTx {
  const answer = known.decode(tx);
  if (!answer.ok) throw new Error(answer.error.message);
  return answer.value;
}

test('what is kept is found by its bytes until two blocks pass without a question', async () => {
  const { known, keep, chain } = await keeper();
  const tx = send(chain, 1n);
  const first = decoded(known, tx);
  expect(decoded(known, tx)).not.toBe(first);
  expect(known.keep(tx, first)).toBe(true);
  for (let block = 0; block < 4; block++) {
    expect(decoded(known, tx.slice())).toBe(first);
    known.committed();
  }
  known.committed();
  expect(decoded(known, tx)).not.toBe(first);
  expect(known.decode(EMPTY).ok).toBe(true);
  expect(known.decode(Uint8Array.of(1)).ok).toBe(false);
  expect(keep(tx)).toBe(true);
});

test('what is asked for to be kept is kept at once, takes no room of what is held, and is what it was the next time', async () => {
  const { known, chain } = await keeper();
  const [tx, second, third] = [1n, 2n, 3n].map((amount) => send(chain, amount)) as [Uint8Array, Uint8Array, Uint8Array];
  const ask = (bytes: Uint8Array) => {
    const answer = known.decodeToKeep(bytes);
    return answer.ok ? answer.value : undefined;
  };
  const first = decoded(known, tx);
  known.hold(tx, first);
  expect(ask(tx)).toBe(first);
  for (let block = 0; block < 4; block++) {
    expect(ask(tx.slice())).toBe(first);
    known.committed();
  }
  expect(ask(second)).toBe(ask(second));
  expect(ask(third), 'there is room for two').not.toBe(ask(third));
  expect(known.decodeToKeep(Uint8Array.of(1)).ok).toBe(false);
});

test('there is room for so many transactions and bytes; the first stay', async () => {
  const byCount = await keeper();
  const txs = [1n, 2n, 3n].map((amount) => send(byCount.chain, amount));
  expect(txs.map(byCount.keep)).toEqual([true, true, false]);
  const [first] = txs as [Uint8Array];
  expect(byCount.keep(first)).toBe(true);
  byCount.known.committed();
  byCount.known.committed();
  expect(txs.toReversed().map(byCount.keep)).toEqual([true, true, false]);
  const byBytes = await keeper({ ...SIZES, bytes: 2 * first.length - 1 });
  expect(txs.map(byBytes.keep)).toEqual([true, false, false]);
  const bySize = await keeper({ ...SIZES, txBytes: first.length - 1 });
  expect(bySize.keep(first)).toBe(false);
});

test('what is held is found until others push it out, and takes no room of what is kept', async () => {
  const { known, keep, chain } = await keeper();
  const [a, b, c, d] = [1n, 2n, 3n, 4n].map((amount) => send(chain, amount)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const isKnown = (tx: Uint8Array) => {
    const first = decoded(known, tx);
    return decoded(known, tx) === first;
  };
  for (const tx of [a, b, c]) known.hold(tx, decoded(known, tx));
  expect([a, b, c].map(isKnown)).toEqual([false, true, true]);
  expect([b, d].map(keep)).toEqual([true, true]);
  known.hold(a, decoded(known, a));
  expect([a, b, c, d].map(isKnown)).toEqual([true, true, true, true]);
  for (let round = 0; round < 5; round++) {
    for (const tx of [a, c]) known.hold(tx, decoded(known, tx));
    expect([a, c].map(isKnown), `round ${round}`).toEqual([true, true]);
  }
});

test('one that takes far more memory than its bytes is neither kept nor held', async () => {
  const { known, chain } = await keeper({ txs: 10, held: 10, txBytes: 4_096, bytes: 16_384 });
  // Coins without a name or an amount: two bytes each.
  const coins = Array.from({ length: 1_500 }, () => ({ denom: '', amount: '' }));
  const authInfoBytes = encode(AuthInfoSchema, { fee: { amount: coins, gasLimit: 1n } });
  const bloated = encode(TxRawSchema, { authInfoBytes, signatures: [new Uint8Array(64)] });
  expect(bloated.length).toBeLessThan(4_096);
  known.hold(bloated, decoded(known, bloated));
  expect(known.keep(bloated, decoded(known, bloated))).toBe(false);
  expect(decoded(known, bloated)).not.toBe(decoded(known, bloated));
  const messages = Array.from({ length: 20 }, () => chain.send(alice, chain.address(testKey(2)), 1n));
  const large = chain.sign(alice, { messages });
  expect(known.keep(large, decoded(known, large))).toBe(true);
});

test('what is held is forgotten two blocks later', async () => {
  const { known, chain } = await keeper();
  const tx = send(chain, 1n);
  const first = decoded(known, tx);
  known.hold(tx, first);
  known.committed();
  expect(decoded(known, tx)).toBe(first);
  known.committed();
  expect(decoded(known, tx)).not.toBe(first);
});

test('two with the same end: the later takes the place, and each has its own answer', async () => {
  const { known, keep, chain } = await keeper({ ...SIZES, txs: 1 });
  const genuine = send(chain, 1n);
  const other = forged(genuine, send(chain, 2n), 'bodyBytes');
  expect([keep(genuine), keep(other)]).toEqual([true, true]);
  const first = decoded(known, other);
  expect(decoded(known, other)).toBe(first);
  expect(decoded(known, genuine)).not.toBe(decoded(known, genuine));
  expect(decoded(known, genuine).raw.bodyBytes).not.toEqual(decoded(known, other).raw.bodyBytes);
});

test('a good signature is good for one account number on one chain', async () => {
  const { known, chain } = await keeper();
  const facts = factsOf(decoded(known, send(chain, 1n)));
  expect(facts.hasVerified(0)).toBe(false);
  facts.learnVerified(0, 'test-1', 5n);
  expect(facts.isVerified(0, 'test-1', 5n)).toBe(true);
  for (const [signer, chainId, number] of [
    [1, 'test-1', 5n],
    [0, 'test-2', 5n],
    [0, 'test-1', 6n],
  ] as const)
    expect(facts.isVerified(signer, chainId, number)).toBe(false);
});
