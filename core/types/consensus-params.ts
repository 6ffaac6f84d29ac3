import { ProtoWriter } from '../codec/proto-writer.ts';
import { sha256 } from '../crypto/hash.ts';
import { LIMITS } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';

/** tendermint.types.ConsensusParams of v0.38. */
export interface ConsensusParams {
  /** `maxBytes` −1: up to the protocol's limit; `maxGas` −1: unlimited. */
  readonly block: { readonly maxBytes: bigint; readonly maxGas: bigint };
  readonly evidence: { readonly maxAgeNumBlocks: bigint; readonly maxAgeNanos: bigint; readonly maxBytes: bigint };
  readonly validator: { readonly pubKeyTypes: readonly string[] };
  readonly version: { readonly app: bigint };
  /** First height whose precommits carry extensions; 0: never. */
  readonly abci: { readonly voteExtensionsEnableHeight: bigint };
}

/** An update leaves out the sections that stay as they are. */
export type ConsensusParamsUpdate = Partial<ConsensusParams>;

export const DEFAULT_CONSENSUS_PARAMS: ConsensusParams = {
  block: { maxBytes: 4_194_304n, maxGas: -1n },
  evidence: { maxAgeNumBlocks: 100_000n, maxAgeNanos: 172_800_000_000_000n, maxBytes: 1_048_576n },
  validator: { pubKeyTypes: ['ed25519'] },
  version: { app: 0n },
  abci: { voteExtensionsEnableHeight: 0n },
};

/** Every block asks for the same. */
const hashes = new WeakMap<ConsensusParams, Uint8Array>();

/** `consensus_hash`: covers max_bytes and max_gas only (types/params.go HashConsensusParams). */
export function consensusParamsHash(params: ConsensusParams): Uint8Array {
  const known = hashes.get(params);
  if (known !== undefined) return known;
  const hash = sha256(new ProtoWriter().varint(1, params.block.maxBytes).varint(2, params.block.maxGas).finish());
  hashes.set(params, hash);
  return hash;
}

export function extensionsEnabled(params: ConsensusParams, height: bigint): boolean {
  const from = params.abci.voteExtensionsEnableHeight;
  return from > 0n && height >= from;
}

/** Most bytes of an encoded block under these parameters. */
export function maxBlockBytes(params: ConsensusParams): number {
  return params.block.maxBytes === -1n ? LIMITS.maxBlockBytes : Number(params.block.maxBytes);
}

export function applyParamsUpdate(params: ConsensusParams, update: ConsensusParamsUpdate): ConsensusParams {
  return { ...params, ...update };
}

/** CometBFT types/params.go ValidateBasic. */
export function validateConsensusParams(params: ConsensusParams): Result<ConsensusParams, string> {
  const { block, evidence, validator, abci } = params;
  if (block.maxBytes === 0n || block.maxBytes < -1n || block.maxBytes > BigInt(LIMITS.maxBlockBytes))
    return err(`block.max_bytes: expected −1 or 1 … ${LIMITS.maxBlockBytes}, got ${block.maxBytes}`);
  if (block.maxGas < -1n) return err(`block.max_gas: expected ≥ −1, got ${block.maxGas}`);
  if (evidence.maxAgeNumBlocks <= 0n)
    return err(`evidence.max_age_num_blocks: expected > 0, got ${evidence.maxAgeNumBlocks}`);
  if (evidence.maxAgeNanos <= 0n) return err(`evidence.max_age_duration: expected > 0, got ${evidence.maxAgeNanos}`);
  const blockLimit = block.maxBytes === -1n ? BigInt(LIMITS.maxBlockBytes) : block.maxBytes;
  if (evidence.maxBytes < 0n || evidence.maxBytes > blockLimit)
    return err(`evidence.max_bytes: expected 0 … ${blockLimit}, got ${evidence.maxBytes}`);
  if (abci.voteExtensionsEnableHeight < 0n)
    return err(`abci.vote_extensions_enable_height: expected ≥ 0, got ${abci.voteExtensionsEnableHeight}`);
  if (validator.pubKeyTypes.length === 0) return err('validator.pub_key_types: expected at least one');
  for (const type of validator.pubKeyTypes)
    if (type !== 'ed25519' && type !== 'secp256k1')
      return err(`validator.pub_key_types: ${JSON.stringify(type)} is unknown`);
  return ok(params);
}
