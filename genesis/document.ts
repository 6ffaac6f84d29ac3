/**
 * The genesis document in CometBFT's JSON (types/genesis.go, v0.38): chain id, first time and height, consensus parameters,
 * validators, and `app_state`, of which each module owns one key.
 */
import type { InitChainRequest } from '#core/abci.ts';
import { EMPTY, equal, fromBase64, fromHex, toBase64, toHexUpper, utf8 } from '#core/bytes.ts';
import { consensusAddress, type PublicKey } from '#core/crypto/pubkey.ts';
import { MAX_INT64 } from '#core/int.ts';
import { LIMITS } from '#core/limits.ts';
import { err, ok, type Result } from '#core/result.ts';
import { type Height, toHeight } from '#core/types/brand.ts';
import {
  type ConsensusParams,
  DEFAULT_CONSENSUS_PARAMS,
  validateConsensusParams,
} from '#core/types/consensus-params.ts';
import { formatTime, parseTime, type Timestamp } from '#core/types/timestamp.ts';
import { createValidatorSet } from '#core/types/validator-set.ts';
import {
  asArray,
  asArrayOrEmpty,
  asInteger,
  asObject,
  asString,
  isAbsent,
  isObject,
  JsonError,
  type JsonField,
  readJson,
  root,
} from '#runtime/json.ts';
import type { Json } from '#runtime/module.ts';
import { GENESIS_LIMITS } from './limits.ts';

export interface GenesisValidator {
  readonly publicKey: PublicKey;
  readonly power: bigint;
  readonly name: string;
}

export interface GenesisDocument {
  readonly genesisTime: Timestamp;
  readonly chainId: string;
  readonly initialHeight: Height;
  readonly consensusParams: ConsensusParams;
  readonly validators: readonly GenesisValidator[];
  /** Empty, except on a chain that continues another one's state. */
  readonly appHash: Uint8Array;
  /** One key a module. */
  readonly appState: { readonly [module: string]: Json };
}

const KEY_TYPES = { ed25519: 'tendermint/PubKeyEd25519', secp256k1: 'tendermint/PubKeySecp256k1' } as const;
const KEY_BYTES = { ed25519: 32, secp256k1: 33 } as const;

