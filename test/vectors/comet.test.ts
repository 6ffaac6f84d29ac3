import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex, toHexUpper } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { verifyMerkleProof } from '#core/merkle.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { ok } from '#core/result.ts';
import { encodeBlock, readBlock } from '#core/types/block.ts';
import { toHeight } from '#core/types/brand.ts';
import type { Backend } from '#rpc/backend.ts';
import { blockRecordJson, readBlockJson, signedHeaderJson } from '#rpc/comet/json/block.ts';
import { readCommitJson } from '#rpc/comet/json/commit.ts';
import { headerJson, readBlockIdJson, readHeaderJson } from '#rpc/comet/json/header.ts';
import { consensusParamsJson, readConsensusParamsJson } from '#rpc/comet/json/params.ts';
import { readMerkleProofJson, readTxResultJson, txRecordJson, txResultJson } from '#rpc/comet/json/results.ts';
import { publicKeyJson, readPublicKeyJson, readValidatorJson } from '#rpc/comet/json/validator.ts';
import { createJsonRpc, routes } from '#rpc/comet/json-rpc.ts';
import { readJsonParams } from '#rpc/comet/params.ts';
import { DEFAULT_SERVER_LIMITS } from '#rpc/limits.ts';
import { parseQuery } from '#rpc/query.ts';
import { vectorsPath } from './locate.ts';
import * as subject from './subject-comet.ts';

// biome-ignore lint/suspicious/noExplicitAny: recorded JSON, whose shape is what these tests are about
type Json = any;

const folder = vectorsPath('tendermint-light');
const cryptoFolder = vectorsPath('crypto');
const load = (root: string | undefined, ...path: string[]): Json =>
  JSON.parse(readFileSync(join(root ?? '', ...path), 'utf8'));
const answer = (name: string): Json => load(folder, 'rpc38', `${name}.json`).result;
const request = (name: string): Json => load(folder, 'rpc38-requests', `${name}.json`);

describe.skipIf(folder === undefined)("values of CometBFT's Go tests", () => {
  const golden: Json = folder === undefined ? {} : load(folder, 'golden.json');

  test('vote sign bytes', () => {
    expect(golden.voteSignBytes.length).toBeGreaterThan(0);
    for (const { chain_id, vote, want } of golden.voteSignBytes)
      expect(toHex(subject.canonicalVote(chain_id, vote))).toBe(want);
  });

  test('header hash', () => {
    for (const { header, want } of golden.headerHash) expect(subject.headerHash(header)).toBe(want);
    // The hash that tendermint-rs' own test expects of its file.
    expect(subject.headerHash(load(folder, 'header_with_known_hash.json'))).toBe(
      'F30A71F2409FB15AACAEDB6CC122DFA2525BEE9CAE521721B06BFDCA291B8D56',
    );
  });

  test('proposer sequence', () => {
    for (const { validators, want } of golden.proposerSequence)
      expect(subject.proposerSequence(validators, want.length)).toEqual(want);
  });

  test('priorities', () => {
    for (const { validators, times, want, proposer } of golden.incrementPriority) {
      const got = subject.incrementPriority(validators, times);
      expect(got.priorities).toEqual(want);
      if (proposer !== undefined) expect(got.proposer).toBe(proposer);
    }
  });
});

