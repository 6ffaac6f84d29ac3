import type {
  CheckTxResponse,
  Event,
  ExecTxResult,
  FinalizeBlockResponse,
  InfoResponse,
  QueryResponse,
} from '#core/abci.ts';
import { toHexUpper } from '#core/bytes.ts';
import type { MerkleProof } from '#core/merkle.ts';
import type { TxProof, TxRecord } from '../../backend.ts';
import { consensusParamsJson } from './params.ts';
import { asArray, asBase64, asBoolean, asInt32, asInt64, asObject, asString, base64, base64OrNull } from './reader.ts';
import { validatorUpdateJson } from './validator.ts';

export function eventJson(event: Event) {
  return {
    type: event.type,
    attributes: event.attributes.map(({ key, value, index }) => ({ key, value, index })),
  };
}

function readEventJson(title: string, value: unknown): Event {
  const object = asObject(title, value);
  return {
    type: asString(`${title}.type`, object.type),
    attributes: asArray(`${title}.attributes`, object.attributes).map((item, i) => {
      const name = `${title}.attributes[${i}]`;
      const attribute = asObject(name, item);
      return {
        key: asString(`${name}.key`, attribute.key),
        value: asString(`${name}.value`, attribute.value ?? ''),
        index: asBoolean(`${name}.index`, attribute.index ?? false),
      };
    }),
  };
}

/** An execution's or a check's result: both have this shape in CometBFT's JSON. */
export function txResultJson(result: ExecTxResult | CheckTxResponse) {
  return {
    code: result.code,
    data: base64OrNull(result.data),
    log: result.log,
    info: 'info' in result ? result.info : '',
    gas_wanted: String(result.gasWanted),
    gas_used: String(result.gasUsed),
    events: result.events.map(eventJson),
    codespace: result.codespace,
  };
}

/** @throws JsonError, RangeError */
export function readTxResultJson(title: string, value: unknown): ExecTxResult {
  const object = asObject(title, value);
  return {
    code: asInt32(`${title}.code`, object.code ?? 0),
    data: asBase64(`${title}.data`, object.data),
    log: asString(`${title}.log`, object.log ?? ''),
    info: asString(`${title}.info`, object.info ?? ''),
    gasWanted: asInt64(`${title}.gas_wanted`, object.gas_wanted ?? '0'),
    gasUsed: asInt64(`${title}.gas_used`, object.gas_used ?? '0'),
    events: asArray(`${title}.events`, object.events).map((event, i) => readEventJson(`${title}.events[${i}]`, event)),
    codespace: asString(`${title}.codespace`, object.codespace ?? ''),
  };
}

/** An empty list is null here, as a real node writes it. */
function listOrNull<T, U>(items: readonly T[], encode: (item: T) => U): U[] | null {
  return items.length === 0 ? null : items.map(encode);
}

export function blockResultsJson(height: bigint, results: FinalizeBlockResponse) {
  const params = results.consensusParamUpdates;
  return {
    height: String(height),
    txs_results: listOrNull(results.txResults, txResultJson),
    finalize_block_events: listOrNull(results.events, eventJson),
    validator_updates: listOrNull(results.validatorUpdates, validatorUpdateJson),
    consensus_param_updates: params === undefined ? null : consensusParamsJson(params),
    app_hash: base64OrNull(results.appHash),
  };
}

export function merkleProofJson(proof: MerkleProof) {
  return {
    total: String(proof.total),
    index: String(proof.index),
    leaf_hash: base64(proof.leafHash),
    aunts: proof.aunts.map(base64),
  };
}

/** @throws JsonError, RangeError */
export function readMerkleProofJson(title: string, value: unknown): MerkleProof {
  const object = asObject(title, value);
  return {
    total: asInt32(`${title}.total`, object.total),
    index: asInt32(`${title}.index`, object.index),
    leafHash: asBase64(`${title}.leaf_hash`, object.leaf_hash),
    aunts: asArray(`${title}.aunts`, object.aunts).map((aunt, i) => asBase64(`${title}.aunts[${i}]`, aunt)),
  };
}

export function txRecordJson(record: TxRecord, proof: TxProof | undefined) {
  return {
    hash: toHexUpper(record.hash),
    height: String(record.height),
    index: record.index,
    tx_result: txResultJson(record.result),
    tx: base64(record.tx),
    ...(proof && {
      proof: {
        root_hash: toHexUpper(proof.root),
        data: base64(record.tx),
        proof: merkleProofJson(proof.proof),
      },
    }),
  };
}

export function infoJson(info: InfoResponse) {
  return {
    data: info.data,
    version: info.version,
    app_version: String(info.appVersion),
    last_block_height: String(info.lastBlockHeight),
    last_block_app_hash: base64(info.lastBlockAppHash),
  };
}

export function queryResponseJson(response: QueryResponse) {
  const ops = response.proofOps.map(({ type, key, data }) => ({ type, key: base64(key), data: base64(data) }));
  return {
    code: response.code,
    log: response.log,
    info: response.info,
    index: String(response.index),
    key: base64OrNull(response.key),
    value: base64OrNull(response.value),
    proofOps: ops.length === 0 ? null : { ops },
    height: String(response.height),
    codespace: response.codespace,
  };
}
