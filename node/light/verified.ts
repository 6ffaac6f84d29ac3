/**
 * What a full node says, verified against headers that the light client believes. Answers are rebuilt from the verified
 * values, so that nothing else of the source's text gets through; what stays unproven is named.
 */
import { type ExecTxResult, lastResultsHash, type QueryResponse } from '#core/abci.ts';
import { equal, toHex, utf8 } from '#core/bytes.ts';
import { decode } from '#core/codec/proto-reader.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { decodeCommitmentProof } from '#core/ics23/codec.ts';
import { iavlSpec, tendermintSpec } from '#core/ics23/specs.ts';
import type { CommitmentProof } from '#core/ics23/types.ts';
import { existenceRoot, verifyMembership, verifyNonMembership } from '#core/ics23/verify.ts';
import { type MerkleProof, verifyMerkleProof } from '#core/merkle.ts';
import { err, ok, type Result } from '#core/result.ts';
import { type Block, encodeBlock, readBlock } from '#core/types/block.ts';
import { equalBlockId } from '#core/types/block-id.ts';
import { toHeight } from '#core/types/brand.ts';
import { type ConsensusParams, consensusParamsHash } from '#core/types/consensus-params.ts';
import { type Header, headerHash } from '#core/types/header.ts';
import type { LightBlock } from '#core/types/light-block.ts';
import { readBlockJson } from '#rpc/comet/json/block.ts';
import { readConsensusParamsJson } from '#rpc/comet/json/params.ts';
import { asArray, asBase64, asHex, asInt32, asInt64, asObject, asString } from '#rpc/comet/json/reader.ts';
import { readMerkleProofJson, readTxResultJson } from '#rpc/comet/json/results.ts';

type Checked<T> = Result<T, string>;

/**
 * The block is the one whose header is believed: its header, transactions, evidence and last commit. The hash of a commit
 * covers its signatures alone (CometBFT's `Commit.Hash`), and the header says of which block it is: nothing but the
 * signatures, which are not verified here, tells in which round. @throws JsonError, RangeError
 */
export function verifiedBlock(light: LightBlock, answer: unknown): Checked<Block> {
  const stated = readBlockJson('block', asObject('answer', answer).block);
  if (!equal(headerHash(stated.header), light.commit.blockId.hash))
    return err(`block.header: is not the header of height ${light.header.height}`);
  const { header, lastCommit } = stated;
  const isFirst = lastCommit.signatures.length === 0;
  if (lastCommit.height !== (isFirst ? 0n : header.height - 1n) || (isFirst && lastCommit.round !== 0))
    return err(`block.last_commit: is not the commit of the block before height ${header.height}`);
  if (!equalBlockId(lastCommit.blockId, header.lastBlockId))
    return err('block.last_commit.block_id: is not the last block of the header');
  return decode(() => readBlock('block', encodeBlock(stated)));
}

/** The results that the next header commits to: code, data and gas of each transaction. @throws JsonError, RangeError */
export function verifiedResults(next: Header, answer: unknown): Checked<readonly ExecTxResult[]> {
  const results = asArray('txs_results', asObject('answer', answer).txs_results).map((item, i) =>
    readTxResultJson(`txs_results[${i}]`, item),
  );
  return equal(lastResultsHash(results), next.lastResultsHash)
    ? ok(results)
    : err(`txs_results: are not those to which the header of height ${next.height} commits`);
}

export interface ProvenTx {
  readonly hash: Uint8Array;
  readonly height: bigint;
  readonly index: number;
  readonly tx: Uint8Array;
  readonly proof: MerkleProof;
}

/** What a transaction's answer claims; believed only after {@link checkTx}. @throws JsonError, RangeError */
export function readTxAnswer(answer: unknown): ProvenTx {
  const object = asObject('answer', answer);
  const proof = asObject('proof', object.proof);
  return {
    hash: asHex('hash', object.hash),
    height: toHeight(asInt64('height', object.height)),
    index: asInt32('index', object.index),
    tx: asBase64('tx', object.tx),
    proof: readMerkleProofJson('proof.proof', proof.proof),
  };
}

