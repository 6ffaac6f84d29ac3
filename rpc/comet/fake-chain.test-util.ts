/** A chain whose blocks a test makes, seen through the backend's port. */
import type { Event, ExecTxResult } from '#core/abci.ts';
import { EMPTY, utf8 } from '#core/bytes.ts';
import { ok } from '#core/result.ts';
import { NIL_BLOCK_ID } from '#core/types/block-id.ts';
import { toAddress, toHeight } from '#core/types/brand.ts';
import { EMPTY_COMMIT } from '#core/types/commit.ts';
import type { Header } from '#core/types/header.ts';
import { ZERO_TIME } from '#core/types/timestamp.ts';
import type { Answer, Backend, CommittedBlock, ConsensusEvent } from '../backend.ts';

/** A header that says its height and nothing else. */
export function headerAt(height: bigint): Header {
  return {
    version: { block: 11n, app: 0n },
    chainId: 'test-1',
    height: toHeight(height),
    time: ZERO_TIME,
    lastBlockId: NIL_BLOCK_ID,
    lastCommitHash: EMPTY,
    dataHash: EMPTY,
    validatorsHash: EMPTY,
    nextValidatorsHash: EMPTY,
    consensusHash: EMPTY,
    appHash: EMPTY,
    lastResultsHash: EMPTY,
    evidenceHash: EMPTY,
    proposerAddress: toAddress(new Uint8Array(20)),
  };
}

export const INJECTION = utf8('injected');

/** A chain whose blocks the test makes. */
export function fakeChain() {
  const committed = new Set<(block: CommittedBlock) => void>();
  const consensus = new Set<(event: ConsensusEvent) => void>();
  const release = Promise.withResolvers<Answer<unknown>>();
  const backend = {
    heights: () => ({ base: toHeight(1), latest: toHeight(5) }),
    onCommitted(listener: (block: CommittedBlock) => void) {
      committed.add(listener);
      return () => committed.delete(listener);
    },
    onConsensus(listener: (event: ConsensusEvent) => void) {
      consensus.add(listener);
      return () => consensus.delete(listener);
    },
    isInjection: (tx: Uint8Array) => tx === INJECTION,
    genesis: () => utf8(JSON.stringify({ chain_id: 'test-1', app_state: 'x'.repeat(200_000) })),
    checkTx: () => release.promise,
  } as unknown as Backend;
  return {
    backend,
    release: () =>
      release.resolve(ok({ code: 0, data: EMPTY, log: '', gasWanted: 0n, gasUsed: 0n, events: [], codespace: '' })),
    commit(block: CommittedBlock) {
      for (const listener of committed) listener(block);
    },
    happen(event: ConsensusEvent) {
      for (const listener of consensus) listener(event);
    },
    listeners: () => committed.size + consensus.size,
  };
}

export function attributes(type: string, ...pairs: [string, string][]): Event {
  return { type, attributes: pairs.map(([key, value]) => ({ key, value, index: true })) };
}

export function txResult(...events: Event[]): ExecTxResult {
  return { code: 0, data: EMPTY, log: '', info: '', gasWanted: 0n, gasUsed: 0n, events, codespace: '' };
}

export function blockOf(
  height: bigint,
  txs: readonly [Uint8Array, ExecTxResult][],
  events: readonly Event[] = [],
): CommittedBlock {
  return {
    blockId: NIL_BLOCK_ID,
    block: {
      header: headerAt(height),
      txs: txs.map(([tx]) => tx),
      evidence: [],
      lastCommit: EMPTY_COMMIT,
    },
    results: {
      events,
      txResults: txs.map(([, result]) => result),
      validatorUpdates: [],
      consensusParamUpdates: undefined,
      appHash: EMPTY,
    },
  };
}
