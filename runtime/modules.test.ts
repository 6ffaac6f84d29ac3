/** The module interface, with modules made for the purpose. */
import { expect, test } from 'vitest';
import { assert } from '#core/assert.ts';
import { concat, EMPTY, toHex, utf8 } from '#core/bytes.ts';
import { pureVerifier } from '#core/crypto/verify.ts';
import { noDuties } from '#core/ports/duties.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { err, ok } from '#core/result.ts';
import { toRound } from '#core/types/brand.ts';
import { openApplication } from './app.ts';
import type { RuntimeModule } from './module.ts';
import { moduleTable } from './module-table.ts';
import { authModule } from './modules/auth/module.ts';
import { bankModule } from './modules/bank/module.ts';
import { chainModule } from './modules/chain/module.ts';
import { startTestChain, testKey } from './test-chain.ts';

const BASE = [chainModule, authModule, bankModule];
const key = utf8('key');
const MAGIC = utf8('TEST');

function withModule(module: Partial<RuntimeModule>): readonly RuntimeModule[] {
  return [...BASE, { name: 'probe', stores: ['probe'], ...module }];
}

const lastCommit = { round: toRound(0), votes: [] };

test('an end block that throws loses its own writes, and the block goes on', async () => {
  const modules = [
    ...withModule({
      endBlock(context) {
        context.state.store('probe').set(key, utf8('lost'));
        context.events.emit('lost', [['a', 'b']]);
        throw new TypeError('some engine message');
      },
    }),
    {
      name: 'after',
      stores: ['after'],
      endBlock(context) {
        context.state.store('after').set(key, utf8('kept'));
        context.events.emit('kept', [['a', 'b']]);
        return undefined;
      },
    } satisfies RuntimeModule,
  ];
  const chain = await startTestChain({ modules });
  const { events } = await chain.block();
  expect(events.map(({ type }) => type)).toEqual(['kept']);
  expect(events[0]?.attributes.at(-1)).toMatchObject({ key: 'mode', value: 'EndBlock' });
  const state = chain.app.stateAt(0n)?.state;
  expect(state?.store('probe').get(key)).toBeUndefined();
  expect(state?.store('after').get(key)).toEqual(utf8('kept'));
});

test('a broken assertion stops the node', async () => {
  const modules = withModule({
    beginBlock() {
      assert(false, 'a bug');
    },
  });
  const chain = await startTestChain({ modules });
  expect(() => chain.app.finalizeBlock(chain.request([]))).toThrow('a bug');
});

function injecting(): readonly RuntimeModule[] {
  return withModule({
    injection: {
      magic: MAGIC,
      prepare: ({ block }) => utf8(`height ${block.height}`),
      process: ({ block }, payload) =>
        payload !== undefined && toHex(payload) === toHex(utf8(`height ${block.height}`))
          ? ok(undefined)
          : err('expected the height'),
      apply(context, payload) {
        context.state.store('probe').set(key, payload ?? utf8('none'));
        context.events.emit('injected', [['bytes', String(payload?.length ?? 0)]]);
        return payload?.length === 1 ? err('one byte is too short') : ok(undefined);
      },
    },
  });
}

test('the injection is prepared, judged and applied, and never passes CheckTx', async () => {
  const chain = await startTestChain({ modules: injecting() });
  const alice = testKey(1);
  await chain.block();
  const { height, time } = chain.request([]);
  const common = { height, time, nextValidatorsHash: EMPTY, proposerAddress: new Uint8Array(20), misbehavior: [] };
  const tx = chain.sign(alice, { messages: [chain.send(alice, chain.address(testKey(2)), 1n)] });
  const txs = chain.app.prepareProposal({ ...common, maxTxBytes: 10_000, txs: [tx], localLastCommit: lastCommit });
  const injection = concat(MAGIC, utf8('height 2'));
  expect(txs).toEqual([injection, tx]);
  const judge = (some: readonly Uint8Array[]) =>
    chain.app.processProposal({ ...common, txs: some, proposedLastCommit: lastCommit, hash: EMPTY });
  expect(judge(txs).accept).toBe(true);
  expect(judge([tx])).toEqual({ accept: false, reason: 'injection: expected the height' });
  expect(judge([concat(MAGIC, utf8('height 3')), tx]).accept).toBe(false);
  expect(judge([injection, injection])).toMatchObject({
    accept: false,
    reason: expect.stringMatching(/^transaction 0/),
  });
  expect((await chain.app.checkTx({ tx: injection, type: 'new' })).code).toBe(2);
  expect([injection, tx].map((bytes) => chain.app.isInjection(bytes))).toEqual([true, false]);
  const { txResults, events } = await chain.block(txs);
  expect(txResults.map(({ code }) => code)).toEqual([0, 0]);
  expect(txResults[0]?.events).toEqual([]);
  expect(events.map(({ type }) => type)).toEqual(['injected']);
  expect(chain.app.stateAt(0n)?.state.store('probe').get(key)).toEqual(utf8('height 2'));
  const failed = await chain.block([concat(MAGIC, Uint8Array.of(1))]);
  expect(failed.txResults[0]).toMatchObject({ code: 0, log: 'one byte is too short: invalid request' });
  expect(chain.app.stateAt(0n)?.state.store('probe').get(key)).toEqual(utf8('height 2'));
  await chain.block();
  expect(chain.app.stateAt(0n)?.state.store('probe').get(key)).toEqual(utf8('none'));
});

test('vote extensions come from the duties and are judged by the module', async () => {
  const modules = withModule({
    voteExtension: {
      extend: ({ block }, duties) => concat(utf8('x'), duties.extension(block.height)),
      verify: (_context, validator, extension) => validator.length === 20 && extension[0] === 0x78,
    },
  });
  const deps = { kv: new MemoryKv(), verifier: pureVerifier, logger: silentLogger };
  const duties = { ...noDuties, extension: (height: bigint) => utf8(String(height)) };
  const started = await startTestChain({ modules, kv: deps.kv });
  await started.block();
  const app = await openApplication({ modules }, { ...deps, duties });
  const request = { ...started.request([]), round: toRound(0), proposedLastCommit: lastCommit };
  expect(app.extendVote(request)).toEqual(utf8('x2'));
  const verify = (extension: Uint8Array) =>
    app.verifyVoteExtension({ hash: EMPTY, validatorAddress: new Uint8Array(20), height: request.height, extension });
  expect(verify(utf8('x2'))).toBe(true);
  expect(verify(utf8('y'))).toBe(false);
  expect(verify(new Uint8Array(65_537).fill(0x78))).toBe(false);
  const plain = await startTestChain({ modules: BASE });
  await plain.block();
  expect(plain.app.extendVote(request)).toEqual(EMPTY);
});

test('the table refuses modules that claim the same thing', () => {
  const clash = (module: Partial<RuntimeModule>) => () => moduleTable(withModule(module));
  expect(clash({ name: 'bank' })).toThrow('module bank occurs twice');
  expect(clash({ stores: ['bank'] })).toThrow('store bank occurs twice');
  expect(clash({ moduleAccounts: { fee_collector: [] } })).toThrow('module account fee_collector occurs twice');
  const injection = injecting().at(-1)?.injection;
  expect(() =>
    moduleTable(withModule(injection === undefined ? {} : { injection: { ...injection, magic: utf8('\nabc') } })),
  ).toThrow('a transaction could begin like the injection');
});