describe.skipIf(folder === undefined)('recordings of a real node', () => {
  const blockFiles = ['block_at_height_1', 'block_at_height_10', 'block_by_hash'];
  const recordedBlocks = (): Json[] => [
    ...blockFiles.map(answer),
    ...answer('block_search').blocks,
    ...answer('block_search_evidence').blocks,
  ];

  test('blocks survive JSON → core → JSON, and hash to their ids', () => {
    const blocks = recordedBlocks();
    expect(blocks.length).toBeGreaterThan(40);
    for (const recorded of blocks) {
      const block = readBlockJson('block', recorded.block);
      const blockId = readBlockIdJson('block_id', recorded.block_id);
      expect(blockRecordJson({ blockId, block })).toEqual(recorded);
      const { header } = recorded.block;
      expect(subject.headerHash(header)).toBe(recorded.block_id.hash);
      expect(subject.partSetHeader(encodeBlock(block))).toEqual(recorded.block_id.parts);
      expect(subject.commitHash(recorded.block.last_commit)).toBe(header.last_commit_hash);
      expect(subject.dataHash(recorded.block.data.txs)).toBe(header.data_hash);
      expect(subject.evidenceHash(recorded.block.evidence.evidence)).toBe(header.evidence_hash);
      expect(readBlock('block', encodeBlock(block))).toEqual(block);
    }
  });

  test('a commit: shape, and a signature under the validator of the genesis document', () => {
    const recorded = answer('commit_at_height_10');
    const header = readHeaderJson('header', recorded.signed_header.header);
    const commit = readCommitJson('commit', recorded.signed_header.commit);
    expect(signedHeaderJson({ header, commit, canonical: true })).toEqual(recorded);
    const [validator] = answer('genesis').genesis.validators;
    const key = readPublicKeyJson('pub_key', validator.pub_key);
    const signBytes = subject.voteSignBytes(header.chainId, recorded.signed_header.commit, 0);
    const signature = Buffer.from(recorded.signed_header.commit.signatures[0].signature, 'base64');
    expect(subject.verifyEd25519(key.bytes, signBytes, signature)).toBe(true);
    expect(subject.verifyEd25519(key.bytes, signBytes.slice(1), signature)).toBe(false);
  });

  test('the validator set and the parameters of the genesis document have the hashes of the header', () => {
    const { genesis } = answer('genesis');
    const { header } = answer('block_at_height_1').block;
    expect(subject.validatorSetHash(genesis.validators)).toBe(header.validators_hash);
    expect(subject.consensusParamsHash(genesis.consensus_params)).toBe(header.consensus_hash);
    const validator = readValidatorJson('validator', genesis.validators[0]);
    expect(publicKeyJson(validator.publicKey)).toEqual(genesis.validators[0].pub_key);
    expect(toHexUpper(validator.address)).toBe(genesis.validators[0].address);
  });

  test('consensus parameters', () => {
    const recorded = answer('consensus_params').consensus_params;
    expect(consensusParamsJson(readConsensusParamsJson('params', recorded))).toEqual(recorded);
  });

  test('transactions: results, events, and proofs that verify', () => {
    const { txs } = answer('tx_search_with_prove');
    expect(txs.length).toBeGreaterThan(0);
    for (const recorded of txs) {
      const tx = Buffer.from(recorded.tx, 'base64');
      const proof = readMerkleProofJson('proof', recorded.proof.proof);
      const root = fromHex(recorded.proof.root_hash);
      const record = {
        hash: sha256(tx),
        height: toHeight(BigInt(recorded.height)),
        index: recorded.index,
        tx,
        result: readTxResultJson('tx_result', recorded.tx_result),
      };
      expect(txRecordJson(record, { root, proof })).toEqual(recorded);
      expect(verifyMerkleProof(proof, root, sha256(tx))).toEqual(ok(true));
      expect(subject.dataHash([recorded.tx])).toBe(recorded.proof.root_hash);
    }
    const commit = answer('broadcast_tx_commit');
    expect(txResultJson(readTxResultJson('check_tx', commit.check_tx))).toEqual(commit.check_tx);
  });

  const streamed = ['subscribe', 'subscribe_newblock', 'subscribe_txs', 'subscribe_malformed'];
  const requestFiles = [
    'abci_info',
    'abci_query_with_existing_key',
    'abci_query_with_non_existent_key',
    'block_at_height_0',
    'block_at_height_1',
    'block_at_height_10',
    'block_by_hash',
    'block_results_at_height_10',
    'block_search',
    'blockchain_from_1_to_10',
    'broadcast_tx_async',
    'broadcast_tx_commit',
    'broadcast_tx_sync',
    'commit_at_height_10',
    'consensus_params',
    'consensus_state',
    'genesis',
    'net_info',
    'status',
    'tx_search_no_prove',
    'tx_search_with_prove',
  ];

  test.each(requestFiles)('the request %s is understood', (name) => {
    const { method, params } = request(name);
    expect(streamed).not.toContain(method);
    const route = routes.get(method);
    expect(route).toBeDefined();
    const args = readJsonParams(route?.params ?? {}, params);
    for (const key of Object.keys(params ?? {})) expect(args[key]).toBeDefined();
    if (typeof args.query === 'string') expect(parseQuery(args.query).ok).toBe(true);
  });

  test('a height of 0 is refused with the same error', async () => {
    const backend = { heights: () => ({ base: toHeight(1), latest: toHeight(9) }) } as Partial<Backend> as Backend;
    const rpc = createJsonRpc(DEFAULT_SERVER_LIMITS, { backend, logger: silentLogger });
    const { text } = await rpc.post(JSON.stringify(request('block_at_height_0')));
    expect(JSON.parse(text ?? '')).toEqual(load(folder, 'rpc38', 'block_at_height_0.json'));
  });

  test('a malformed query is refused with the same error', () => {
    const recorded = load(folder, 'rpc38', 'subscribe_malformed.json');
    expect(parseQuery(request('subscribe_malformed').params.query)).toEqual({ ok: false, error: recorded.error.data });
  });

  test('a header survives JSON → core → JSON', () => {
    const { header } = answer('commit_at_height_10').signed_header;
    expect(headerJson(readHeaderJson('header', header))).toEqual(header);
  });
});

