/** ABCI queries: a module's query by its gRPC path, simulation, and raw store keys with proofs. */
import type { ProofOp, QueryRequest, QueryResponse } from '#core/abci.ts';
import { EMPTY, utf8 } from '#core/bytes.ts';
import type { Logger } from '#core/ports/logger.ts';
import { type Failure, ok, type Result } from '#core/result.ts';
import type { ChainParams } from './context.ts';
import { failSdk } from './errors.ts';
import { guarded } from './guard.ts';
import { RUNTIME_LIMITS } from './limits.ts';
import type { ModuleTable } from './module-table.ts';
import { gasMeter, meteredView } from './state/gas.ts';
import type { StateStore } from './state/state-store.ts';
import { SIMULATE_PATH } from './tx/service.ts';

export interface QueryEnvironment {
  readonly table: ModuleTable;
  readonly store: StateStore;
  readonly chain: ChainParams | undefined;
  readonly logger: Logger;
  /** Answers a SimulateRequest. */
  simulate(request: Uint8Array): Result<Uint8Array>;
}

interface Answer {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly proofOps: readonly ProofOp[];
}

/** Never throws for any request; errors are in the response, with the Cosmos SDK's codes. */
export function runQuery(environment: QueryEnvironment, request: QueryRequest): QueryResponse {
  const latest = environment.store.lastCommit?.version ?? 0n;
  const height = request.height === 0n ? latest : request.height;
  const answer = guarded('query', environment.logger, () => route(environment, request, height, latest));
  const empty = { log: '', info: '', index: 0n, height };
  return answer.ok ? { code: 0, codespace: '', ...empty, ...answer.value } : refusal(answer.error, height);
}

function refusal(error: Failure, height: bigint): QueryResponse {
  const { code, codespace, message } = error;
  return { code, codespace, log: message, info: '', index: 0n, key: EMPTY, value: EMPTY, proofOps: [], height };
}

function route(environment: QueryEnvironment, request: QueryRequest, height: bigint, latest: bigint): Result<Answer> {
  const { path, data } = request;
  if (data.length > RUNTIME_LIMITS.maxQueryBytes)
    return failSdk('invalidRequest', `query: ${data.length} bytes exceed the limit of ${RUNTIME_LIMITS.maxQueryBytes}`);
  if (height < 0n) return failSdk('invalidHeight', `height: expected ≥ 0, got ${height}`);
  const { chain } = environment;
  if (path === SIMULATE_PATH && chain !== undefined) return valueOnly(environment.simulate(data));
  const handler = environment.table.queries.get(path);
  const store = /^\/store\/([^/]+)\/key$/.exec(path)?.[1];
  if (handler === undefined && store === undefined && path !== SIMULATE_PATH)
    return failSdk('unknownRequest', `unknown query path ${JSON.stringify(path.slice(0, 200))}`);
  if (latest === 0n || chain === undefined)
    return failSdk('invalidHeight', 'no block has been committed yet: please wait for the first block');
  if (height > latest)
    return failSdk('invalidHeight', `cannot query with height in the future; got ${height}, latest is ${latest}`);
  const state = environment.store.viewAt(height);
  if (state === undefined)
    return failSdk(
      'invalidRequest',
      `failed to load state at height ${height}; it is not kept (lowest height: ${environment.store.firstVersion}, latest height: ${latest})`,
    );
  if (handler !== undefined) {
    const bounded = meteredView(state, gasMeter(RUNTIME_LIMITS.maxQueryGas));
    return valueOnly(handler.run({ state: bounded, height, chain }, data));
  }
  return readKey(environment, request, store ?? '', height);
}

function valueOnly(result: Result<Uint8Array>): Result<Answer> {
  return result.ok ? ok({ key: EMPTY, value: result.value, proofOps: [] }) : result;
}

function readKey(environment: QueryEnvironment, request: QueryRequest, name: string, height: bigint): Result<Answer> {
  const { data: key } = request;
  if (!environment.table.storeNames.includes(name)) return failSdk('unknownRequest', `no such store: ${name}`);
  if (key.length === 0) return failSdk('invalidRequest', 'query with an empty key');
  if (!request.prove) {
    const value = environment.store.viewAt(height)?.store(name).get(key);
    return ok({ key, value: value ?? EMPTY, proofOps: [] });
  }
  const proven = environment.store.proveAt(height, name, key);
  if (!proven.ok) return failSdk('invalidRequest', proven.error);
  const [ofKey, ofStore] = proven.value.commitmentProofs;
  return ok({
    key,
    value: proven.value.value ?? EMPTY,
    proofOps: [
      { type: 'ics23:iavl', key, data: ofKey },
      { type: 'ics23:simple', key: utf8(name), data: ofStore },
    ],
  });
}
