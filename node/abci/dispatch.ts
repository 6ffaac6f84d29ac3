/** One request, one answer: the application port behind ABCI 2.0. */
import type { Application, CheckTxResponse, QueryResponse, SnapshotApplication } from '#core/abci.ts';
import { assertNever } from '#core/assert.ts';
import { EMPTY } from '#core/bytes.ts';
import { ERRORS } from '#core/errors.ts';
import type { Logger } from '#core/ports/logger.ts';
import type { AbciRequest } from './requests.ts';
import type { AbciResponse } from './responses.ts';

/** What an ABCI socket serves. */
export type AbciApplication = Application & SnapshotApplication;

/**
 * Answers one request. What a client or a peer can provoke (CheckTx, Query, the serving of snapshots) is answered even when the application throws:
 * an exception would stop CometBFT. @throws what any other call of the application throws.
 */
export async function dispatch(app: AbciApplication, logger: Logger, request: AbciRequest): Promise<AbciResponse> {
  switch (request.kind) {
    case 'echo':
      return { kind: 'echo', message: request.message };
    case 'flush':
      return { kind: 'flush' };
    case 'info':
      return { kind: 'info', response: app.info() };
    case 'init-chain':
      return { kind: 'init-chain', response: app.initChain(request.request) };
    case 'query': {
      const { request: asked } = request;
      return { kind: 'query', response: await shielded(logger, 'query', () => app.query(asked), failedQuery) };
    }
    case 'check-tx': {
      const { request: asked } = request;
      return { kind: 'check-tx', response: await shielded(logger, 'checkTx', () => app.checkTx(asked), failedCheck) };
    }
    case 'commit':
      return { kind: 'commit', response: await app.commit() };
    case 'list-snapshots': {
      const snapshots = await shielded(
        logger,
        'listSnapshots',
        () => app.listSnapshots(),
        () => [],
      );
      return { kind: 'list-snapshots', snapshots };
    }
    case 'offer-snapshot': {
      const { result, reason } = await app.offerSnapshot(request.request);
      logger.info('a snapshot is offered', { height: request.request.snapshot.height, result, reason });
      return { kind: 'offer-snapshot', result };
    }
    case 'load-snapshot-chunk': {
      const { request: asked } = request;
      const chunk = await shielded(
        logger,
        'loadSnapshotChunk',
        () => app.loadSnapshotChunk(asked),
        () => EMPTY,
      );
      return { kind: 'load-snapshot-chunk', chunk };
    }
    case 'apply-snapshot-chunk': {
      const { index, sender } = request.request;
      const response = await app.applySnapshotChunk(request.request);
      const { result, reason } = response;
      if (result !== 'accept') logger.warn('a chunk is not applied', { index, sender, result, reason });
      return { kind: 'apply-snapshot-chunk', response };
    }
    case 'prepare-proposal':
      return { kind: 'prepare-proposal', txs: app.prepareProposal(request.request) };
    case 'process-proposal': {
      const { accept, reason } = app.processProposal(request.request);
      if (!accept) logger.warn('a proposal is refused', { height: request.request.height, reason });
      return { kind: 'process-proposal', accept };
    }
    case 'extend-vote':
      return { kind: 'extend-vote', extension: app.extendVote(request.request) };
    case 'verify-vote-extension':
      return { kind: 'verify-vote-extension', accept: app.verifyVoteExtension(request.request) };
    case 'finalize-block':
      return { kind: 'finalize-block', response: app.finalizeBlock(request.request) };
    default:
      return assertNever(request, 'ABCI request');
  }
}

async function shielded<T>(logger: Logger, call: string, run: () => T | Promise<T>, failed: () => T): Promise<T> {
  try {
    return await run();
  } catch (error) {
    logger.error('the application failed at a call that anybody can make', { call, error });
    return failed();
  }
}

const FAILED = { code: ERRORS.sdk.logic, codespace: 'sdk', log: 'internal error' } as const;

function failedQuery(): QueryResponse {
  return { ...FAILED, info: '', index: 0n, key: EMPTY, value: EMPTY, proofOps: [], height: 0n };
}

function failedCheck(): CheckTxResponse {
  const unknown = { data: EMPTY, gasWanted: 0n, gasUsed: 0n, events: [] };
  return { ...FAILED, ...unknown, priority: 0n, sender: '', sequence: 0n };
}
