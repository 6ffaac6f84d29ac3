/** Paying fees for somebody else: what the ante checks call. */
import { err, ok, type Result } from '#core/result.ts';
import type { Timestamp } from '#core/types/timestamp.ts';
import { formatAddress } from '../../address.ts';
import type { Coin } from '../../coins.ts';
import type { ChainParams, EventSink } from '../../context.ts';
import { failSdk } from '../../errors.ts';
import type { GasMeter } from '../../state/gas.ts';
import type { StateWriter } from '../../state/kv-view.ts';
import { useAllowance } from './allowance.ts';
import { FEEGRANT_STORE, getAllowance, type Parties, removeAllowance, updateAllowance } from './state.ts';

export interface FeeContext {
  readonly state: StateWriter;
  readonly gas: GasMeter;
  readonly events: EventSink;
  readonly chain: ChainParams;
  readonly block: { readonly time: Timestamp };
}

/** x/feegrant gasCostPerIteration: for each message type that is compared. */
const GAS_PER_MESSAGE = 10n;

/** Spends the grantee's allowance; its granter's coins are moved by the caller. `messages`: type URLs. */
export function useGrantedFees(
  context: FeeContext,
  parties: Parties,
  fee: readonly Coin[],
  messages: readonly string[],
): Result<void> {
  const { chain, events } = context;
  const store = context.state.store(FEEGRANT_STORE);
  const [granter, grantee] = [formatAddress(chain, parties.granter), formatAddress(chain, parties.grantee)];
  const refuse = (message: string): string => `${granter} does not allow to pay fees for ${grantee}: ${message}`;
  const allowance = getAllowance(store, parties);
  if (allowance === undefined) return failSdk('notFound', refuse('fee-grant not found'));
  if (allowance.kind === 'allowed messages')
    context.gas.consume(GAS_PER_MESSAGE * BigInt(allowance.messages.length + messages.length), 'check msg');
  const left = useAllowance(allowance, fee, messages, context.block.time);
  if (!left.ok) return err({ ...left.error, message: refuse(left.error.message) });
  const attributes = [
    ['granter', granter],
    ['grantee', grantee],
  ] as const;
  if (left.value === undefined) {
    removeAllowance(store, parties, allowance);
    events.emit('revoke_feegrant', attributes);
    events.emit('use_feegrant', attributes);
  } else {
    events.emit('use_feegrant', attributes);
    updateAllowance(store, parties, left.value);
    events.emit('update_feegrant', attributes);
  }
  return ok(undefined);
}
