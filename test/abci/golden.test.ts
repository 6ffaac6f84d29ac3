/**
 * Bytes that the Go types of CometBFT v0.38.25 wrote (`abci/types.WriteMessage`), against the same values here. The
 * list in golden.json has the order of these tables.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type * as abci from '#core/abci.ts';
import { fromHex, toHex, utf8 } from '#core/bytes.ts';
import { NO_ROUND, toHeight, toRound } from '#core/types/brand.ts';
import type { ConsensusParams } from '#core/types/consensus-params.ts';
import { parseTime } from '#core/types/timestamp.ts';
import { createFrameReader } from '#node/abci/frames.ts';
import { type AbciRequest, decodeRequest } from '#node/abci/requests.ts';
import { type AbciResponse, encodeResponse } from '#node/abci/responses.ts';

type Golden = readonly (readonly [name: string, hex: string])[];
const golden = JSON.parse(readFileSync(new URL('golden.json', import.meta.url), 'utf8')) as {
  readonly requests: Golden;
  readonly responses: Golden;
};

const fill = (byte: number, count: number) => new Uint8Array(count).fill(byte);
const EMPTY = new Uint8Array(0);
const MAX_POWER = 1_152_921_504_606_846_975n;
const time = parseTime('2026-03-01T12:30:15.123456789Z');
const genesis = parseTime('2026-01-01T00:00:00Z');
const hash = fill(0xaa, 32);
const nextValidatorsHash = fill(0xbb, 32);
const proposerAddress = fill(1, 20);
const one = { address: fill(1, 20), power: 10n };
const two = { address: fill(2, 20), power: MAX_POWER };
const ed25519 = { type: 'ed25519', bytes: fill(7, 32) } as const;
const secp256k1 = { type: 'secp256k1', bytes: fill(8, 33) } as const;
const txs = [utf8('a'), EMPTY, utf8('ccc')];
const extension = utf8('ext');

const params: ConsensusParams = {
  block: { maxBytes: 4_194_304n, maxGas: -1n },
  evidence: { maxAgeNumBlocks: 100_000n, maxAgeNanos: 172_800_000_000_005n, maxBytes: 1_048_576n },
  validator: { pubKeyTypes: ['ed25519', 'secp256k1'] },
  version: { app: 1n },
  abci: { voteExtensionsEnableHeight: 1n },
};

const misbehavior: readonly abci.Misbehavior[] = [
  { type: 'duplicate-vote', validator: one, height: toHeight(5), time: genesis, totalVotingPower: 40n },
  { type: 'light-client-attack', validator: two, height: toHeight(6), time, totalVotingPower: 41n },
];
const lastCommit: abci.CommitInfo = {
  round: toRound(3),
  votes: [
    { validator: one, flag: 2 },
    { validator: two, flag: 1 },
    { validator: two, flag: 3 },
  ],
};
const block = { height: toHeight(7), time, nextValidatorsHash, proposerAddress, misbehavior, txs };

const REQUESTS: readonly AbciRequest[] = [
  { kind: 'echo', message: 'hello' },
  { kind: 'flush' },
  { kind: 'info' },
  {
    kind: 'init-chain',
    request: {
      time: genesis,
      chainId: 'golden-1',
      consensusParams: params,
      validators: [
        { publicKey: ed25519, power: 10n },
        { publicKey: secp256k1, power: 3n },
      ],
      appStateBytes: utf8('{}'),
      initialHeight: toHeight(1),
    },
  },
  { kind: 'query', request: { data: Uint8Array.of(1, 2), path: '/store/bank/key', height: 9n, prove: true } },
  { kind: 'query', request: { data: EMPTY, path: '/p', height: -1n, prove: false } },
  { kind: 'check-tx', request: { tx: utf8('tx'), type: 'new' } },
  { kind: 'check-tx', request: { tx: utf8('tx'), type: 'recheck' } },
  { kind: 'commit' },
  { kind: 'list-snapshots' },
  {
    kind: 'offer-snapshot',
    request: {
      snapshot: { height: 10n, format: 1, chunks: 3, hash: fill(0xaa, 32), metadata: utf8('m') },
      appHash: fill(0xbb, 32),
    },
  },
  { kind: 'load-snapshot-chunk', request: { height: 10n, format: 1, chunk: 2 } },
  { kind: 'apply-snapshot-chunk', request: { index: 2, chunk: utf8('chunk'), sender: 'peer' } },
  {
    kind: 'prepare-proposal',
    request: {
      ...block,
      maxTxBytes: 4_193_129,
      localLastCommit: {
        round: toRound(1),
        votes: [
          { validator: one, flag: 2, extension, extensionSignature: fill(9, 64) },
          { validator: two, flag: 1, extension: EMPTY, extensionSignature: EMPTY },
        ],
      },
    },
  },
  {
    kind: 'prepare-proposal',
    request: {
      height: toHeight(1),
      time: genesis,
      nextValidatorsHash,
      proposerAddress,
      misbehavior: [],
      txs: [],
      maxTxBytes: 100,
      localLastCommit: { round: toRound(0), votes: [] },
    },
  },
  { kind: 'process-proposal', request: { ...block, proposedLastCommit: lastCommit, hash } },
  { kind: 'extend-vote', request: { ...block, proposedLastCommit: lastCommit, hash, round: NO_ROUND } },
  {
    kind: 'verify-vote-extension',
    request: { hash, validatorAddress: proposerAddress, height: toHeight(7), extension },
  },
  { kind: 'finalize-block', request: { ...block, decidedLastCommit: lastCommit, hash } },
];

const events: readonly abci.Event[] = [
  {
    type: 'transfer',
    attributes: [
      { key: 'amount', value: '5uauton', index: true },
      { key: '', value: '', index: false },
    ],
  },
  { type: 'bare', attributes: [] },
];
const result = { data: EMPTY, log: '', info: '', codespace: '', events: [], gasWanted: 0n, gasUsed: 0n };
const found = { code: 0, codespace: '', log: '', info: '', index: 0n, key: EMPTY, proofOps: [], height: 9n };

const RESPONSES: readonly AbciResponse[] = [
  { kind: 'exception', error: 'what was wrong' },
  { kind: 'echo', message: 'hello' },
  { kind: 'flush' },
  {
    kind: 'info',
    response: {
      data: 'autonomy',
      version: '0.1.0',
      appVersion: 1n,
      lastBlockHeight: toHeight(12),
      lastBlockAppHash: hash,
    },
  },
  {
    kind: 'init-chain',
    response: {
      consensusParams: params,
      validators: [
        { publicKey: ed25519, power: 10n },
        { publicKey: secp256k1, power: 0n },
      ],
      appHash: hash,
    },
  },
  {
    kind: 'query',
    response: {
      code: 5,
      codespace: 'sdk',
      log: 'log',
      info: 'info',
      index: 3n,
      key: utf8('k'),
      value: utf8('v'),
      proofOps: [{ type: 'ics23:iavl', key: utf8('k'), data: utf8('d') }],
      height: 9n,
    },
  },
  { kind: 'query', response: { ...found, value: utf8('v') } },
  {
    kind: 'check-tx',
    response: {
      code: 11,
      codespace: 'sdk',
      log: 'log',
      data: utf8('d'),
      gasWanted: 200_000n,
      gasUsed: 71_234n,
      events,
      // The mempool's own: no fields of the interface.
      priority: 9n,
      sender: 'sender',
      sequence: 3n,
    },
  },
  { kind: 'commit', response: { retainHeight: 4n } },
  { kind: 'list-snapshots', snapshots: [] },
  { kind: 'offer-snapshot', result: 'reject' },
  { kind: 'load-snapshot-chunk', chunk: EMPTY },
  {
    kind: 'apply-snapshot-chunk',
    response: { result: 'rejectSnapshot', refetchChunks: [], rejectSenders: [], reason: 'not said', done: false },
  },
  { kind: 'prepare-proposal', txs },
  { kind: 'process-proposal', accept: true },
  { kind: 'process-proposal', accept: false },
  { kind: 'extend-vote', extension },
  { kind: 'verify-vote-extension', accept: true },
  { kind: 'verify-vote-extension', accept: false },
  {
    kind: 'finalize-block',
    response: {
      events,
      txResults: [
        { ...result, code: 0, data: utf8('d'), gasWanted: 5n, gasUsed: 4n, events },
        { ...result, code: 13, log: 'no', info: 'i', codespace: 'sdk' },
        { ...result, code: 0 },
      ],
      validatorUpdates: [{ publicKey: ed25519, power: 0n }],
      consensusParamUpdates: { block: { maxBytes: 1n, maxGas: 2n }, abci: { voteExtensionsEnableHeight: 0n } },
      appHash: hash,
    },
  },
];

test('the tables are as long as the list', () => {
  expect(golden.requests).toHaveLength(REQUESTS.length);
  expect(golden.responses).toHaveLength(RESPONSES.length);
});

test.each(golden.requests.map(([name, hex], i) => [i, name, hex] as const))('request %i: %s', (i, _name, hex) => {
  const [message, ...more] = createFrameReader().push(fromHex(hex));
  expect(more).toEqual([]);
  expect(decodeRequest(message ?? EMPTY)).toEqual({ ok: true, value: REQUESTS[i] });
});

test.each(golden.responses.map(([name, hex], i) => [i, name, hex] as const))('response %i: %s', (i, _name, hex) => {
  expect(toHex(encodeResponse(RESPONSES[i] as AbciResponse))).toBe(hex);
});
