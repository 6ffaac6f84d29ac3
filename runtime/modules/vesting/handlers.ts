/** Accounts whose coins vest. All three messages make a new account and pay its coins; none changes an existing one. */
import { MAX_INT64 } from '#core/int.ts';
import { ok, type Result } from '#core/result.ts';
import * as tx from '#proto/gen/cosmos/vesting/v1beta1/tx_pb.ts';
import { formatAddress, parseAddress } from '../../address.ts';
import { type Coin, parseCoins } from '../../coins.ts';
import type { ChainParams, MessageContext } from '../../context.ts';
import { failSdk } from '../../errors.ts';
import { type MessageHandler, messageHandler, readable, signedBy } from '../../module.ts';
import { createAccount, hasAccount, setAccount } from '../auth/state.ts';
import { isBlocked, ledgerOf, requireSendEnabled, sendCoins } from '../bank/ledger.ts';
import { readPeriods } from './rules.ts';
import { newVesting, type Schedule } from './schedule.ts';

interface Parties {
  readonly fromAddress: string;
  readonly toAddress: string;
}

interface Creation {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
  readonly coins: readonly Coin[];
}

function readParties(message: Parties, chain: ChainParams): Result<Omit<Creation, 'coins'>> {
  const from = parseAddress(chain, message.fromAddress, 'from_address');
  if (!from.ok) return from;
  const to = parseAddress(chain, message.toAddress, 'to_address');
  return to.ok ? ok({ from: from.value, to: to.value }) : to;
}

function readCreation(
  message: Parties & Pick<tx.MsgCreateVestingAccount, 'amount'>,
  chain: ChainParams,
): Result<Creation> {
  const parties = readParties(message, chain);
  if (!parties.ok) return parties;
  const coins = parseCoins(message.amount, 'amount');
  if (!coins.ok) return failSdk('invalidCoins', coins.error);
  if (coins.value.length === 0) return failSdk('invalidCoins', 'amount: expected at least one coin');
  return ok({ ...parties.value, coins: coins.value });
}

function readVesting(message: tx.MsgCreateVestingAccount, chain: ChainParams): Result<Creation> {
  if (message.endTime <= 0n || message.endTime > MAX_INT64) return failSdk('invalidRequest', 'invalid end time');
  return readCreation(message, chain);
}

function readPeriodic(
  message: tx.MsgCreatePeriodicVestingAccount,
  chain: ChainParams,
): Result<Creation & { readonly schedule: Schedule }> {
  const parties = readParties(message, chain);
  if (!parties.ok) return parties;
  const { startTime } = message;
  const read = readPeriods(startTime, message.vestingPeriods, 'vesting_periods');
  if (!read.ok) return failSdk('invalidRequest', read.error);
  const { periods, total, endTime } = read.value;
  return ok({ ...parties.value, coins: total, schedule: { kind: 'periodic', startTime, endTime, periods } });
}

function create(
  context: MessageContext,
  { from, to, coins }: Creation,
  schedule: Schedule,
): Result<Record<string, never>> {
  const ledger = ledgerOf(context);
  const enabled = requireSendEnabled(ledger, coins);
  if (!enabled.ok) return enabled;
  const text = formatAddress(context.chain, to);
  if (isBlocked(ledger, to)) return failSdk('unauthorized', `${text} is not allowed to receive funds`);
  if (hasAccount(ledger.auth, to)) return failSdk('invalidRequest', `account ${text} already exists`);
  setAccount(ledger.auth, { ...createAccount(ledger.auth, to), vesting: newVesting(schedule, coins) });
  const sent = sendCoins(ledger, from, to, coins);
  return sent.ok ? ok({}) : sent;
}

function createVesting(context: MessageContext, message: tx.MsgCreateVestingAccount): Result<Record<string, never>> {
  const creation = readVesting(message, context.chain);
  if (!creation.ok) return creation;
  const { endTime } = message;
  if (message.delayed) return create(context, creation.value, { kind: 'delayed', endTime });
  const startTime = context.block.time.seconds;
  if (startTime >= endTime)
    return failSdk('invalidRequest', `end time ${endTime}: expected after the block's time, ${startTime}`);
  return create(context, creation.value, { kind: 'continuous', startTime, endTime });
}

function signers(message: Parties, chain: ChainParams): Result<readonly Uint8Array[]> {
  return signedBy(parseAddress(chain, message.fromAddress, 'from_address'));
}

export const vestingMessages: readonly MessageHandler[] = [
  messageHandler({
    schema: tx.MsgCreateVestingAccountSchema,
    response: tx.MsgCreateVestingAccountResponseSchema,
    signers,
    validate: (message, chain) => readable(readVesting(message, chain)),
    handle: createVesting,
  }),
  messageHandler({
    schema: tx.MsgCreatePermanentLockedAccountSchema,
    response: tx.MsgCreatePermanentLockedAccountResponseSchema,
    signers,
    validate: (message, chain) => readable(readCreation(message, chain)),
    handle(context, message) {
      const creation = readCreation(message, context.chain);
      return creation.ok ? create(context, creation.value, { kind: 'permanent' }) : creation;
    },
  }),
  messageHandler({
    schema: tx.MsgCreatePeriodicVestingAccountSchema,
    response: tx.MsgCreatePeriodicVestingAccountResponseSchema,
    signers,
    validate: (message, chain) => readable(readPeriodic(message, chain)),
    handle(context, message) {
      const creation = readPeriodic(message, context.chain);
      return creation.ok ? create(context, creation.value, creation.value.schedule) : creation;
    },
  }),
];
