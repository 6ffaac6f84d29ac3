import { hash as hash256 } from 'node:crypto';
import type { ExecTxResult } from '#core/abci.ts';
import { defined } from '#core/assert.ts';
import { EMPTY, equal, toHexUpper } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { merkleProofs } from '#core/merkle.ts';
import { ok } from '#core/result.ts';
import type { Answer, Backend, CommittedBlock, SearchRequest, TxProof, TxRecord } from '../backend.ts';
import { RPC_LIMITS } from '../limits.ts';
import { parseQuery } from '../query.ts';
import { checkPage, readPaging } from './heights.ts';
import { blockRecordJson, readEvidenceJson } from './json/block.ts';
import { base64, readJson } from './json/reader.ts';
import { txRecordJson, txResultJson } from './json/results.ts';
import { boolean, bytes, hash, int64, json, optional, text } from './params.ts';
import { invalid, mapAnswer, type Route, route } from './route.ts';

/** By the platform: each broadcast is answered with it. */
const hashOf = (tx: Uint8Array): string => hash256('sha256', tx, 'hex').toUpperCase();

const broadcastSync = route({ tx: bytes }, async (backend, { tx }) =>
  mapAnswer(await backend.broadcastTx(tx), (check) => ({
    code: check.code,
    // The application's data is not repeated here: clients expect the empty string.
    data: '',
    log: check.log,
    codespace: check.codespace,
    hash: hashOf(tx),
  })),
);

/** Answers before the check: what becomes of the transaction, only the index tells. */
const broadcastAsync = route({ tx: bytes }, (backend, { tx }) => {
  // A refusal is an error value, which nobody waits for here.
  void backend.broadcastTx(tx);
  return ok({ code: 0, data: '', log: '', codespace: '', hash: hashOf(tx) });
});

const NO_RESULT: ExecTxResult = {
  code: 0,
  data: EMPTY,
  log: '',
  info: '',
  gasWanted: 0n,
  gasUsed: 0n,
  events: [],
  codespace: '',
};

/** How many requests wait for their block, for each backend. */
const waiting = new WeakMap<Backend, number>();

const broadcastCommit = route({ tx: bytes }, async (backend, { tx }) => {
  const waiters = waiting.get(backend) ?? 0;
  if (waiters >= RPC_LIMITS.maxCommitWaiters)
    return {
      ok: false,
      error: {
        kind: 'unavailable',
        message: `${waiters} requests already wait for their block; use broadcast_tx_sync`,
      },
    };
  waiting.set(backend, waiters + 1);
  const inclusion = awaitInclusion(backend, tx);
  try {
    const check = await backend.broadcastTx(tx);
    if (!check.ok) return check;
    const answer = (height: bigint, result: ExecTxResult) =>
      ok({
        check_tx: txResultJson(check.value),
        tx_result: txResultJson(result),
        hash: hashOf(tx),
        height: String(height),
      });
    if (check.value.code !== 0) return answer(0n, NO_RESULT);
    return await inclusion.found.then((found) => (found.ok ? answer(found.value.height, found.value.result) : found));
  } finally {
    inclusion.stop();
    waiting.set(backend, (waiting.get(backend) ?? 1) - 1);
  }
});

interface Inclusion {
  readonly height: bigint;
  readonly result: ExecTxResult;
}

/** Listens for the block that has the transaction, from before it is sent. */
function awaitInclusion(backend: Backend, tx: Uint8Array): { found: Promise<Answer<Inclusion>>; stop: () => void } {
  const { promise, resolve } = Promise.withResolvers<Answer<Inclusion>>();
  const stopListening = backend.onCommitted(({ block, results }: CommittedBlock) => {
    const index = block.txs.findIndex((candidate) => equal(candidate, tx));
    const result = results.txResults[index];
    if (result !== undefined) resolve(ok({ height: block.header.height, result }));
  });
  const timer = setTimeout(
    () =>
      resolve({
        ok: false,
        error: {
          kind: 'unavailable',
          message: `timed out waiting for tx to be included in a block after ${RPC_LIMITS.broadcastCommitTimeoutMs} ms`,
        },
      }),
    RPC_LIMITS.broadcastCommitTimeoutMs,
  );
  return {
    found: promise,
    stop() {
      clearTimeout(timer);
      stopListening();
    },
  };
}

const checkTx = route({ tx: bytes }, async (backend, { tx }) => mapAnswer(await backend.checkTx(tx), txResultJson));

type TxProver = (record: TxRecord) => Answer<TxProof>;

