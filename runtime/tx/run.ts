/** One transaction from its bytes to its result. */
import type { Event, ExecTxResult } from '#core/abci.ts';
import { EMPTY } from '#core/bytes.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { divFloor, MAX_UINT64 } from '#core/int.ts';
import type { Verifier } from '#core/ports/crypto.ts';
import type { Logger } from '#core/ports/logger.ts';
import { err, type Failure, ok, type Result } from '#core/result.ts';
import { formatAddress } from '../address.ts';
import { amountOf, type DecCoin } from '../coins.ts';
import type { BlockInfo, ChainParams } from '../context.ts';
import { failSdk } from '../errors.ts';
import { EventLog, noEvents } from '../events.ts';
import { guarded } from '../guard.ts';
import { RUNTIME_LIMITS } from '../limits.ts';
import type { ModuleTable } from '../module-table.ts';
import type { StateBranch } from '../state/branch.ts';
import { type GasMeter, gasMeter, meteredState } from '../state/gas.ts';
import { type Admitted, type AntePassed, runAnte, type TxMode } from './ante.ts';
import { rememberPass, repeatPass } from './carried.ts';
import type { DecodedTx, TxMessage } from './decode.ts';
import { messageRouter } from './router.ts';

export interface TxEnvironment {
  readonly table: ModuleTable;
  /** decodeTx, which may remember. */
  readonly decode: (bytes: Uint8Array) => Result<DecodedTx>;
  readonly chain: ChainParams;
  readonly block: BlockInfo;
  readonly verifier: Verifier;
  readonly logger: Logger;
  readonly minGasPrices: readonly DecCoin[];
  /** Most gas of one block; −1: unlimited. */
  readonly maxBlockGas: bigint;
  /** Nobody will be shown the events. */
  readonly withoutEvents?: boolean;
}

export interface TxOutcome {
  readonly result: ExecTxResult;
  /** Encoded responses with their type URLs, of a transaction that executed. */
  readonly responses: readonly { readonly typeUrl: string; readonly value: Uint8Array }[];
  /** Absent when the ante checks refused it: such a transaction changed nothing. */
  readonly admitted: Admitted | undefined;
}

/**
 * Runs a transaction on `state`, and leaves there what it may leave: nothing when the ante checks refuse it; fee and
 * sequence when its messages fail; everything when they succeed. Messages run in the modes `deliver` and `simulate` alone.
 * @param blockGasLeft what the block's gas limit still allows; undefined when unlimited.
 */
export function runTx(
  environment: TxEnvironment,
  state: StateBranch,
  bytes: Uint8Array,
  mode: TxMode,
  blockGasLeft?: bigint,
): TxOutcome {
  if (blockGasLeft !== undefined && blockGasLeft <= 0n)
    return refused(failure('outOfGas', 'no block gas left to run tx'), undefined, 0n, []);
  return runDecodedTx(environment, state, environment.decode(bytes), mode, blockGasLeft);
}

/** {@link runTx} of what `decode` has answered. */
export function runDecodedTx(
  environment: TxEnvironment,
  state: StateBranch,
  decoded: Result<DecodedTx>,
  mode: TxMode,
  blockGasLeft?: bigint,
): TxOutcome {
  if (!decoded.ok) return refused(decoded.error, undefined, 0n, []);
  const tx = decoded.value;
  const gasLimit = tx.authInfo.fee?.gasLimit ?? 0n;
  const meter = gasMeter(mode === 'simulate' ? RUNTIME_LIMITS.maxSimulationGas : gasLimit);
  const { maxBlockGas } = environment;
  if (mode !== 'simulate' && maxBlockGas > 0n && gasLimit > maxBlockGas)
    return refused(
      failure('invalidGasLimit', `tx gas limit ${gasLimit} exceeds block max gas ${maxBlockGas}`),
      meter,
      gasLimit,
      [],
    );

  const events = new EventLog();
  const passed = passAnte(environment, state, { tx, meter, mode, events });
  if (!passed.ok) return refused(passed.error, meter, gasLimit, []);
  const admitted = passed.value;
  if (mode !== 'deliver' && mode !== 'simulate')
    return { result: success(meter, gasLimit, EMPTY, events.events), responses: [], admitted };

  const branch = state.branch();
  const all = events.events.slice();
  const ran = guarded('transaction', environment.logger, () => runMessages(environment, branch, { tx, meter, all }));
  if (!ran.ok) return { ...refused(ran.error, meter, gasLimit, events.events), admitted };
  if (blockGasLeft !== undefined && meter.consumed > blockGasLeft)
    return {
      ...refused(failure('outOfGas', 'the block gas limit is exceeded'), meter, gasLimit, events.events),
      admitted,
    };
  branch.write();
  const responses = ran.value;
  const data = encodeMsgData(responses);
  const wanted = mode === 'simulate' ? MAX_UINT64 : gasLimit;
  return { result: success(meter, wanted, data, all), responses, admitted };
}

interface AnteInput {
  readonly tx: DecodedTx;
  readonly meter: GasMeter;
  readonly mode: TxMode;
  readonly events: EventLog;
}

