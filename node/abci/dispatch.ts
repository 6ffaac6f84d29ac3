/** One request, one answer: the application port behind ABCI 2.0. */
import type { Application, CheckTxResponse, QueryResponse } from '#core/abci.ts';
import { assertNever } from '#core/assert.ts';
import { EMPTY } from '#core/bytes.ts';
import { ERRORS } from '#core/errors.ts';
import type { Logger } from '#core/ports/logger.ts';
import type { AbciRequest } from './requests.ts';
import type { AbciResponse } from './responses.ts';

/**
 * Answers one request. What a client's bytes can provoke (CheckTx, Query) is answered even when the application throws:
 * an exception would stop CometBFT. @throws what any other call of the application throws.
 */
export async function dispatch(app: Application, logger: Logger, request: AbciRequest): Promise<AbciResponse> {
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
    case 'list-snapshots':
    case 'offer-snapshot':
    case 'load-snapshot-chunk':
    case 'apply-snapshot-chunk':
      return { kind: request.kind };
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
    logger.error('the application failed at a call that any client can make', { call, error });
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
