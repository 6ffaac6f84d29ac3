/**
 * The CometBFT JSON-RPC of a light client. Each answer is verified; members that nothing proves are named under
 * `unverified`. What cannot be verified at all is refused, or, if the operator wants it, passed on with
 * `unverified: ["*"]`.
 */
import { equal, toBase64, toHex, toHexUpper } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { err, ok } from '#core/result.ts';
import { toHeight } from '#core/types/brand.ts';
import { headerHash } from '#core/types/header.ts';
import type { LightBlock } from '#core/types/light-block.ts';
import { formatTime } from '#core/types/timestamp.ts';
import type { Answer, TxProof, TxRecord } from '#rpc/backend.ts';
import { checkPage, readPaging } from '#rpc/comet/heights.ts';
import { blockRecordJson, signedHeaderJson } from '#rpc/comet/json/block.ts';
import { blockIdJson, headerJson } from '#rpc/comet/json/header.ts';
import { consensusParamsJson } from '#rpc/comet/json/params.ts';
import { asArray, asHex, asInt64, asObject, asString, base64 } from '#rpc/comet/json/reader.ts';
import { queryResponseJson, txRecordJson, txResultJson } from '#rpc/comet/json/results.ts';
import { validatorJson } from '#rpc/comet/json/validator.ts';
import { routes } from '#rpc/comet/json-rpc.ts';
import { boolean, bytes, hash, hexBytes, int64, json, optional, text } from '#rpc/comet/params.ts';
import { invalid, type Method, type Methods, mapAnswer, method } from '#rpc/comet/route.ts';
import { RPC_LIMITS } from '#rpc/limits.ts';
import type { LightAccess } from './access.ts';
import {
  checkTx,
  readTxAnswer,
  storeOfPath,
  verifiedBlock,
  verifiedParams,
  verifiedQuery,
  verifiedResults,
} from './verified.ts';

export interface LightMethodOptions {
  /** Pass on what cannot be verified, marked, instead of refusing it. */
  readonly passUnverified: boolean;
}

type Table = Readonly<Record<string, Method>>;

const height = optional(int64, undefined);
const page = optional(int64, undefined);
const per_page = optional(int64, undefined);

/** Of a transaction's result the next header commits to code, data and gas alone. */
const UNPROVEN_RESULT = ['log', 'info', 'events', 'codespace'] as const;

export function createLightMethods(access: LightAccess, options: LightMethodOptions): Methods {
  const own: Table = {
    ...headerMethods(access),
    ...blockMethods(access),
    ...txMethods(access),
    ...nodeMethods(access),
  };
  const query = queryMethods(access, options);
  const methods = new Map(Object.entries({ ...own, ...query }));
  for (const [name, { params }] of routes)
    if (!methods.has(name)) methods.set(name, unverifiable(access, options, name, Object.keys(params)));
  return methods;
}

/** A method whose answers nothing proves. */
function unverifiable(
  access: LightAccess,
  options: LightMethodOptions,
  name: string,
  names: readonly string[],
): Method {
  const params = Object.fromEntries(names.map((param) => [param, optional(json, undefined)]));
  return method(params, async (args) => {
    if (!options.passUnverified)
      return invalid(`the answers of ${name} cannot be verified: ask a full node, or start with --pass-unverified`);
    const given = Object.fromEntries(Object.entries(args).filter(([, value]) => value !== undefined));
    return mapAnswer(await access.ask(name, given), (answer) => marked(answer, ['*']));
  });
}

function marked(answer: unknown, unverified: readonly string[]): unknown {
  return typeof answer === 'object' && answer !== null && !Array.isArray(answer) ? { ...answer, unverified } : answer;
}