function passAnte(environment: TxEnvironment, state: StateBranch, input: AnteInput): Result<Admitted> {
  const { tx, meter, mode, events } = input;
  const { chain } = environment;
  if (mode === 'recheck') {
    const repeated = guarded('ante checks', environment.logger, () => ok(repeatPass(chain, state, tx, meter)));
    if (!repeated.ok) return repeated;
    if (repeated.value !== undefined) return ok(repeated.value);
  }
  const branch = state.branch();
  const passed = guarded('ante checks', environment.logger, () =>
    runAnte(
      {
        state: meteredState(branch, meter),
        scratch: () => meteredState(branch.branch(), meter),
        gas: meter,
        // Nobody is shown a proposal's, nor a recheck's.
        events: environment.withoutEvents === true || mode === 'propose' || mode === 'recheck' ? noEvents : events,
        block: environment.block,
        chain,
        mode,
        types: environment.table,
        verifier: environment.verifier,
        minGasPrices: environment.minGasPrices,
      },
      tx,
    ),
  );
  if (!passed.ok) return passed;
  const admitted = admission(environment, tx, passed.value);
  if (mode === 'check' || mode === 'recheck')
    rememberPass(chain, state, tx, { ante: passed.value, admitted, gas: meter, written: branch });
  branch.write();
  return ok(admitted);
}

interface MessagesInput {
  readonly tx: DecodedTx;
  readonly meter: GasMeter;
  /** Where the messages' events are appended. */
  readonly all: Event[];
}

function runMessages(
  environment: TxEnvironment,
  branch: StateBranch,
  { tx, meter: gas, all }: MessagesInput,
): Result<TxOutcome['responses']> {
  const { chain, block } = environment;
  const state = meteredState(branch, gas);
  const router = messageRouter(environment.table);
  const responses: { readonly typeUrl: string; readonly value: Uint8Array }[] = [];
  for (let i = 0; i < tx.messages.length; i++) {
    const { handler, message } = tx.messages[i] as TxMessage;
    const events = new EventLog([['msg_index', String(i)]], all);
    const signers = handler.signers(message, chain);
    if (!signers.ok) return signers;
    const sender = signers.value[0];
    const action = ['action', handler.typeUrl] as const;
    const module = ['module', moduleOf(handler.typeUrl)] as const;
    events.emit(
      'message',
      sender === undefined ? [action, module] : [action, ['sender', formatAddress(chain, sender)], module],
    );
    const handled = handler.handle({ state, gas, events, block, chain, router }, message);
    if (!handled.ok)
      return err({
        ...handled.error,
        message: `failed to execute message; message index: ${i}: ${handled.error.message}`,
      });
    responses.push({ typeUrl: handler.responseUrl, value: handled.value });
  }
  return ok(responses);
}

/** `/cosmos.bank.v1beta1.MsgSend` → `bank` (types/events.go GetModuleNameFromTypeURL). */
function moduleOf(typeUrl: string): string {
  const start = typeUrl.indexOf('.') + 1;
  if (start === 0) return '';
  const end = typeUrl.indexOf('.', start);
  return end < 0 ? typeUrl.slice(start) : typeUrl.slice(start, end);
}

/** An encoded cosmos.base.abci.v1beta1.TxMsgData: written by hand, as each transaction has one and it is hashed. */
export function encodeMsgData(responses: TxOutcome['responses']): Uint8Array {
  const data = new ProtoWriter();
  for (const { typeUrl, value } of responses) {
    const opened = data.open(2);
    data.string(1, typeUrl).bytes(2, value).close(opened);
  }
  return data.finish();
}

/** Priorities are fee ÷ gas in millionths of the base denomination. */
const PRIORITY_SCALE = 1_000_000n;

function admission({ chain }: TxEnvironment, tx: DecodedTx, passed: AntePassed): Admitted {
  const gasLimit = tx.authInfo.fee?.gasLimit ?? 0n;
  const first = passed.signers.all[0];
  const fee = amountOf(passed.fee, chain.baseDenom);
  return {
    sender: first === undefined ? '' : formatAddress(chain, first),
    sequence: tx.authInfo.signerInfos[0]?.sequence ?? 0n,
    priority: gasLimit === 0n ? 0n : divFloor(fee * PRIORITY_SCALE, gasLimit),
    repeats: passed.repeats,
  };
}

function failure(kind: Parameters<typeof failSdk>[0], detail: string): Failure {
  return failSdk(kind, detail).error;
}

function success(meter: GasMeter, gasWanted: bigint, data: Uint8Array, events: readonly Event[]): ExecTxResult {
  return { code: 0, codespace: '', data, log: '', info: '', gasWanted, gasUsed: meter.consumed, events };
}

function refused(error: Failure, meter: GasMeter | undefined, gasWanted: bigint, events: readonly Event[]): TxOutcome {
  return {
    result: {
      code: error.code,
      codespace: error.codespace,
      data: EMPTY,
      log: error.message,
      info: '',
      gasWanted,
      gasUsed: meter?.consumed ?? 0n,
      events,
    },
    responses: [],
    admitted: undefined,
  };
}
