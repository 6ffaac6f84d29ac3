/**
 * What is published to subscribers, as CometBFT v0.38's JSON has it (types/events.go, types/event_bus.go): the data of
 * each event under its registered name, and the attributes that queries see. Unlike the answers of the routes, the data
 * leave out what is empty, as Go's `omitempty` does.
 */
import type { Event, ExecTxResult, FinalizeBlockResponse } from '#core/abci.ts';
import { defined } from '#core/assert.ts';
import { toHexUpper } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { consensusAddress } from '#core/crypto/pubkey.ts';
import type { Evidence } from '#core/types/evidence.ts';
import { type CommittedBlock, type ConsensusEvent, eventValues } from '../../backend.ts';
import type { EventValues } from '../../query.ts';
import { blockRecordJson, evidenceJson } from './block.ts';
import { voteJson } from './commit.ts';
import { blockIdJson, headerJson } from './header.ts';
import { consensusParamsJson } from './params.ts';
import { base64 } from './reader.ts';
import { eventJson, txResultJson } from './results.ts';
import { validatorJson, validatorUpdateJson } from './validator.ts';

/** The key under which every event carries its name. */
export const EVENT_NAME_KEY = 'tm.event';

export interface PublishedEvent {
  /** What `tm.event` says. */
  readonly name: string;
  /** Composite keys and their values, those that are not indexed included. Made when a query may ask for this event. */
  readonly values: () => EventValues;
  /** Made when the first subscriber asks for it. */
  readonly data: () => EventData;
}

export interface EventData {
  /** CometBFT's registered name, such as `tendermint/event/Tx`. */
  readonly type: string;
  readonly value: unknown;
}

function published(name: string, data: () => EventData, events: readonly Event[] = []): PublishedEvent {
  return { name, values: () => flatValues(events, [[EVENT_NAME_KEY, name]]), data };
}

/** All events' attributes in one map, as the bus has them; what the event itself adds comes last. */
function flatValues(events: readonly Event[], more: readonly (readonly [string, string])[]): Map<string, string[]> {
  const out = new Map<string, string[]>();
  for (const event of eventValues(events, false))
    for (const [key, values] of event) {
      const known = out.get(key);
      if (known === undefined) out.set(key, values);
      else known.push(...values);
    }
  for (const [key, value] of more) out.set(key, [...(out.get(key) ?? []), value]);
  return out;
}

/**
 * What one block publishes, in CometBFT's order (state/execution.go fireEvents).
 * @param isInjection of the first transaction: the proposer's own is not announced, as it is not in the index.
 */
export function* blockEvents(
  committed: CommittedBlock,
  isInjection: (tx: Uint8Array) => boolean,
): Generator<PublishedEvent> {
  const { block, results } = committed;
  const { height } = block.header;
  yield published(
    'NewBlock',
    () => ({
      type: 'tendermint/event/NewBlock',
      value: { ...blockRecordJson(committed), result_finalize_block: finalizeJson(results) },
    }),
    results.events,
  );
  yield published('NewBlockHeader', () => ({
    type: 'tendermint/event/NewBlockHeader',
    value: { header: headerJson(block.header) },
  }));
  yield published(
    'NewBlockEvents',
    () => ({
      type: 'tendermint/event/NewBlockEvents',
      value: { height: String(height), events: results.events.map(eventJson), num_txs: String(block.txs.length) },
    }),
    results.events,
  );
  for (const evidence of block.evidence) yield evidenceEvent(height, evidence);
  for (const [index, tx] of block.txs.entries()) {
    if (index === 0 && isInjection(tx)) continue;
    yield txEvent(height, index, tx, defined(results.txResults[index], 'a result'));
  }
  if (results.validatorUpdates.length > 0) yield validatorsEvent(results);
}

function evidenceEvent(height: bigint, evidence: Evidence): PublishedEvent {
  return published('NewEvidence', () => ({
    type: 'tendermint/event/NewEvidence',
    value: { height: String(height), evidence: evidenceJson(evidence) },
  }));
}

