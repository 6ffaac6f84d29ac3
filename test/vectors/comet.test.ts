import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ExecTxResult } from '#core/abci.ts';
import { fromHex, toHex, toHexUpper } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { verifyMerkleProof } from '#core/merkle.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { ok } from '#core/result.ts';
import { encodeBlock, readBlock } from '#core/types/block.ts';
import { toHeight } from '#core/types/brand.ts';
import { parseTime } from '#core/types/timestamp.ts';
import { createValidatorSet } from '#core/types/validator-set.ts';
import type { Backend, CommittedBlock } from '#rpc/backend.ts';
import { blockRecordJson, readBlockJson, signedHeaderJson } from '#rpc/comet/json/block.ts';
import { readCommitJson } from '#rpc/comet/json/commit.ts';
import { headerJson, readBlockIdJson, readHeaderJson } from '#rpc/comet/json/header.ts';
import { consensusParamsJson, readConsensusParamsJson } from '#rpc/comet/json/params.ts';
import { readMerkleProofJson, readTxResultJson, txRecordJson, txResultJson } from '#rpc/comet/json/results.ts';
import { publicKeyJson, readPublicKeyJson, readValidatorJson } from '#rpc/comet/json/validator.ts';
import { createJsonRpc, routes } from '#rpc/comet/json-rpc.ts';
import { readJsonParams } from '#rpc/comet/params.ts';
import { createSubscriptions } from '#rpc/comet/subscriptions.ts';
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

  /** Asks the JSON-RPC for a recorded request, over a backend that knows what the recorded node knew. */
  async function replay(name: string, backend: Partial<Backend>): Promise<Json> {
    const rpc = createJsonRpc(DEFAULT_SERVER_LIMITS, { backend: backend as Backend, logger: silentLogger });
    const { text } = await rpc.post(JSON.stringify(request(name)));
    return JSON.parse(text ?? 'null');
  }
  const recorded = (name: string): Json => load(folder, 'rpc38', `${name}.json`);
  /** What one recorded file says of the request's id, another says of the answer's. */
  const withoutId = ({ id: _id, ...rest }: Json): Json => rest;
  const heights = () => ({ base: toHeight(1), latest: toHeight(1_000) });
  const recordedKey = () => readPublicKeyJson('pub_key', answer('genesis').genesis.validators[0].pub_key);

  test('status', async () => {
    const want = recorded('status');
    const { node_info, sync_info, validator_info } = want.result;
    const summary = (which: string) => ({
      height: toHeight(BigInt(sync_info[`${which}_block_height`])),
      hash: fromHex(sync_info[`${which}_block_hash`]),
      appHash: fromHex(sync_info[`${which}_app_hash`]),
      time: parseTime(sync_info[`${which}_block_time`]),
    });
    const got = await replay('status', {
      status: () => ({
        node: {
          id: node_info.id,
          moniker: node_info.moniker,
          chainId: node_info.network,
          listenAddress: node_info.listen_addr,
          rpcAddress: node_info.other.rpc_address,
          appVersion: 1n,
          txIndex: true,
        },
        latest: summary('latest'),
        earliest: summary('earliest'),
        catchingUp: false,
        validator: { publicKey: recordedKey(), power: BigInt(validator_info.voting_power) },
      }),
    });
    expect(got.result.node_info.version).toMatch(/^0\.38\./);
    // Of this node's own: its release, and that it speaks none of CometBFT's peer channels.
    Object.assign(got.result.node_info, { version: node_info.version, channels: node_info.channels });
    expect(withoutId(got)).toEqual(withoutId(want));
  });

  test('abci_info, abci_query, net_info, genesis, block_results, consensus_params', async () => {
    const query = (name: string) => {
      const { response } = answer(name);
      return async () =>
        ok({
          code: response.code,
          codespace: response.codespace,
          log: response.log,
          info: response.info,
          index: BigInt(response.index),
          key: Buffer.from(response.key, 'base64'),
          value: Buffer.from(response.value ?? '', 'base64'),
          proofOps: [],
          height: BigInt(response.height),
        });
    };
    const info = answer('abci_info').response;
    const cases: [string, Partial<Backend>][] = [
      [
        'abci_info',
        {
          appInfo: () => ({
            data: info.data,
            version: info.version,
            appVersion: BigInt(info.app_version),
            lastBlockHeight: toHeight(BigInt(info.last_block_height)),
            lastBlockAppHash: Buffer.from(info.last_block_app_hash, 'base64'),
          }),
        },
      ],
      ['abci_query_with_existing_key', { query: query('abci_query_with_existing_key') }],
      ['abci_query_with_non_existent_key', { query: query('abci_query_with_non_existent_key') }],
      ['net_info', { netInfo: () => ({ listening: true, listeners: ['Listener(@)'], peers: [] }) }],
      ['genesis', { genesis: () => Buffer.from(JSON.stringify(answer('genesis').genesis)) }],
      [
        'block_results_at_height_10',
        {
          heights,
          results: () =>
            ok({
              events: [],
              txResults: [],
              validatorUpdates: [],
              consensusParamUpdates: undefined,
              appHash: new Uint8Array(0),
            }),
        },
      ],
      [
        'consensus_params',
        {
          heights,
          consensusParams: () => ok(readConsensusParamsJson('params', answer('consensus_params').consensus_params)),
        },
      ],
    ];
    for (const [name, backend] of cases)
      expect(withoutId(await replay(name, backend)), name).toEqual(withoutId(recorded(name)));
  });

  test('consensus_state', async () => {
    const want = recorded('consensus_state');
    const set = createValidatorSet([{ publicKey: recordedKey(), power: 10n }]);
    if (!set.ok) throw new Error(set.error);
    const none = new Uint8Array(0);
    const got = await replay('consensus_state', {
      consensusState: () =>
        ok({
          height: toHeight(221),
          round: 0,
          step: 1,
          startTime: parseTime(want.result.round_state.start_time),
          proposalBlockHash: none,
          lockedBlockHash: none,
          validBlockHash: none,
          validators: set.value,
          votes: [{ round: 0, prevotes: [undefined], precommits: [undefined] }],
        }),
    });
    expect(withoutId(got)).toEqual(withoutId(want));
  });

  test('blockchain, commit, block_search and block_by_hash', async () => {
    const metas: Json[] = answer('blockchain_from_1_to_10').block_metas;
    const backend: Partial<Backend> = {
      heights: () => ({ base: toHeight(1), latest: toHeight(BigInt(answer('blockchain_from_1_to_10').last_height)) }),
      blockMeta(height) {
        const meta = metas.find((one) => one.header.height === String(height));
        return ok({
          blockId: readBlockIdJson('block_id', meta.block_id),
          blockBytes: Number(meta.block_size),
          header: readHeaderJson('header', meta.header),
          txCount: Number(meta.num_txs),
        });
      },
    };
    expect(withoutId(await replay('blockchain_from_1_to_10', backend))).toEqual(
      withoutId(recorded('blockchain_from_1_to_10')),
    );
    const record = (one: Json) => ({
      blockId: readBlockIdJson('block_id', one.block_id),
      block: readBlockJson('block', one.block),
    });
    const { blocks, total_count } = answer('block_search');
    const found = await replay('block_search', {
      searchBlocks: async () => ok({ total: Number(total_count), items: blocks.map(record) }),
    });
    expect(withoutId(found)).toEqual(withoutId(recorded('block_search')));
    const byHash = await replay('block_by_hash', { blockByHash: () => ok(record(answer('block_by_hash'))) });
    expect(withoutId(byHash)).toEqual(withoutId(recorded('block_by_hash')));
  });

  test('broadcast_tx_sync, broadcast_tx_async', async () => {
    const broadcastTx: Backend['broadcastTx'] = async () =>
      ok({
        code: 0,
        codespace: '',
        log: '',
        data: new Uint8Array(0),
        gasWanted: 1n,
        gasUsed: 0n,
        events: [],
        priority: 0n,
        sender: '',
        sequence: 0n,
      });
    for (const name of ['broadcast_tx_sync', 'broadcast_tx_async'])
      expect(withoutId(await replay(name, { broadcastTx }))).toEqual(withoutId(recorded(name)));
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

  /** What a subscriber with the recorded request is told of a block. */
  async function toldOf(committed: CommittedBlock, query: string, id: string): Promise<Json> {
    let commit: ((committed: CommittedBlock) => void) | undefined;
    const backend = {
      onCommitted(listener: (committed: CommittedBlock) => void) {
        commit = listener;
        return () => {};
      },
      onConsensus: () => () => {},
      isInjection: () => false,
    } as Partial<Backend> as Backend;
    const subscriptions = createSubscriptions(DEFAULT_SERVER_LIMITS, { backend, logger: silentLogger });
    const told = new Promise<string>((resolve, reject) => {
      const client = subscriptions.client({ event: resolve, cancelled: (_, reason) => reject(new Error(reason)) });
      expect(client.subscribe(id, query)).toEqual(ok(answer('subscribe_txs')));
      client.acknowledged();
    });
    commit?.(committed);
    const event = JSON.parse(await told);
    subscriptions.close();
    return event;
  }

  const resultsOf = (txResults: readonly ExecTxResult[], appHash: Uint8Array) => ({
    events: [],
    txResults,
    validatorUpdates: [],
    consensusParamUpdates: undefined,
    appHash,
  });

  test.each([0, 1, 2, 3, 4])('event %i of a subscription to blocks', async (i) => {
    const want = recorded(`subscribe_newblock_${i}`);
    const { block, block_id, result_finalize_block } = want.result.data.value;
    const committed = {
      block: readBlockJson('block', block),
      blockId: readBlockIdJson('block_id', block_id),
      results: resultsOf([], Buffer.from(result_finalize_block.app_hash, 'base64')),
    };
    expect(await toldOf(committed, request('subscribe_newblock').params.query, want.id)).toEqual(want);
  });

  test.each([0, 1, 2, 3, 4])('event %i of a subscription to transactions', async (i) => {
    const want = recorded(`subscribe_txs_${i}`);
    const { height, tx, result } = want.result.data.value.TxResult;
    const { block, block_id } = answer('block_at_height_10');
    const one = readBlockJson('block', block);
    const committed = {
      block: {
        ...one,
        header: { ...one.header, height: toHeight(BigInt(height)) },
        txs: [Buffer.from(tx, 'base64')],
      },
      blockId: readBlockIdJson('block_id', block_id),
      results: resultsOf([readTxResultJson('result', result)], new Uint8Array(0)),
    };
    expect(await toldOf(committed, request('subscribe_txs').params.query, want.id)).toEqual(want);
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