/** Makes proofs for one answer; transactions of one block share its tree. */
function txProver(backend: Backend): TxProver {
  const trees = new Map<bigint, ReturnType<typeof merkleProofs>>();
  return ({ height, index }) => {
    let tree = trees.get(height);
    if (tree === undefined) {
      const record = backend.block(height);
      if (!record.ok) return record;
      tree = merkleProofs(record.value.block.txs.map(sha256));
      trees.set(height, tree);
    }
    return ok({ root: tree.root, proof: defined(tree.proofs[index], `transaction ${index} of block ${height}`) });
  };
}

function recordJson(record: TxRecord, prove: TxProver | undefined): Answer<unknown> {
  if (prove === undefined) return ok(txRecordJson(record, undefined));
  return mapAnswer(prove(record), (proof) => txRecordJson(record, proof));
}

const tx = route({ hash, prove: optional(boolean, false) }, async (backend, args) => {
  const found = await backend.tx(args.hash);
  return found.ok ? recordJson(found.value, args.prove ? txProver(backend) : undefined) : found;
});

interface SearchArgs {
  readonly query: string;
  readonly page: bigint | undefined;
  readonly per_page: bigint | undefined;
  readonly order_by: string;
}

function readSearch(args: SearchArgs, defaultOrder: 'asc' | 'desc'): Answer<SearchRequest> {
  const query = parseQuery(args.query);
  if (!query.ok) return invalid(query.error);
  const order = args.order_by === '' ? defaultOrder : args.order_by;
  if (order !== 'asc' && order !== 'desc')
    return invalid(
      `expected order_by to be either \`asc\` or \`desc\` or empty, got ${JSON.stringify(args.order_by.slice(0, 32))}`,
    );
  return mapAnswer(readPaging(args.page, args.per_page), (paging) => ({ query: query.value, order, ...paging }));
}

const page = optional(int64, undefined);
const per_page = optional(int64, undefined);
const order_by = optional(text, '');

const txSearch = route(
  { query: text, prove: optional(boolean, false), page, per_page, order_by },
  async (backend, args) => {
    const request = readSearch(args, 'asc');
    if (!request.ok) return request;
    const found = await backend.searchTxs(request.value);
    if (!found.ok) return found;
    const { total, items } = found.value;
    const inRange = checkPage(request.value, total);
    if (!inRange.ok) return inRange;
    const prove = args.prove ? txProver(backend) : undefined;
    const txs: unknown[] = [];
    for (const record of items) {
      const one = recordJson(record, prove);
      if (!one.ok) return one;
      txs.push(one.value);
    }
    return ok({ txs, total_count: String(total) });
  },
);

const blockSearch = route({ query: text, page, per_page, order_by }, async (backend, args) => {
  const request = readSearch(args, 'desc');
  if (!request.ok) return request;
  const found = await backend.searchBlocks(request.value);
  if (!found.ok) return found;
  const { total, items } = found.value;
  const inRange = checkPage(request.value, total);
  return inRange.ok ? ok({ blocks: items.map(blockRecordJson), total_count: String(total) }) : inRange;
});

const unconfirmedTxs = route({ limit: optional(int64, undefined) }, (backend, args) => {
  const paging = readPaging(undefined, args.limit);
  if (!paging.ok) return paging;
  const { count, bytes: total, txs } = backend.mempool(paging.value.perPage);
  return ok({ n_txs: String(txs.length), total: String(count), total_bytes: String(total), txs: txs.map(base64) });
});

const numUnconfirmedTxs = route({}, (backend) => {
  const { count, bytes: total } = backend.mempool(0);
  return ok({ n_txs: String(count), total: String(count), total_bytes: String(total), txs: null });
});

const broadcastEvidence = route({ evidence: json }, async (backend, args) => {
  const evidence = readJson(() => readEvidenceJson('evidence', args.evidence));
  if (!evidence.ok) return invalid(evidence.error);
  return mapAnswer(await backend.broadcastEvidence(evidence.value), (evidenceHash) => ({
    hash: toHexUpper(evidenceHash),
  }));
});

export const txRoutes: Readonly<Record<string, Route>> = {
  block_search: blockSearch,
  broadcast_evidence: broadcastEvidence,
  broadcast_tx_async: broadcastAsync,
  broadcast_tx_commit: broadcastCommit,
  broadcast_tx_sync: broadcastSync,
  check_tx: checkTx,
  num_unconfirmed_txs: numUnconfirmedTxs,
  tx,
  tx_search: txSearch,
  unconfirmed_txs: unconfirmedTxs,
};