function txEvent(height: bigint, index: number, tx: Uint8Array, result: ExecTxResult): PublishedEvent {
  return {
    name: 'Tx',
    values: () =>
      flatValues(result.events, [
        [EVENT_NAME_KEY, 'Tx'],
        ['tx.hash', toHexUpper(sha256(tx))],
        ['tx.height', String(height)],
      ]),
    data: () => ({
      type: 'tendermint/event/Tx',
      value: {
        TxResult: withoutEmpty({ height: String(height), index, tx: base64(tx), result: sparseResultJson(result) }),
      },
    }),
  };
}

function validatorsEvent({ validatorUpdates }: FinalizeBlockResponse): PublishedEvent {
  return published('ValidatorSetUpdates', () => ({
    type: 'tendermint/event/ValidatorSetUpdates',
    value: {
      validator_updates: validatorUpdates.map(({ publicKey, power }) =>
        validatorJson({ address: consensusAddress(publicKey), publicKey, power, priority: 0n }),
      ),
    },
  }));
}

/** Only the lists of validators are there when they are empty. */
function finalizeJson(results: FinalizeBlockResponse) {
  const params = results.consensusParamUpdates;
  return {
    ...withoutEmpty({ events: results.events.map(eventJson), tx_results: results.txResults.map(txResultJson) }),
    validator_updates: results.validatorUpdates.map(validatorUpdateJson),
    ...(params && { consensus_param_updates: consensusParamsJson(params) }),
    ...withoutEmpty({ app_hash: base64(results.appHash) }),
  };
}

function sparseResultJson(result: ExecTxResult) {
  return withoutEmpty({ ...txResultJson(result), data: base64(result.data) });
}

/** Go's `omitempty` for the members of one object. */
function withoutEmpty(object: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const empty = (value: unknown) =>
    value === 0 || value === '' || value === '0' || (Array.isArray(value) && value.length === 0);
  return Object.fromEntries(Object.entries(object).filter(([, value]) => !empty(value)));
}

/** CometBFT's names of its steps (consensus/types/round_state.go), by number. */
const STEP_NAMES: Readonly<Record<number, string>> = {
  1: 'RoundStepNewHeight',
  2: 'RoundStepNewRound',
  3: 'RoundStepPropose',
  4: 'RoundStepPrevote',
  5: 'RoundStepPrevoteWait',
  6: 'RoundStepPrecommit',
  7: 'RoundStepPrecommitWait',
  8: 'RoundStepCommit',
};

/** The name under which an event of consensus is published. */
export function consensusEventName(event: ConsensusEvent): string {
  switch (event.kind) {
    case 'round-state':
      return event.name;
    case 'new-round':
      return 'NewRound';
    case 'complete-proposal':
      return 'CompleteProposal';
    case 'vote':
      return 'Vote';
  }
}

export function consensusEvent(event: ConsensusEvent): PublishedEvent {
  return published(consensusEventName(event), () => consensusData(event));
}

function consensusData(event: ConsensusEvent): EventData {
  if (event.kind === 'vote') return { type: 'tendermint/event/Vote', value: { Vote: voteJson(event.vote) } };
  const { height, round } = event;
  const where = (step: number) => ({ height: String(height), round, step: STEP_NAMES[step] ?? '' });
  switch (event.kind) {
    case 'round-state':
      return { type: 'tendermint/event/RoundState', value: where(event.step) };
    case 'new-round': {
      const { proposer } = event;
      return {
        type: 'tendermint/event/NewRound',
        value: {
          ...where(2),
          proposer: {
            address: proposer === undefined ? '' : toHexUpper(proposer.address),
            index: proposer?.index ?? 0,
          },
        },
      };
    }
    case 'complete-proposal':
      return {
        type: 'tendermint/event/CompleteProposal',
        value: { ...where(event.step), block_id: blockIdJson(event.blockId) },
      };
  }
}
