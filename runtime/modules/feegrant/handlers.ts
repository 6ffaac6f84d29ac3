import { equal } from '#core/bytes.ts';
import { ok, type Result } from '#core/result.ts';
import { compareTime } from '#core/types/timestamp.ts';
import * as tx from '#proto/gen/cosmos/feegrant/v1beta1/tx_pb.ts';
import { parseAddress } from '../../address.ts';
import type { ChainParams, MessageContext } from '../../context.ts';
import { failSdk } from '../../errors.ts';
import { type MessageHandler, messageHandler, readable, signedBy } from '../../module.ts';
import { AUTH_STORE, createAccount, getAccount } from '../auth/state.ts';
import { type Allowance, expirationOf, readAllowance } from './allowance.ts';
import { addAllowance, FEEGRANT_STORE, getAllowance, type Parties, removeAllowance, removeExpired } from './state.ts';

/** Of one MsgPruneAllowances. */
const PRUNED_PER_MESSAGE = 75;

function readParties(message: { granter: string; grantee: string }, chain: ChainParams, same: string): Result<Parties> {
  const granter = parseAddress(chain, message.granter, 'granter');
  if (!granter.ok) return granter;
  const grantee = parseAddress(chain, message.grantee, 'grantee');
  if (!grantee.ok) return grantee;
  if (equal(granter.value, grantee.value)) return failSdk('invalidAddress', same);
  return ok({ granter: granter.value, grantee: grantee.value });
}

interface Granting extends Parties {
  readonly allowance: Allowance;
}

function readGrant(message: tx.MsgGrantAllowance, chain: ChainParams): Result<Granting> {
  const parties = readParties(message, chain, 'cannot self-grant fee authorization');
  if (!parties.ok) return parties;
  const allowance = readAllowance(message.allowance);
  return allowance.ok ? ok({ ...parties.value, allowance: allowance.value }) : allowance;
}

function grant(context: MessageContext, message: tx.MsgGrantAllowance): Result<Record<string, never>> {
  const read = readGrant(message, context.chain);
  if (!read.ok) return read;
  const { allowance, grantee } = read.value;
  const store = context.state.store(FEEGRANT_STORE);
  if (getAllowance(store, read.value) !== undefined) return failSdk('invalidRequest', 'fee allowance already exists');
  const expiration = expirationOf(allowance);
  if (expiration !== undefined && compareTime(expiration, context.block.time) < 0)
    return failSdk('invalidRequest', 'expiration is before current block time');
  const auth = context.state.store(AUTH_STORE);
  const account = getAccount(auth, grantee);
  if (account?.module !== undefined)
    return failSdk('unauthorized', `${message.grantee} is not allowed to receive funds`);
  // Who is granted fees can send a first transaction without having received a coin.
  if (account === undefined) createAccount(auth, grantee);
  addAllowance(store, read.value, allowance);
  context.events.emit('set_feegrant', [
    ['granter', message.granter],
    ['grantee', message.grantee],
  ]);
  return ok({});
}

function revoke(context: MessageContext, message: tx.MsgRevokeAllowance): Result<Record<string, never>> {
  const parties = readParties(message, context.chain, 'addresses must be different');
  if (!parties.ok) return parties;
  const store = context.state.store(FEEGRANT_STORE);
  const allowance = getAllowance(store, parties.value);
  if (allowance === undefined) return failSdk('notFound', 'fee-grant not found');
  removeAllowance(store, parties.value, allowance);
  context.events.emit('revoke_feegrant', [
    ['granter', message.granter],
    ['grantee', message.grantee],
  ]);
  return ok({});
}

export const feegrantMessages: readonly MessageHandler[] = [
  messageHandler({
    schema: tx.MsgGrantAllowanceSchema,
    response: tx.MsgGrantAllowanceResponseSchema,
    signers: (message, chain) => signedBy(parseAddress(chain, message.granter, 'granter')),
    validate: (message, chain) => readable(readGrant(message, chain)),
    handle: grant,
  }),
  messageHandler({
    schema: tx.MsgRevokeAllowanceSchema,
    response: tx.MsgRevokeAllowanceResponseSchema,
    signers: (message, chain) => signedBy(parseAddress(chain, message.granter, 'granter')),
    validate: (message, chain) => readable(readParties(message, chain, 'addresses must be different')),
    handle: revoke,
  }),
  messageHandler({
    schema: tx.MsgPruneAllowancesSchema,
    response: tx.MsgPruneAllowancesResponseSchema,
    signers: (message, chain) => signedBy(parseAddress(chain, message.pruner, 'pruner')),
    handle(context, message) {
      removeExpired(context.state.store(FEEGRANT_STORE), context.block.time, PRUNED_PER_MESSAGE);
      context.events.emit('prune_feegrant', [['pruner', message.pruner]]);
      return ok({});
    },
  }),
];
