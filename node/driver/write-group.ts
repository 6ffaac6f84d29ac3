/**
 * While blocks are synced, one wait for the disk serves several of them: what block store, state and application write
 * for them stays in memory until the last. Nothing is signed meanwhile, nobody is told of them, and the log hears nothing
 * of their heights: after a crash they were never here, and are asked of peers again. On disk they come in the order in
 * which each block alone comes: blocks, results and state, then the application, then the log's mark; the handshake
 * mends what a crash between any two of them leaves.
 */
import type { ChainState } from '#consensus/chain-state.ts';
import type { Input } from '#consensus/input.ts';
import { encodeWalRecord } from '#consensus/wal-codec.ts';
import { defined } from '#core/assert.ts';
import type { Block } from '#core/types/block.ts';
import type { BlockId } from '#core/types/block-id.ts';
import { NODE_LIMITS } from '../limits.ts';
import { applyBlock, type BlockExecutorDeps, type CommittedBlock } from './block-executor.ts';
import type { Wal } from './ports.ts';
import { markEnd } from './wal-start.ts';

/** The stores remember what is committed, not the log. */
type Logged = Exclude<Input, { readonly kind: 'committed' }>;

/** A database whose synced writes can be made to wait. */
export interface HeldWrites {
  /** From now on every write stays in memory, where reads see it, and none reaches the database. */
  hold(): void;
  /** Writes what was held in one batch, which is on disk when this resolves; later writes wait no longer. */
  release(): Promise<void>;
  readonly heldBytes: number;
}

export interface WriteGroupDeps extends BlockExecutorDeps {
  readonly wal: Wal;
  /** The application's database. Absent: each block is on disk before the next begins. */
  readonly held?: HeldWrites;
  /** Lets others have their turn between two blocks. */
  readonly pause?: () => Promise<void>;
}

export class WriteGroup {
  readonly #deps: WriteGroupDeps;
  /** After the last block that waits; `undefined`: none does. */
  #state: ChainState | undefined;
  #untold: CommittedBlock[] = [];
  #inputs: Logged[] = [];

  constructor(deps: WriteGroupDeps) {
    this.#deps = deps;
  }

  /** Into the log, of which nothing of a height may be before the mark of the height below. */
  async log(input: Logged): Promise<void> {
    if (this.#state !== undefined) this.#inputs.push(input);
    else await this.#deps.wal.append(encodeWalRecord({ kind: 'input', input }));
  }

  /**
   * Executes a stored block. `more`: the next one is here, with its commit. Without it everything is on disk, told and
   * marked when this resolves.
   */
  async apply(state: ChainState, block: Block, blockId: BlockId, more: boolean): Promise<ChainState> {
    const { held, wal, pause } = this.#deps;
    const waits =
      more &&
      held !== undefined &&
      this.#untold.length + 1 < NODE_LIMITS.maxHeldBlocks &&
      held.heldBytes < NODE_LIMITS.maxStagedBytes;
    if (held === undefined || (!waits && this.#state === undefined)) {
      const next = await applyBlock(this.#deps, state, block, blockId);
      // The block is on disk only now: a mark that outlived it would tell of a lost store.
      await markEnd(wal, block.header.height);
      await wal.rotate();
      return next;
    }
    held.hold();
    const onCommitted = (committed: CommittedBlock) => void this.#untold.push(committed);
    this.#state = await applyBlock({ ...this.#deps, onCommitted }, state, block, blockId, false);
    // Of a height that is over nobody will ask what was said in it.
    this.#inputs = [];
    const next = this.#state;
    if (waits) await pause?.();
    else await this.settle();
    return next;
  }

  /** Brings what waits to disk and tells of it: before anything is signed, and whenever no further block is here. */
  async settle(): Promise<void> {
    const { states, held, wal, onCommitted } = this.#deps;
    const state = this.#state;
    if (state === undefined) return;
    // Blocks first: an application that is ahead of them could not go on.
    await states.save(state, { sync: true });
    await defined(held, 'the database that held writes').release();
    const untold = this.#untold;
    this.#untold = [];
    for (const [i, committed] of untold.entries())
      await onCommitted(i === untold.length - 1 ? committed : { ...committed, followed: true });
    await markEnd(wal, state.lastBlockHeight);
    await wal.rotate();
    this.#state = undefined;
    const inputs = this.#inputs;
    this.#inputs = [];
    for (const input of inputs) await this.log(input);
  }
}
