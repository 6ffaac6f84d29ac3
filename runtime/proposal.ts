/** Building and judging proposals. Both work on a branch that is dropped. */
import type { PrepareProposalRequest, ProcessProposalRequest } from '#core/abci.ts';
import { concat } from '#core/bytes.ts';
import { LIMITS } from '#core/limits.ts';
import { err, ok, type Result } from '#core/result.ts';
import { splitInjection } from './block.ts';
import type { ProposalContext } from './context.ts';
import { guarded } from './guard.ts';
import type { StateBranch } from './state/branch.ts';
import type { DecodedTx } from './tx/decode.ts';
import { runDecodedTx, type TxEnvironment } from './tx/run.ts';

/** Bytes of one transaction inside tendermint.types.Data: tag, length, content (types/tx.go ComputeProtoSizeForTxs). */
export function protoSizeOfTx(tx: Uint8Array): number {
  let size = 2 + tx.length;
  for (let rest = tx.length >>> 7; rest > 0; rest >>>= 7) size++;
  return size;
}

export function contextOf(environment: TxEnvironment, state: StateBranch): ProposalContext {
  const { block, chain, verifier } = environment;
  return { state, block, chain, verifier };
}

/** A transaction that the mempool's check has admitted, in the order of all that have changed the state of checks. */
export interface CheckedTx {
  readonly tx: DecodedTx;
  /** See {@link Admitted}. */
  readonly repeats: boolean;
}

/**
 * Follows the offered transactions along those that were checked since the last block. As long as they are the same ones
 * in the same order, the ante checks would answer what they have answered then: they began on the same state and wrote the
 * same. From the first other one on, or one whose verdict need not repeat, `state` is brought up to date and they run.
 */
class CheckedPath {
  readonly #environment: TxEnvironment;
  readonly #state: StateBranch;
  readonly #checked: readonly CheckedTx[];
  /** How many were met, all from the first on. */
  #met = 0;
  #left = false;

  constructor(environment: TxEnvironment, state: StateBranch, checked: readonly CheckedTx[]) {
    this.#environment = environment;
    this.#state = state;
    this.#checked = checked;
  }

  /** Whether this is the next one; `accept` says whether it is wanted. */
  follows(tx: DecodedTx): boolean {
    const next = this.#checked[this.#met];
    return !this.#left && next !== undefined && next.repeats && next.tx === tx;
  }

  accept(): void {
    this.#met++;
  }

  /** From now on `state` is what the accepted ones have left. */
  leave(): void {
    if (this.#left) return;
    this.#left = true;
    for (const { tx } of this.#checked.slice(0, this.#met))
      runDecodedTx(this.#environment, this.#state, ok(tx), 'propose');
  }
}

/**
 * The injection, then of the offered transactions in order those that pass the ante checks and fit.
 * @param checked since the committed state that `state` is a branch of, for a block of the same height.
 */
export function prepareProposal(
  environment: TxEnvironment,
  state: StateBranch,
  request: PrepareProposalRequest,
  checked: readonly CheckedTx[] = [],
): readonly Uint8Array[] {
  const chosen: Uint8Array[] = [];
  let bytesLeft = request.maxTxBytes;
  let gasLeft = environment.maxBlockGas > 0n ? environment.maxBlockGas : undefined;
  const injection = environment.table.injector?.injection;
  const payload = injection?.prepare(contextOf(environment, state), request.localLastCommit);
  if (injection !== undefined && payload !== undefined) {
    const first = concat(injection.magic, payload);
    bytesLeft -= protoSizeOfTx(first);
    chosen.push(first);
  }
  const path = new CheckedPath(environment, state, checked);
  for (const tx of request.txs) {
    if (chosen.length === LIMITS.maxTxsPerBlock) break;
    const size = protoSizeOfTx(tx);
    if (size > bytesLeft) continue;
    const decoded = environment.decode(tx);
    if (!decoded.ok) continue;
    const gasWanted = decoded.value.authInfo.fee?.gasLimit ?? 0n;
    const tooMuch = gasLeft !== undefined && gasWanted > gasLeft;
    if (path.follows(decoded.value)) {
      if (tooMuch) continue;
      path.accept();
    } else {
      path.leave();
      const branch = state.branch();
      const { result, admitted } = runDecodedTx(environment, branch, decoded, 'propose');
      if (admitted === undefined || result.code !== 0 || tooMuch) continue;
      branch.write();
    }
    if (gasLeft !== undefined) gasLeft -= gasWanted;
    bytesLeft -= size;
    chosen.push(tx);
  }
  return chosen;
}

/**
 * Whether a block may stand: its injection is what it should be, every transaction decodes, and their gas limits fit. A
 * transaction that merely fails (sequence, funds) does not make a proposal invalid: it fails again in the block.
 */
export function processProposal(
  environment: TxEnvironment,
  state: StateBranch,
  request: ProcessProposalRequest,
): Result<void, string> {
  const judged = guarded('processProposal', environment.logger, () => ok(judge(environment, state, request)));
  return judged.ok ? judged.value : err(judged.error.message);
}

function judge(environment: TxEnvironment, state: StateBranch, request: ProcessProposalRequest): Result<void, string> {
  const injection = environment.table.injector?.injection;
  const { payload, rest } = splitInjection(injection, request.txs);
  if (injection !== undefined) {
    const sound = injection.process(contextOf(environment, state), payload, request.proposedLastCommit);
    if (!sound.ok) return err(`injection: ${sound.error}`);
  }
  if (rest.length > LIMITS.maxTxsPerBlock)
    return err(`${rest.length} transactions exceed the limit of ${LIMITS.maxTxsPerBlock}`);
  let gas = 0n;
  for (const [i, tx] of rest.entries()) {
    const decoded = environment.decode(tx);
    if (!decoded.ok) return err(`transaction ${i}: ${decoded.error.message}`);
    gas += decoded.value.authInfo.fee?.gasLimit ?? 0n;
    if (environment.maxBlockGas > 0n && gas > environment.maxBlockGas)
      return err(`gas limits add up to more than the block's ${environment.maxBlockGas}`);
  }
  return ok(undefined);
}
