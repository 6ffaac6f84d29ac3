import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sha256 } from '#core/crypto/hash.ts';
import { merkleProofs } from '#core/merkle.ts';
import { err } from '#core/result.ts';
import { toHeight, toRound } from '#core/types/brand.ts';
import { ABSENT_SIG } from '#core/types/commit.ts';
import { createValidatorSet } from '#core/types/validator-set.ts';
import * as arbitrary from '#test/arbitrary/block.ts';
import { blockJson, readBlockJson, readEvidenceJson } from './block.ts';
import { commitJson, readCommitJson } from './commit.ts';
import { readHeaderJson } from './header.ts';
import { asInt64, readJson } from './reader.ts';
import { merkleProofJson, readMerkleProofJson } from './results.ts';
import { netInfoJson } from './status.ts';
import {
  readPublicKeyJson,
  readValidatorJson,
  readValidatorUpdateJson,
  validatorJson,
  validatorUpdateJson,
} from './validator.ts';

/** What arrives on the other side of a wire. */
const wire = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test('any block survives core → JSON → core', () => {
  fc.assert(
    fc.property(arbitrary.block, (block) => {
      expect(readBlockJson('block', wire(blockJson(block)))).toEqual(block);
    }),
  );
});

test('any validator and any update survive', () => {
  fc.assert(
    fc.property(arbitrary.validatorUpdates, (updates) => {
      const set = createValidatorSet(updates);
      if (!set.ok) throw new Error(set.error);
      for (const validator of set.value.validators)
        expect(readValidatorJson('validator', wire(validatorJson(validator)))).toEqual(validator);
      for (const update of [...updates, ...updates.map((one) => ({ ...one, power: 0n }))])
        expect(readValidatorUpdateJson('update', wire(validatorUpdateJson(update)))).toEqual(update);
    }),
  );
});

test('peers are shown with all that crawlers of networks read of them', () => {
  const node = {
    id: 'own',
    moniker: 'me',
    chainId: 'test-1',
    listenAddress: 'tcp://0.0.0.0:26656',
    rpcAddress: 'tcp://127.0.0.1:26657',
    appVersion: 1n,
    txIndex: true,
  };
  const peer = {
    id: 'other',
    moniker: 'you',
    listenAddress: 'tcp://192.0.2.1:26656',
    remoteIp: '192.0.2.1',
    outbound: true,
  };
  expect(netInfoJson({ listening: true, listeners: [], peers: [peer] }, () => node)).toEqual({
    listening: true,
    listeners: [],
    n_peers: '1',
    peers: [
      {
        node_info: {
          protocol_version: { p2p: '8', block: '11', app: '1' },
          id: 'other',
          listen_addr: 'tcp://192.0.2.1:26656',
          network: 'test-1',
          version: expect.stringMatching(/^0\.38\./),
          channels: '',
          moniker: 'you',
          other: { tx_index: 'off', rpc_address: '' },
        },
        is_outbound: true,
        remote_ip: '192.0.2.1',
      },
    ],
  });
});

test('Merkle proofs survive', () => {
  for (const proof of merkleProofs([1, 2, 3, 4, 5].map((n) => sha256(Uint8Array.of(n)))).proofs)
    expect(readMerkleProofJson('proof', wire(merkleProofJson(proof)))).toEqual(proof);
});

test("an absent signature is written as Go's zero values", () => {
  const blockId = { hash: sha256(Uint8Array.of(1)), partSetHeader: { total: 1, hash: sha256(Uint8Array.of(2)) } };
  const commit = { height: toHeight(1), round: toRound(0), blockId, signatures: [ABSENT_SIG] };
  expect(commitJson(commit).signatures).toEqual([
    { block_id_flag: 1, validator_address: '', timestamp: '0001-01-01T00:00:00Z', signature: null },
  ]);
});

test('each refusal names the field, what was expected and what came', () => {
  const refusal = (read: () => unknown) => {
    const result = readJson(read);
    return result.ok ? 'accepted' : result.error;
  };
  expect(refusal(() => readHeaderJson('header', []))).toBe('header: expected an object, got []');
  expect(refusal(() => readHeaderJson('header', { chain_id: 'x', height: '1.5' }))).toBe(
    'header.height: expected an integer, as decimal digits, got "1.5"',
  );
  expect(refusal(() => readHeaderJson('header', { chain_id: 'x', height: '-1' }))).toContain('height: expected 0');
  expect(refusal(() => readCommitJson('commit', { height: 1, round: 0, block_id: { hash: 'xy', parts: {} } }))).toBe(
    'commit.block_id.hash: expected hex digits only',
  );
  expect(refusal(() => readPublicKeyJson('key', { type: 'tendermint/PubKeyEd25519', value: 'AAAA' }))).toBe(
    'key.value: expected 32 bytes of ed25519, got 3',
  );
  expect(refusal(() => readPublicKeyJson('key', { type: 'x', value: '' }))).toContain('tendermint/PubKeyEd25519');
  expect(refusal(() => readEvidenceJson('evidence', { type: 'tendermint/LightClientAttackEvidence' }))).toBe(
    'evidence.value: expected an object, got nothing',
  );
  expect(readJson(() => asInt64('n', '9223372036854775808'))).toEqual(
    err('n: expected a 64-bit integer, got "9223372036854775808"'),
  );
});