/** Reads and validates the JSON text of a genesis document. A failure names the field and shows what was there. */
export function parseGenesis(text: string): Result<GenesisDocument, string> {
  if (text.length > GENESIS_LIMITS.maxDocumentBytes)
    return err(`genesis: ${text.length} characters exceed the limit of ${GENESIS_LIMITS.maxDocumentBytes}`);
  let json: Json;
  try {
    json = JSON.parse(text) as Json;
  } catch (error) {
    return err(`genesis: expected JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const read = readJson(() => readDocument(root(json, 'genesis')));
  return read.ok ? validateGenesis(read.value) : read;
}

function readDocument(field: JsonField): GenesisDocument {
  const fields = asObject(field, [
    'genesis_time',
    'chain_id',
    'initial_height',
    'consensus_params',
    'validators',
    'app_hash',
    'app_state',
  ]);
  const appState = fields.app_state.value;
  if (!isObject(appState)) throw new JsonError(`${fields.app_state.path}: expected an object with one key a module`);
  return {
    genesisTime: caught(fields.genesis_time, parseTime),
    chainId: asString(fields.chain_id),
    initialHeight: toHeight(
      isAbsent(fields.initial_height) ? 1n : asInteger(fields.initial_height, 0n, MAX_INT64) || 1n,
    ),
    consensusParams: isAbsent(fields.consensus_params) ? DEFAULT_CONSENSUS_PARAMS : readParams(fields.consensus_params),
    validators: asArrayOrEmpty(fields.validators).map(readValidator),
    appHash: isAbsent(fields.app_hash) ? EMPTY : caught(fields.app_hash, fromHex),
    appState,
  };
}

/** Reads text with a parser that throws RangeErrors. */
function caught<T>(field: JsonField, parse: (text: string, title: string) => T): T {
  const text = asString(field);
  try {
    return parse(text, field.path);
  } catch (error) {
    if (error instanceof RangeError) throw new JsonError(error.message);
    throw error;
  }
}

function readParams(field: JsonField): ConsensusParams {
  const fields = asObject(field, ['block', 'evidence', 'validator', 'version', 'abci']);
  const block = asObject(fields.block, ['max_bytes', 'max_gas']);
  const evidence = asObject(fields.evidence, ['max_age_num_blocks', 'max_age_duration', 'max_bytes']);
  const validator = asObject(fields.validator, ['pub_key_types']);
  const version = isAbsent(fields.version) ? undefined : asObject(fields.version, ['app']);
  const abci = isAbsent(fields.abci) ? undefined : asObject(fields.abci, ['vote_extensions_enable_height']);
  return {
    block: { maxBytes: asInteger(block.max_bytes, -1n, MAX_INT64), maxGas: asInteger(block.max_gas, -1n, MAX_INT64) },
    evidence: {
      maxAgeNumBlocks: asInteger(evidence.max_age_num_blocks, 1n, MAX_INT64),
      maxAgeNanos: asInteger(evidence.max_age_duration, 1n, MAX_INT64),
      maxBytes: asInteger(evidence.max_bytes, 0n, MAX_INT64),
    },
    validator: { pubKeyTypes: asArray(validator.pub_key_types).map(asString) },
    version: { app: version === undefined || isAbsent(version.app) ? 0n : asInteger(version.app, 0n, MAX_INT64) },
    abci: {
      voteExtensionsEnableHeight:
        abci === undefined || isAbsent(abci.vote_extensions_enable_height)
          ? 0n
          : asInteger(abci.vote_extensions_enable_height, 0n, MAX_INT64),
    },
  };
}

function readValidator(field: JsonField): GenesisValidator {
  const fields = asObject(field, ['address', 'pub_key', 'power', 'name']);
  const publicKey = readKey(fields.pub_key);
  if (!isAbsent(fields.address)) {
    const address = caught(fields.address, fromHex);
    const expected = consensusAddress(publicKey);
    if (address.length > 0 && !equal(address, expected))
      throw new JsonError(`${fields.address.path}: expected ${toHexUpper(expected)}, the address of pub_key`);
  }
  const name = isAbsent(fields.name) ? '' : asString(fields.name);
  if (name.length > GENESIS_LIMITS.maxNameCharacters)
    throw new JsonError(`${fields.name.path}: longer than ${GENESIS_LIMITS.maxNameCharacters} characters`);
  return { publicKey, power: asInteger(fields.power, 1n, LIMITS.maxTotalVotingPower), name };
}

function readKey(field: JsonField): PublicKey {
  const fields = asObject(field, ['type', 'value']);
  const name = asString(fields.type);
  const type = name === KEY_TYPES.ed25519 ? 'ed25519' : name === KEY_TYPES.secp256k1 ? 'secp256k1' : undefined;
  if (type === undefined)
    throw new JsonError(`${fields.type.path}: expected ${Object.values(KEY_TYPES).join(' or ')}, got ${name}`);
  const bytes = caught(fields.value, fromBase64);
  if (bytes.length !== KEY_BYTES[type])
    throw new JsonError(`${fields.value.path}: expected ${KEY_BYTES[type]} bytes, got ${bytes.length}`);
  return { type, bytes };
}

const CHAIN_ID = /^[A-Za-z0-9._:-]+$/;

/** CometBFT's ValidateAndComplete. `app_state` is the application's to judge ({@link checkAppState} in `app-state.ts`). */
export function validateGenesis(document: GenesisDocument): Result<GenesisDocument, string> {
  const { chainId, consensusParams, validators, initialHeight } = document;
  if (!CHAIN_ID.test(chainId) || utf8(chainId).length > LIMITS.maxChainIdBytes)
    return err(
      `genesis.chain_id: expected 1 … ${LIMITS.maxChainIdBytes} of A-Z a-z 0-9 . _ : -, got ${JSON.stringify(chainId)}`,
    );
  const params = validateConsensusParams(consensusParams);
  if (!params.ok) return err(`genesis.consensus_params.${params.error}`);
  const enable = consensusParams.abci.voteExtensionsEnableHeight;
  if (enable > 0n && enable < initialHeight)
    return err(`genesis.consensus_params.abci.vote_extensions_enable_height: ${enable} is before the first block`);
  if (validators.length === 0) return err('genesis.validators: expected at least one');
  if (validators.length > GENESIS_LIMITS.maxValidators)
    return err(`genesis.validators: ${validators.length} exceed the limit of ${GENESIS_LIMITS.maxValidators}`);
  for (const [i, { publicKey }] of validators.entries())
    if (!consensusParams.validator.pubKeyTypes.includes(publicKey.type))
      return err(`genesis.validators[${i}].pub_key: ${publicKey.type} is not among validator.pub_key_types`);
  const set = createValidatorSet(validators);
  return set.ok ? ok(document) : err(`genesis.validators: ${set.error}`);
}

/** The JSON text, two spaces a level, ending in a newline: what `parseGenesis` reads. */
export function formatGenesis(document: GenesisDocument): string {
  const { consensusParams: params } = document;
  const json = {
    genesis_time: formatTime(document.genesisTime),
    chain_id: document.chainId,
    initial_height: String(document.initialHeight),
    consensus_params: {
      block: { max_bytes: String(params.block.maxBytes), max_gas: String(params.block.maxGas) },
      evidence: {
        max_age_num_blocks: String(params.evidence.maxAgeNumBlocks),
        max_age_duration: String(params.evidence.maxAgeNanos),
        max_bytes: String(params.evidence.maxBytes),
      },
      validator: { pub_key_types: params.validator.pubKeyTypes },
      version: { app: String(params.version.app) },
      abci: { vote_extensions_enable_height: String(params.abci.voteExtensionsEnableHeight) },
    },
    validators: document.validators.map(({ publicKey, power, name }) => ({
      address: toHexUpper(consensusAddress(publicKey)),
      pub_key: { type: KEY_TYPES[publicKey.type], value: toBase64(publicKey.bytes) },
      power: String(power),
      name,
    })),
    app_hash: toHexUpper(document.appHash),
    app_state: document.appState,
  };
  return `${JSON.stringify(json, undefined, 2)}\n`;
}

/** What the application is started with. */
export function toInitChain(document: GenesisDocument): InitChainRequest {
  return {
    time: document.genesisTime,
    chainId: document.chainId,
    consensusParams: document.consensusParams,
    validators: document.validators.map(({ publicKey, power }) => ({ publicKey, power })),
    appStateBytes: utf8(JSON.stringify(document.appState)),
    initialHeight: document.initialHeight,
  };
}
