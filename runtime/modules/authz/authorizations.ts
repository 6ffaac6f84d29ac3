/**
 * What a granter lets a grantee do in his name (x/authz of v0.50). Closed: each kind of authorization is one line in
 * {@link AUTHORIZATIONS}.
 */
import { equal } from '#core/bytes.ts';
import { ERRORS } from '#core/errors.ts';
import { err, ok, type Result } from '#core/result.ts';
import { GenericAuthorizationSchema } from '#proto/gen/cosmos/authz/v1beta1/authz_pb.ts';
import { SendAuthorizationSchema } from '#proto/gen/cosmos/bank/v1beta1/authz_pb.ts';
import { type MsgSend, MsgSendSchema } from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import { type DescMessage, pack, typeUrlOf } from '#proto/message.ts';
import { parseAddress } from '../../address.ts';
import { parseCoins, subtractCoins, toProtoCoin } from '../../coins.ts';
import type { AnyMessage, MessageContext } from '../../context.ts';
import { failSdk } from '../../errors.ts';
import { RUNTIME_LIMITS } from '../../limits.ts';
import { type AuthorizationKind, authorizationKind } from './kind.ts';
import { stakeAuthorization } from './stake.ts';

const generic = authorizationKind({
  schema: GenericAuthorizationSchema,
  read: ({ msg }) => ok(msg),
  accept: () => ok('as it is'),
});

const SEND_URL = typeUrlOf(MsgSendSchema);
/** x/bank: for each address that is compared. */
const GAS_PER_ADDRESS = 10n;

const send = authorizationKind({
  schema: SendAuthorizationSchema,
  read({ spendLimit, allowList }, chain) {
    const limit = parseCoins(spendLimit, 'spend_limit');
    if (!limit.ok) return failSdk('invalidCoins', limit.error);
    if (limit.value.length === 0) return failSdk('invalidCoins', 'spend limit must be positive');
    if (allowList.length > RUNTIME_LIMITS.maxAllowedAddresses)
      return failSdk('invalidRequest', `allow_list: ${allowList.length} exceed ${RUNTIME_LIMITS.maxAllowedAddresses}`);
    if (new Set(allowList).size !== allowList.length)
      return err({ codespace: 'bank', code: ERRORS.bank.duplicateEntry, message: 'allow_list: duplicate entry' });
    for (const [i, text] of allowList.entries()) {
      const address = parseAddress(chain, text, `allow_list[${i}]`);
      if (!address.ok) return address;
    }
    return ok(SEND_URL);
  },
  accept(context, { spendLimit, allowList }, { message }) {
    const { toAddress, amount } = message as MsgSend;
    const limit = parseCoins(spendLimit, 'spend_limit');
    const wanted = parseCoins(amount, 'amount');
    if (!limit.ok || !wanted.ok) return failSdk('invalidCoins', limit.ok ? 'amount' : limit.error);
    const left = subtractCoins(limit.value, wanted.value);
    if (left === undefined) return failSdk('insufficientFunds', 'requested amount is more than spend limit');
    const allowed = isAllowed(context, allowList, toAddress);
    if (!allowed.ok) return allowed;
    if (left.length === 0) return ok(undefined);
    return ok(pack(SendAuthorizationSchema, { spendLimit: left.map(toProtoCoin), allowList }));
  },
});

function isAllowed(context: MessageContext, allowList: readonly string[], text: string): Result<void> {
  if (allowList.length === 0) return ok(undefined);
  const to = parseAddress(context.chain, text, 'to_address');
  if (!to.ok) return to;
  for (const one of allowList) {
    context.gas.consume(GAS_PER_ADDRESS, 'send authorization');
    const address = parseAddress(context.chain, one, 'allow_list');
    if (address.ok && equal(address.value, to.value)) return ok(undefined);
  }
  return failSdk('unauthorized', `cannot send to ${text} address`);
}

const AUTHORIZATIONS: readonly AuthorizationKind[] = [generic, send, stakeAuthorization];

const BY_URL = new Map(AUTHORIZATIONS.map((kind) => [typeUrlOf(kind.schema), kind]));

export const AUTHORIZATION_TYPES: readonly DescMessage[] = AUTHORIZATIONS.map(({ schema }) => schema);

export function kindOf(authorization: AnyMessage | undefined): Result<AuthorizationKind> {
  const kind = BY_URL.get(authorization?.typeUrl ?? '');
  if (kind !== undefined) return ok(kind);
  return failSdk('invalidType', `authorization: ${(authorization?.typeUrl ?? 'missing').slice(0, 200)} is none here`);
}
