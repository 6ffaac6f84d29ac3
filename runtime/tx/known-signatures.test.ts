import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concat, utf8 } from '#core/bytes.ts';
import { signSecp256k1 } from '#core/crypto/keys.ts';
import { pureVerifier } from '#core/crypto/verify.ts';
import type { Verifier } from '#core/ports/crypto.ts';
import { MsgRevokeAllowanceSchema } from '#proto/gen/cosmos/feegrant/v1beta1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import type { MessageHandler } from '../module.ts';
import { MODULES } from '../module-table.ts';
import { startTestChain, testKey } from '../test-chain.ts';
import { knownSignatures } from './known-signatures.ts';

function counting(verifier: Verifier) {
  const counts = { calls: 0 };
  const counted: Verifier = {
    ed25519: verifier.ed25519,
    secp256k1(publicKey, message, signature) {
      counts.calls++;
      return verifier.secp256k1(publicKey, message, signature);
    },
  };
  return { counts, counted };
}

test('a good signature is verified once, a bad one each time', () => {
  const { counts, counted } = counting(pureVerifier);
  const known = knownSignatures(counted);
  const key = testKey(1);
  const message = utf8('statement');
  const signature = signSecp256k1(key.privateKey, message);
  expect([1, 2, 3].map(() => known.secp256k1(key.publicKey, message, signature))).toEqual([true, true, true]);
  expect(counts.calls).toBe(1);
  expect(known.secp256k1(testKey(2).publicKey, message, signature)).toBe(false);
  expect(known.secp256k1(key.publicKey, utf8('statement!'), signature)).toBe(false);
  expect(known.secp256k1(testKey(2).publicKey, message, signature)).toBe(false);
  expect(counts.calls).toBe(4);
  expect(known.secp256k1(key.publicKey, message, signature)).toBe(true);
  expect(counts.calls).toBe(4);
});

test('what a check finds good is learned afterwards, but for what is remembered elsewhere', () => {
  const { counts, counted } = counting(pureVerifier);
  const known = knownSignatures(counted);
  const key = testKey(1);
  const statements = ['one', 'two'].map((text) => {
    const message = utf8(text);
    return { publicKey: key.publicKey, message, signature: signSecp256k1(key.privateKey, message) };
  });
  const checking = known.checking();
  for (const { publicKey, message, signature } of statements) {
    expect(checking.secp256k1(publicKey, message, signature)).toBe(true);
    expect(checking.secp256k1(testKey(2).publicKey, message, signature)).toBe(false);
  }
  expect(statements.map(known.knows)).toEqual([false, false]);
  checking.learn(statements.slice(0, 1).map(({ signature }) => signature));
  expect(statements.map(known.knows)).toEqual([false, true]);
  expect(counts.calls).toBe(4);
  checking.learn([]);
  expect(statements.map(known.knows), 'it is told once').toEqual([false, true]);
});

test('the verdicts are those of the verifier inside, whatever was asked before and however little is kept', () => {
  // A cheap scheme with the same shape: the signature is the key followed by the message.
  const scheme: Verifier = {
    ed25519: () => false,
    secp256k1: (key, message, signature) => Buffer.compare(concat(key, message), signature) === 0,
  };
  const small = fc.uint8Array({ maxLength: 2, max: 2 });
  const question = fc.tuple(small, small, fc.oneof(small, fc.constant(undefined)));
  fc.assert(
    fc.property(
      fc.array(question, { maxLength: 60 }),
      fc.record({ signatures: fc.nat({ max: 4 }), bytes: fc.nat({ max: 6 }) }),
      (questions, limits) => {
        const known = knownSignatures(scheme, limits);
        for (const [key, message, other] of questions) {
          const signature = other ?? concat(key, message);
          expect(known.secp256k1(key, message, signature)).toBe(scheme.secp256k1(key, message, signature));
        }
      },
    ),
  );
});

test('two signatures that end alike: the later takes the place, and neither is taken for the other', () => {
  const { counts, counted } = counting({ ed25519: () => false, secp256k1: () => true });
  const known = knownSignatures(counted);
  const [key, message] = [Uint8Array.of(1), Uint8Array.of(2)];
  const [first, second] = [7, 8].map((n) => Uint8Array.of(n, 1, 2, 3, 4)) as [Uint8Array, Uint8Array];
  for (const signature of [first, second, second]) known.secp256k1(key, message, signature);
  expect(counts.calls).toBe(2);
  const knows = (signature: Uint8Array) => known.knows({ publicKey: key, message, signature });
  expect([first, second].map(knows)).toEqual([false, true]);
  known.forget(first);
  expect(knows(second)).toBe(true);
  known.forget(second);
  expect(knows(second)).toBe(false);
});