describe.skipIf(cryptoFolder === undefined)('signatures', () => {
  test('ed25519: ZIP-215', () => {
    const vectors: Json[] = load(cryptoFolder, 'other', 'zip215.json');
    expect(vectors.length).toBeGreaterThan(100);
    for (const { vk_bytes, sig_bytes, valid_zip215 } of vectors)
      expect(
        subject.verifyEd25519(fromHex(vk_bytes), new TextEncoder().encode('Zcash'), fromHex(sig_bytes)),
        `${vk_bytes} ${sig_bytes}`,
      ).toBe(valid_zip215);
  });

  test('ed25519: Wycheproof', () => {
    const { testGroups } = load(cryptoFolder, 'wycheproof', 'ed25519_test.json');
    // R with y = 1 and the sign bit set: RFC 8032 cannot decode it, ZIP-215 admits it.
    const zip215Only = [151];
    let count = 0;
    for (const group of testGroups)
      for (const { msg, sig, result, tcId } of group.tests) {
        const verdict = subject.verifyEd25519(fromHex(group.publicKey.pk), fromHex(msg), fromHex(sig));
        expect(verdict, `tcId ${tcId}`).toBe(result === 'valid' || zip215Only.includes(tcId));
        count++;
      }
    expect(count).toBeGreaterThan(100);
  });

  test('secp256k1: Wycheproof, compact signatures; a high S is refused whatever the vectors say', () => {
    const { testGroups } = load(cryptoFolder, 'wycheproof', 'ecdsa_secp256k1_sha256_p1363_test.json');
    const half = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n;
    let valid = 0;
    let invalid = 0;
    for (const group of testGroups)
      for (const { msg, sig, result, tcId } of group.tests) {
        const bytes = fromHex(sig);
        const highS = bytes.length === 64 && BigInt(`0x${toHex(bytes.slice(32))}`) > half;
        const verdict = subject.verifySecp256k1(compressed(group.publicKey.uncompressed), fromHex(msg), bytes);
        expect(verdict, `tcId ${tcId}`).toBe(result === 'valid' && !highS);
        if (verdict) valid++;
        else invalid++;
      }
    expect(valid).toBeGreaterThan(20);
    expect(invalid).toBeGreaterThan(20);
  });

  test('secp256k1: Wycheproof, Bitcoin rules, the well-formed signatures in compact form', () => {
    const { testGroups } = load(cryptoFolder, 'wycheproof', 'ecdsa_secp256k1_sha256_bitcoin_test.json');
    let valid = 0;
    let highS = 0;
    for (const group of testGroups)
      for (const { msg, sig, result, tcId, flags } of group.tests) {
        const compact = compactFromDer(fromHex(sig));
        if (compact === undefined) continue;
        const verdict = subject.verifySecp256k1(compressed(group.publicKey.uncompressed), fromHex(msg), compact);
        expect(verdict, `tcId ${tcId}`).toBe(result === 'valid');
        if (verdict) valid++;
        if (flags.includes('SignatureMalleabilityBitcoin')) highS++;
      }
    expect(valid).toBeGreaterThan(20);
    expect(highS).toBeGreaterThan(0);
  });
});

/** SEC 1 compression of an uncompressed point. */
function compressed(uncompressedHex: string): Uint8Array {
  const point = fromHex(uncompressedHex);
  const odd = (point[64] ?? 0) & 1;
  return Uint8Array.of(2 + odd, ...point.slice(1, 33));
}

/** r ‖ s of a strict DER signature, or undefined when it is none (which the compact form cannot express). */
function compactFromDer(der: Uint8Array): Uint8Array | undefined {
  const integer = (at: number): { value: Uint8Array; next: number } | undefined => {
    const length = der[at + 1] ?? 0;
    const value = der.slice(at + 2, at + 2 + length);
    const first = value[0] ?? 0xff;
    const minimal = first < 0x80 && !(length > 1 && first === 0 && (value[1] ?? 0) < 0x80);
    if (der[at] !== 2 || length === 0 || length > 33 || value.length !== length || !minimal) return undefined;
    const bare = first === 0 ? value.slice(1) : value;
    return bare.length > 32 ? undefined : { value: bare, next: at + 2 + length };
  };
  if (der[0] !== 0x30 || der[1] !== der.length - 2) return undefined;
  const r = integer(2);
  const s = r && integer(r.next);
  if (r === undefined || s === undefined || s.next !== der.length) return undefined;
  const out = new Uint8Array(64);
  out.set(r.value, 32 - r.value.length);
  out.set(s.value, 64 - s.value.length);
  return out;
}