function headerMethods(access: LightAccess): Table {
  return {
    header: method({ height }, async (args) =>
      mapAnswer(await access.block(args.height), ({ header }) => ({ header: headerJson(header) })),
    ),
    commit: method({ height }, async (args) =>
      mapAnswer(await access.block(args.height), ({ header, commit }) =>
        // A verified commit need not be the one that the next block carries.
        signedHeaderJson({ header, commit, canonical: false }),
      ),
    ),
    validators: method({ height, page, per_page }, async (args) => {
      const light = await access.block(args.height);
      if (!light.ok) return light;
      const paging = readPaging(args.page, args.per_page);
      if (!paging.ok) return paging;
      const all = light.value.validators.validators;
      const inRange = checkPage(paging.value, all.length);
      if (!inRange.ok) return inRange;
      const first = (paging.value.page - 1) * paging.value.perPage;
      const shown = all.slice(first, first + paging.value.perPage);
      return ok({
        block_height: String(light.value.header.height),
        validators: shown.map(validatorJson),
        count: String(shown.length),
        total: String(all.length),
        unverified: ['validators[].proposer_priority'],
      });
    }),
    consensus_params: method({ height }, async (args) => {
      const light = await access.block(args.height);
      if (!light.ok) return light;
      const { header } = light.value;
      const params = await access.askChecked('consensus_params', { height: String(header.height) }, (answer) =>
        verifiedParams(header, answer),
      );
      return mapAnswer(params, (value) => ({
        block_height: String(header.height),
        consensus_params: consensusParamsJson(value),
        unverified: ['evidence', 'validator', 'version', 'abci'].map((section) => `consensus_params.${section}`),
      }));
    }),
  };
}

function blockMethods(access: LightAccess): Table {
  async function fullBlock(light: LightBlock) {
    const at = { height: String(light.header.height) };
    return access.askChecked('block', at, (answer) => verifiedBlock(light, answer));
  }
  async function byHash(wanted: Uint8Array): Promise<Answer<LightBlock>> {
    const claimed = await access.askChecked('header_by_hash', { hash: toBase64(wanted) }, (answer) => {
      const header = asObject('answer', answer).header;
      return header === null ? err('no such block') : ok(asInt64('height', asObject('header', header).height));
    });
    if (!claimed.ok) return claimed;
    const light = await access.block(claimed.value);
    if (!light.ok || equal(headerHash(light.value.header), wanted)) return light;
    return invalid(`the block of height ${claimed.value} has another hash than ${toHex(wanted)}`);
  }
  const record = async (light: Answer<LightBlock>) => {
    if (!light.ok) return light;
    const block = await fullBlock(light.value);
    return mapAnswer(block, (value) => ({
      ...blockRecordJson({ blockId: light.value.commit.blockId, block: value }),
      unverified: value.lastCommit.signatures.length === 0 ? [] : ['block.last_commit.round'],
    }));
  };
  return {
    block: method({ height }, async (args) => record(await access.block(args.height))),
    block_by_hash: method({ hash }, async (args) => record(await byHash(args.hash))),
    header_by_hash: method({ hash }, async (args) =>
      mapAnswer(await byHash(args.hash), ({ header }) => ({ header: headerJson(header) })),
    ),
    blockchain: method({ minHeight: optional(int64, 0n), maxHeight: optional(int64, 0n) }, async (args) => {
      const newest = await access.block(undefined);
      if (!newest.ok) return newest;
      const last = newest.value.header.height;
      const max = args.maxHeight <= 0n || args.maxHeight > last ? last : toHeight(args.maxHeight);
      const lowest = max - BigInt(RPC_LIMITS.maxBlockMetas) + 1n;
      const min = [args.minHeight, lowest, 1n].reduce((a, b) => (a > b ? a : b));
      if (min > max) return invalid(`min height ${min} can't be greater than max height ${max}`);
      const metas: unknown[] = [];
      for (let at: bigint = max; at >= min; at--) {
        const light = await access.block(at);
        if (!light.ok) return light;
        const { header, commit } = light.value;
        metas.push({
          block_id: blockIdJson(commit.blockId),
          block_size: '-1',
          header: headerJson(header),
          num_txs: '-1',
        });
      }
      const unverified = ['block_metas[].block_size', 'block_metas[].num_txs'];
      return ok({ last_height: String(last), block_metas: metas, unverified });
    }),
    block_results: method({ height }, async (args) => {
      const light = await access.block(args.height);
      if (!light.ok) return light;
      const proven = await provenResults(access, light.value.header.height);
      return mapAnswer(proven, ({ results, appHash }) => ({
        height: String(light.value.header.height),
        txs_results: results.length === 0 ? null : results.map(txResultJson),
        app_hash: base64(appHash),
        unverified: UNPROVEN_RESULT.map((name) => `txs_results[].${name}`),
      }));
    }),
  };
}