test('the oldest statements are forgotten first, by number and by bytes', () => {
  for (const limits of [
    { signatures: 2, bytes: 100 },
    { signatures: 100, bytes: 3 },
  ]) {
    const { counts, counted } = counting({ ed25519: () => false, secp256k1: () => true });
    const known = knownSignatures(counted, limits);
    const ask = (n: number) => known.secp256k1(Uint8Array.of(n), Uint8Array.of(n), Uint8Array.of(n));
    for (const n of [1, 2, 3, 4]) ask(n);
    counts.calls = 0;
    ask(4);
    ask(3);
    expect(counts.calls).toBe(0);
    ask(1);
    expect(counts.calls).toBe(1);
  }
});

test('what a committed block was asked is forgotten, and nothing else', () => {
  const { counts, counted } = counting({ ed25519: () => false, secp256k1: () => true });
  const known = knownSignatures(counted);
  const ask = (verifier: Verifier, n: number) =>
    verifier.secp256k1(Uint8Array.of(n), Uint8Array.of(n), Uint8Array.of(n));
  for (const n of [1, 2]) ask(known, n);
  for (const n of [2, 3]) ask(known.inBlock, n);
  expect(counts.calls).toBe(3);
  ask(known.inBlock, 3);
  expect(counts.calls).toBe(3);
  known.executed();
  ask(known, 1);
  expect(counts.calls).toBe(3);
  for (const n of [2, 3]) ask(known, n);
  expect(counts.calls).toBe(5);
});

test('a transaction is verified once from the mempool to its block', async () => {
  const { counts, counted } = counting(pureVerifier);
  const chain = await startTestChain({ verifier: counted });
  await chain.block();
  const alice = testKey(1);
  const tx = chain.sign(alice, { messages: [chain.send(alice, chain.address(testKey(2)), 1n)] });
  expect(await chain.app.checkTx({ tx, type: 'new' })).toMatchObject({ code: 0 });
  expect(counts.calls).toBe(1);
  expect((await chain.deliver(tx)).code).toBe(0);
  expect(counts.calls).toBe(1);
});

test('signatures that were checked elsewhere are not checked again; what elsewhere denied or lost is', async () => {
  for (const answer of ['true', 'false', 'failure'] as const) {
    const { counts, counted } = counting(pureVerifier);
    const asked: number[] = [];
    const chain = await startTestChain({
      verifier: counted,
      batch: {
        secp256k1: async (checks) => {
          asked.push(checks.length);
          if (answer === 'failure') throw new Error('the worker is gone');
          return checks.map(() => answer === 'true');
        },
      },
    });
    await chain.block();
    const [alice, bob] = [testKey(1), testKey(2)];
    const send = { messages: [chain.send(alice, chain.address(bob), 1n)] };
    // Three in a row of one sender; an unreadable one between them.
    const txs = [
      chain.sign(alice, send),
      utf8('no transaction'),
      chain.sign(alice, send, 1n),
      chain.sign(alice, send, 2n),
    ];
    await chain.app.verifyAhead(txs);
    expect(asked).toEqual([3]);
    const { txResults } = await chain.block(txs);
    expect(txResults.map(({ code }) => code === 0)).toEqual([true, false, true, true]);
    expect(counts.calls).toBe(answer === 'true' ? 0 : 3);
    await chain.app.verifyAhead(txs);
    expect(asked, 'what stands at another sequence is not worth asking').toEqual([3]);
  }
});

test('what is known already is not asked for again', async () => {
  let asked = 0;
  const chain = await startTestChain({
    batch: {
      secp256k1: async (checks) => {
        asked += checks.length;
        return checks.map(() => true);
      },
    },
  });
  await chain.block();
  const alice = testKey(1);
  const tx = chain.sign(alice, { messages: [chain.send(alice, chain.address(testKey(2)), 1n)] });
  expect(await chain.app.checkTx({ tx, type: 'new' })).toMatchObject({ code: 0 });
  await chain.app.verifyAhead([tx]);
  expect(asked).toBe(0);
});

test('a message that its handler cannot read fails in its block, and stops nobody who verifies ahead of it', async () => {
  const throwing = (handler: MessageHandler): MessageHandler => ({
    ...handler,
    signers() {
      throw new Error('no signer');
    },
  });
  const modules = MODULES.map((module) =>
    module.name === 'bank' ? { ...module, messages: (module.messages ?? []).map(throwing) } : module,
  );
  const asked: number[] = [];
  const chain = await startTestChain({
    modules,
    batch: {
      secp256k1: async (checks) => {
        asked.push(checks.length);
        return checks.map(() => true);
      },
    },
  });
  await chain.block();
  const [alice, bob] = [testKey(1), testKey(2)];
  const revoke = pack(MsgRevokeAllowanceSchema, { granter: chain.address(bob), grantee: chain.address(alice) });
  const txs = [
    chain.sign(alice, { messages: [chain.send(alice, chain.address(bob), 1n)] }),
    chain.sign(bob, { messages: [revoke] }),
  ];
  await chain.app.verifyAhead(txs);
  expect(asked).toEqual([1]);
  const { txResults } = await chain.block(txs);
  expect(txResults.map(({ log }) => log)).toEqual([
    'ante checks failed: internal logic error',
    expect.stringContaining('not found'),
  ]);
});
