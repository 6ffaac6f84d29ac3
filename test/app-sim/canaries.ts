/** Applications with something broken in them: what the simulation must see. */
import { concat, utf8 } from '#core/bytes.ts';
import { moduleAddress } from '#runtime/address.ts';
import type { ApplicationOptions } from '#runtime/app.ts';
import type { BlockContext } from '#runtime/context.ts';
import type { RuntimeModule } from '#runtime/module.ts';
import { MODULES } from '#runtime/module-table.ts';
import { BANK_STORE, balanceOf, setBalance } from '#runtime/modules/bank/state.ts';
import type { Unbonding } from '#runtime/modules/staking/records.ts';
import { STAKING_STORE, unbondings, unbondingsByValidator } from '#runtime/modules/staking/state.ts';
import { DENOM } from './scenario.ts';

function withModule(name: string, change: (module: RuntimeModule) => Partial<RuntimeModule>): ApplicationOptions {
  return { modules: MODULES.map((module) => (module.name === name ? { ...module, ...change(module) } : module)) };
}

type Kept = readonly (readonly [readonly [Uint8Array, Uint8Array], readonly Unbonding[]])[];

/** What evidence does, but for what it does to the stake that unbonds. */
function evidenceAround(
  before: (context: BlockContext, kept: Kept) => void,
  after: (context: BlockContext, kept: Kept) => void,
) {
  return withModule('evidence', ({ beginBlock }) => ({
    beginBlock(context) {
      const kept = [...unbondings.entries(context.state.store(STAKING_STORE))];
      before(context, kept);
      beginBlock?.(context);
      after(context, kept);
    },
  }));
}

/** The coins of unbonding stake are burned, and its owners keep their claims. */
export const SLASH_WITHOUT_ENTRIES = evidenceAround(
  () => {},
  ({ state }, kept) => {
    for (const [key, entries] of kept) unbondings.set(state.store(STAKING_STORE), key, entries);
  },
);

/** Stake that unbonds is not slashed at all: nothing is out of balance, but somebody got away. */
export const SLASH_FORGETS_UNBONDING = evidenceAround(
  ({ state }, kept) => {
    for (const [[delegator, operator]] of kept)
      unbondingsByValidator.delete(state.store(STAKING_STORE), [operator, delegator]);
  },
  ({ state }, kept) => {
    for (const [[delegator, operator]] of kept)
      unbondingsByValidator.add(state.store(STAKING_STORE), [operator, delegator]);
  },
);

/** One more coin in one store, from one height on. */
export function otherStoreFrom(height: bigint): ApplicationOptions {
  return withModule('bank', ({ endBlock }) => ({
    endBlock(context) {
      if (context.block.height === height)
        context.state.store(BANK_STORE).set(concat(Uint8Array.of(0xee), utf8('stray')), Uint8Array.of(1));
      return endBlock?.(context);
    },
  }));
}

/** An outcome that depends on how often this process has executed a block. */
export function countingExecutions(): ApplicationOptions {
  let executions = 0;
  return withModule('bank', ({ endBlock }) => ({
    endBlock(context) {
      executions++;
      context.events.emit('executions', [['count', String(executions)]]);
      return endBlock?.(context);
    },
  }));
}

/** Whoever funds the community pool makes a coin out of nothing. */
export const COINS_FROM_NOTHING = withModule('distribution', ({ messages = [] }) => ({
  messages: messages.map((handler) =>
    handler.typeUrl !== '/cosmos.distribution.v1beta1.MsgFundCommunityPool'
      ? handler
      : {
          ...handler,
          handle(context, message) {
            const bank = context.state.store(BANK_STORE);
            const pool = moduleAddress('distribution');
            const before = balanceOf(bank, pool, DENOM);
            setBalance(bank, pool, DENOM, before + 1n, before);
            return handler.handle(context, message);
          },
        },
  ),
}));

/** A handler that throws: the block goes on, and nobody may overlook it. */
export const THROWING_END = withModule('feegrant', () => ({
  endBlock({ block }) {
    if (block.height === 20n) throw new TypeError('no such thing');
    return undefined;
  },
}));