async function provenResults(access: LightAccess, at: bigint) {
  const next = await access.headerAbove(at);
  if (!next.ok) return next;
  const results = await access.askChecked('block_results', { height: String(at) }, (answer) =>
    verifiedResults(next.value, answer),
  );
  return mapAnswer(results, (value) => ({ results: value, appHash: next.value.appHash }));
}

function txMethods(access: LightAccess): Table {
  /** A transaction as a source claims it, proven by its block's header and the one above. */
  async function proven(answer: unknown, wanted: Uint8Array): Promise<Answer<{ record: TxRecord; proof: TxProof }>> {
    const claimed = readTxAnswer(answer);
    const light = await access.block(claimed.height);
    if (!light.ok) return light;
    const { header } = light.value;
    const checked = checkTx(header, claimed, wanted);
    if (!checked.ok) return invalid(`the transaction does not verify: ${checked.error}`);
    const results = await provenResults(access, claimed.height);
    if (!results.ok) return results;
    const result = results.value.results[claimed.index];
    if (result === undefined) return invalid(`there is no result ${claimed.index} in block ${claimed.height}`);
    const record = { hash: claimed.hash, height: header.height, index: claimed.index, tx: claimed.tx, result };
    return ok({ record, proof: { root: header.dataHash, proof: claimed.proof } });
  }
  async function find(wanted: Uint8Array) {
    const answer = await access.askChecked('tx', { hash: toBase64(wanted), prove: true }, (value) => {
      readTxAnswer(value);
      return ok(value);
    });
    return answer.ok ? proven(answer.value, wanted) : answer;
  }
  const unverified = UNPROVEN_RESULT.map((name) => `tx_result.${name}`);
  const broadcast = (name: string) =>
    method({ tx: bytes }, async ({ tx }) =>
      mapAnswer(await access.ask(name, { tx: toBase64(tx) }), (answer) => ({
        ...(marked(answer, ['code', 'codespace', 'log', 'data']) as object),
        hash: toHexUpper(sha256(tx)),
      })),
    );
  return {
    tx: method({ hash, prove: optional(boolean, false) }, async (args) =>
      mapAnswer(await find(args.hash), ({ record, proof }) => ({
        ...txRecordJson(record, args.prove ? proof : undefined),
        unverified,
      })),
    ),
    tx_search: method(
      { query: text, prove: optional(boolean, false), page, per_page, order_by: optional(text, '') },
      async ({ query, prove, order_by, ...paging }) => {
        const given = Object.entries(paging).flatMap(([name, value]) =>
          value === undefined ? [] : [[name, String(value)]],
        );
        const params = { query, prove: true, order_by, ...Object.fromEntries(given) };
        const found = await access.askChecked('tx_search', params, (answer) => {
          const object = asObject('answer', answer);
          const txs = asArray('txs', object.txs);
          for (const item of txs) readTxAnswer(item);
          return ok({ txs, total: asInt64('total_count', object.total_count) });
        });
        if (!found.ok) return found;
        const txs: unknown[] = [];
        for (const item of found.value.txs) {
          const one = await proven(item, asHex('hash', asObject('tx', item).hash));
          if (!one.ok) return one;
          txs.push(txRecordJson(one.value.record, prove ? one.value.proof : undefined));
        }
        // Each is in the chain; that they match the query, and are all, nothing proves.
        const unproven = ['total_count', 'txs', ...UNPROVEN_RESULT.map((name) => `txs[].tx_result.${name}`)];
        return ok({ txs, total_count: String(found.value.total), unverified: unproven });
      },
    ),
    broadcast_tx_sync: broadcast('broadcast_tx_sync'),
    broadcast_tx_async: broadcast('broadcast_tx_async'),
    broadcast_tx_commit: method({ tx: bytes }, async ({ tx }) => {
      const sent = await access.askChecked('broadcast_tx_commit', { tx: toBase64(tx) }, (answer) => {
        const object = asObject('answer', answer);
        return ok({ check: asObject('check_tx', object.check_tx), height: asInt64('height', object.height) });
      });
      if (!sent.ok) return sent;
      const common = { check_tx: sent.value.check, hash: toHexUpper(sha256(tx)) };
      // Height 0: refused by the check, and in no block.
      if (sent.value.height === 0n) return ok({ ...common, tx_result: {}, height: '0', unverified: ['*'] });
      return mapAnswer(await find(sha256(tx)), ({ record }) => ({
        ...common,
        tx_result: txResultJson(record.result),
        height: String(record.height),
        unverified: ['check_tx', ...unverified],
      }));
    }),
    broadcast_evidence: method({ evidence: json }, async (args) =>
      mapAnswer(await access.ask('broadcast_evidence', args), (answer) => marked(answer, ['*'])),
    ),
  };
}

