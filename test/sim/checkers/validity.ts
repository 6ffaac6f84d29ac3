import { finalizeRequest, validateBlock } from '#consensus/block-rules.ts';
import { applyInitChain, type ChainState, makeGenesisState } from '#consensus/chain-state.ts';
import { verifyExtendedCommit } from '#consensus/verify-commit.ts';
import type { Application } from '#core/abci.ts';
import { defined } from '#core/assert.ts';
import type { Verifier } from '#core/ports/crypto.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { extensionsEnabled } from '#core/types/consensus-params.ts';
import type { ValidatorSet } from '#core/types/validator-set.ts';
import type { CommittedBlock } from '#node/driver/block-executor.ts';
import { nextState } from '#node/driver/block-executor.ts';
import type { BlockStore } from '#node/driver/block-store.ts';
import type { Genesis } from '#node/driver/handshake.ts';
import { openSimApp, simAppOptions } from '../app.ts';
import { Violation } from './violation.ts';

/** A chain of its own that executes every committed block once: each follows the one before by all rules. */
export class ValidityChecker {
  readonly #verifier: Verifier;
  readonly #app: Application;
  #state: ChainState;

  constructor(genesis: Genesis, verifier: Verifier, pinned: number) {
    this.#verifier = verifier;
    this.#app = openSimApp(new MemoryKv(), simAppOptions(genesis, pinned));
    const initial = makeGenesisState(genesis);
    if (!initial.ok) throw new Error(initial.error);
    const started = applyInitChain(initial.value, this.#app.initChain({ ...genesis, consensusParams: genesis.params }));
    if (!started.ok) throw new Error(started.error);
    this.#state = started.value;
  }

  /** Validators of the chain's next height, and of the one after. */
  get sets(): readonly [ValidatorSet, ValidatorSet] {
    return [this.#state.validators, this.#state.nextValidators];
  }

  async committed(node: string, { block, blockId, state }: CommittedBlock, blocks: BlockStore): Promise<void> {
    if (block.header.height <= this.#state.lastBlockHeight) return;
    const valid = validateBlock(this.#state, block, this.#verifier);
    if (!valid.ok) throw new Violation('validity', `height ${block.header.height} at ${node}: ${valid.error}`);
    this.#checkCommit(node, block.header.height, blocks, { block, blockId, state });
    const accepted = this.#app.processProposal({
      ...finalizeRequest(block, blockId.hash, this.#state.lastValidators),
      proposedLastCommit: finalizeRequest(block, blockId.hash, this.#state.lastValidators).decidedLastCommit,
    });
    if (!accepted.accept) throw new Violation('validity', `height ${block.header.height}: ${accepted.reason}`);
    const response = this.#app.finalizeBlock(finalizeRequest(block, blockId.hash, this.#state.lastValidators));
    this.#state = nextState(this.#state, block, blockId, response);
    await this.#app.commit();
  }

  /** No commit without more than two thirds of the power, every signature and extension valid. */
  #checkCommit(
    node: string,
    height: bigint,
    blocks: BlockStore,
    { blockId }: Pick<CommittedBlock, 'block' | 'blockId' | 'state'>,
  ): void {
    const commit = defined(blocks.seenCommit(height), 'seen commit');
    const { validators, params, chainId } = this.#state;
    const extensions = extensionsEnabled(params, height);
    const checked = verifyExtendedCommit(this.#verifier, chainId, validators, blockId, height, commit, extensions);
    if (!checked.ok) throw new Violation('two thirds', `height ${height} at ${node}: ${checked.error}`);
  }
}
