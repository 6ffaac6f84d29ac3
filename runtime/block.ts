/** One block on one branch of state: begin, injection, transactions, end. Deterministic; nothing in it is node-local. */
import type { Event, ExecTxResult, FinalizeBlockRequest, FinalizeBlockResponse } from '#core/abci.ts';
import { EMPTY, startsWith } from '#core/bytes.ts';
import { ok, type Result } from '#core/result.ts';
import { TxResultLog } from '#core/tx-result.ts';
import type { ConsensusParamsUpdate } from '#core/types/consensus-params.ts';
import type { ValidatorUpdate } from '#core/types/validator-set.ts';
import type { BlockContext } from './context.ts';
import { sdkFailure } from './errors.ts';
import { EventLog } from './events.ts';
import { guarded } from './guard.ts';
import type { Injection } from './module.ts';
import { blockLimits, CHAIN_STORE } from './modules/chain/state.ts';
import type { StateBranch } from './state/branch.ts';
import { runTx, type TxEnvironment } from './tx/run.ts';

export type BlockOutcome = Omit<FinalizeBlockResponse, 'appHash'>;

/** Splits the injection off a block's transactions. */
export function splitInjection(
  injection: Injection | undefined,
  txs: readonly Uint8Array[],
): { readonly payload: Uint8Array | undefined; readonly rest: readonly Uint8Array[] } {
  const first = txs[0];
  if (injection === undefined || first === undefined || !startsWith(first, injection.magic))
    return { payload: undefined, rest: txs };
  return { payload: first.slice(injection.magic.length), rest: txs.slice(1) };
}

export function executeBlock(
  environment: TxEnvironment,
  state: StateBranch,
  request: FinalizeBlockRequest,
): BlockOutcome {
  const { table } = environment;
  const blockEvents: Event[] = [];
  for (const module of table.modules) {
    const { beginBlock } = module;
    if (beginBlock !== undefined)
      runStep(environment, state, request, {
        name: module.name,
        mode: 'BeginBlock',
        step: (context) => ok(beginBlock(context)),
        blockEvents,
      });
  }
  // Events die young this way: what lives until the block is over, the collector copies again and again.
  const txResults = new TxResultLog();
  const injection = table.injector?.injection;
  const { payload, rest } = splitInjection(injection, request.txs);
  if (injection !== undefined) {
    const applied = applyInjection(environment, state, request, injection, payload);
    // Nobody's transaction: what it did is told with the block, its result says only that it was there.
    addAll(blockEvents, applied.events);
    if (payload !== undefined) txResults.add({ ...applied, events: [] });
  }
  let gasUsed = 0n;
  for (const tx of rest) {
    const left = environment.maxBlockGas > 0n ? environment.maxBlockGas - gasUsed : undefined;
    const { result } = runTx(environment, state, tx, 'deliver', left);
    gasUsed += result.gasUsed;
    txResults.add(result);
  }
  const validatorUpdates: ValidatorUpdate[] = [];
  let consensusParamUpdates: ConsensusParamsUpdate | undefined;
  for (const module of table.modules) {
    const { endBlock } = module;
    if (endBlock === undefined) continue;
    const ended = runStep(environment, state, request, {
      name: module.name,
      mode: 'EndBlock',
      step: (context) => ok(endBlock(context)),
      blockEvents,
    });
    validatorUpdates.push(...(ended?.validatorUpdates ?? []));
    if (ended?.consensusParamUpdates !== undefined)
      consensusParamUpdates = { ...consensusParamUpdates, ...ended.consensusParamUpdates };
  }
  if (consensusParamUpdates?.block !== undefined) {
    const { maxBytes, maxGas } = consensusParamUpdates.block;
    blockLimits.set(state.store(CHAIN_STORE), { maxBytes, maxGas });
  }
  return { events: blockEvents, txResults: txResults.finish(), validatorUpdates, consensusParamUpdates };
}

interface Step<T> {
  readonly name: string;
  readonly mode: 'BeginBlock' | 'EndBlock';
  readonly step: (context: BlockContext) => Result<T>;
  readonly blockEvents: Event[];
}

function contextOf(
  environment: TxEnvironment,
  state: StateBranch,
  request: FinalizeBlockRequest,
  events: EventLog,
): BlockContext {
  const { decidedLastCommit: lastCommit, misbehavior } = request;
  return { state, events, block: environment.block, chain: environment.chain, lastCommit, misbehavior };
}

/** One module's step in a branch of its own: when it throws, its writes and events are lost, and the block goes on. */
function runStep<T>(
  environment: TxEnvironment,
  state: StateBranch,
  request: FinalizeBlockRequest,
  { name, mode, step, blockEvents }: Step<T>,
): T | undefined {
  const branch = state.branch();
  const events = new EventLog([['mode', mode]]);
  const result = guarded(`${mode} of ${name}`, environment.logger, () =>
    step(contextOf(environment, branch, request, events)),
  );
  if (!result.ok) return undefined;
  branch.write();
  addAll(blockEvents, events.events);
  return result.value;
}

/** A push of all at once would end at what a call can take, on each machine elsewhere: a block may complete a great deal. */
function addAll(to: Event[], events: readonly Event[]): void {
  for (const event of events) to.push(event);
}

function applyInjection(
  environment: TxEnvironment,
  state: StateBranch,
  request: FinalizeBlockRequest,
  injection: Injection,
  payload: Uint8Array | undefined,
): ExecTxResult {
  const branch = state.branch();
  const events = new EventLog([['mode', 'Injection']]);
  const applied = guarded('injection', environment.logger, () => {
    const result = injection.apply(contextOf(environment, branch, request, events), payload);
    return result.ok ? result : { ok: false, error: sdkFailure('invalidRequest', result.error) };
  });
  if (applied.ok) branch.write();
  return {
    code: 0,
    codespace: '',
    data: EMPTY,
    log: applied.ok ? '' : applied.error.message,
    info: '',
    gasWanted: 0n,
    gasUsed: 0n,
    events: applied.ok ? events.events : [],
  };
}