/** The transaction has this hash, and stands at its index in the block of the header. */
export function checkTx(header: Header, claimed: ProvenTx, hash: Uint8Array): Checked<true> {
  const found = sha256(claimed.tx);
  if (!equal(found, hash) || !equal(claimed.hash, hash))
    return err(`tx: expected the hash ${toHex(hash)}, got ${toHex(found)}`);
  if (claimed.proof.index !== claimed.index)
    return err(`index: ${claimed.index} is claimed, ${claimed.proof.index} is proven`);
  const proven = verifyMerkleProof(claimed.proof, header.dataHash, found);
  return proven.ok ? proven : err(`proof: ${proven.error}`);
}

/** `block.max_bytes` and `max_gas` alone are committed to. @throws JsonError, RangeError */
export function verifiedParams(header: Header, answer: unknown): Checked<ConsensusParams> {
  const params = readConsensusParamsJson('consensus_params', asObject('answer', answer).consensus_params);
  return equal(consensusParamsHash(params), header.consensusHash)
    ? ok(params)
    : err(`consensus_params: are not those of the header of height ${header.height}`);
}

/** `/store/<name>/key`: the only queries whose answers a proof can follow. */
export function storeOfPath(path: string): string | undefined {
  return /^\/?store\/([^/]+)\/key$/.exec(path)?.[1];
}

/**
 * The value, or the absence, of a key in one store under the application hash: an IAVL proof in the store, and a simple
 * Merkle proof of the store's root. @param next the header above the queried height. @throws JsonError, RangeError
 */
export function verifiedQuery(next: Header, store: string, key: Uint8Array, answer: unknown): Checked<QueryResponse> {
  const response = asObject('response', asObject('answer', answer).response);
  const code = asInt32('response.code', response.code ?? 0);
  if (code !== 0) return err(`the query was refused: ${asString('response.log', response.log ?? '')} (code ${code})`);
  const height = asInt64('response.height', response.height);
  if (height !== next.height - 1n) return err(`response.height: expected ${next.height - 1n}, got ${height}`);
  if (!equal(asBase64('response.key', response.key), key)) return err('response.key: is another');
  const value = asBase64('response.value', response.value);
  const ops = asArray('proofOps.ops', asObject('response.proofOps', response.proofOps).ops).map((item, i) => {
    const op = asObject(`ops[${i}]`, item);
    return {
      type: asString(`ops[${i}].type`, op.type),
      key: asBase64(`ops[${i}].key`, op.key),
      data: asBase64(`ops[${i}].data`, op.data),
    };
  });
  const [ofKey, ofStore] = ops;
  if (ops.length !== 2 || ofKey?.type !== 'ics23:iavl' || ofStore?.type !== 'ics23:simple')
    return err('proofOps: expected ics23:iavl and ics23:simple');
  const proven = proveInStore(ofKey.data, key, value);
  if (!proven.ok) return err(`proof of the key: ${proven.error}`);
  const storeProof = decodeCommitmentProof(ofStore.data);
  if (!storeProof.ok) return err(`proof of the store: ${storeProof.error}`);
  const inApp = verifyMembership(tendermintSpec, storeProof.value, next.appHash, utf8(store), proven.value);
  if (!inApp.ok) return err(`proof of the store: ${inApp.error}`);
  return ok({
    code: 0,
    codespace: '',
    log: '',
    info: '',
    index: 0n,
    key,
    value,
    proofOps: ops,
    height: toHeight(height),
  });
}

/** The root of the store in which the key has the value, or, when that is empty, is absent. */
function proveInStore(bytes: Uint8Array, key: Uint8Array, value: Uint8Array): Checked<Uint8Array> {
  const proof = decodeCommitmentProof(bytes);
  if (!proof.ok) return proof;
  const root = rootOf(proof.value);
  if (!root.ok) return root;
  if (proof.value.kind === 'nonexist' && value.length > 0)
    return err('it shows that the key is absent, but there is a value');
  const proven =
    proof.value.kind === 'exist'
      ? verifyMembership(iavlSpec, proof.value, root.value, key, value)
      : verifyNonMembership(iavlSpec, proof.value, root.value, key);
  return proven.ok ? root : proven;
}

function rootOf(proof: CommitmentProof): Checked<Uint8Array> {
  switch (proof.kind) {
    case 'exist':
      return existenceRoot(proof.exist);
    case 'nonexist': {
      const neighbour = proof.nonexist.left ?? proof.nonexist.right;
      return neighbour === undefined ? err('a non-existence proof needs a neighbour') : existenceRoot(neighbour);
    }
    case 'batch':
      return err('expected the proof of one key, got a batch');
  }
}