function queryMethods(access: LightAccess, options: LightMethodOptions): Table {
  const names = Object.keys(routes.get('abci_query')?.params ?? {});
  const anyPath = unverifiable(access, options, 'abci_query', names);
  const params = {
    path: optional(text, ''),
    data: optional(hexBytes, new Uint8Array(0)),
    height: optional(int64, 0n),
    prove: optional(boolean, false),
  };
  return {
    abci_query: method(params, async (args, call) => {
      const store = storeOfPath(args.path);
      if (store === undefined) {
        const raw = { path: args.path, data: toHex(args.data), height: String(args.height), prove: args.prove };
        return anyPath.answer(raw, call);
      }
      let at = args.height;
      if (at === 0n) {
        // The newest state that a header commits to is that of the block below.
        const newest = await access.block(undefined);
        if (!newest.ok) return newest;
        at = newest.value.header.height - 1n;
      }
      if (at < 1n) return invalid(`height: expected 0 (the newest that is proven) or above, got ${args.height}`);
      const next = await access.headerAbove(at);
      if (!next.ok) return next;
      const query = { path: `/store/${store}/key`, data: toHex(args.data), height: String(at), prove: true };
      const answer = await access.askChecked('abci_query', query, (value) =>
        verifiedQuery(next.value, store, args.data, value),
      );
      return mapAnswer(answer, (response) => ({
        response: queryResponseJson(args.prove ? response : { ...response, proofOps: [] }),
      }));
    }),
  };
}

function nodeMethods(access: LightAccess): Table {
  return {
    health: method({}, async () => mapAnswer(await access.block(undefined), () => ({}))),
    status: method({}, async () => {
      const newest = await access.block(undefined);
      if (!newest.ok) return newest;
      const { header } = newest.value;
      const status = await access.askChecked('status', {}, (answer) => {
        const object = asObject('answer', answer);
        const node = asObject('node_info', object.node_info);
        const network = asString('node_info.network', node.network);
        return network === header.chainId
          ? ok({ ...object, sync: asObject('sync_info', object.sync_info) })
          : err(`node_info.network: expected ${header.chainId}, got ${network}`);
      });
      return mapAnswer(status, ({ sync, ...object }) => ({
        ...object,
        sync_info: {
          ...sync,
          latest_block_hash: toHexUpper(headerHash(header)),
          latest_app_hash: toHexUpper(header.appHash),
          latest_block_height: String(header.height),
          latest_block_time: formatTime(header.time),
        },
        unverified: ['node_info', 'validator_info', 'sync_info.earliest_*', 'sync_info.catching_up'],
      }));
    }),
  };
}
