/** What governance decides about denominations: whether accounts may send them to each other. */
import { ok, type Result } from '#core/result.ts';
import * as tx from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import { authoritySigners, requireAuthority } from '../../authority.ts';
import { isDenom } from '../../coins.ts';
import { failSdk } from '../../errors.ts';
import { type MessageHandler, messageHandler } from '../../module.ts';
import { BANK_STORE, defaultSendEnabled, sendEnabled } from './state.ts';

function checkDenoms(denoms: readonly string[], title: string): Result<void> {
  if (new Set(denoms).size !== denoms.length)
    return failSdk('invalidRequest', `${title}: a denomination is listed twice`);
  for (const denom of denoms)
    if (!isDenom(denom))
      return failSdk('invalidRequest', `${title}: ${JSON.stringify(denom.slice(0, 150))} is not a denomination`);
  return ok(undefined);
}

export const bankAuthorityMessages: readonly MessageHandler[] = [
  messageHandler({
    schema: tx.MsgUpdateParamsSchema,
    response: tx.MsgUpdateParamsResponseSchema,
    signers: ({ authority }, chain) => authoritySigners(chain, authority),
    validate({ params }) {
      if (params === undefined) return failSdk('invalidRequest', 'params: missing');
      return params.sendEnabled.length === 0
        ? ok(undefined)
        : failSdk('invalidRequest', 'params.send_enabled: no longer used, send MsgSetSendEnabled instead');
    },
    handle(context, { authority, params }) {
      const allowed = requireAuthority(context.chain, authority);
      if (!allowed.ok) return allowed;
      defaultSendEnabled.set(context.state.store(BANK_STORE), params?.defaultSendEnabled ?? false);
      return ok({});
    },
  }),
  messageHandler({
    schema: tx.MsgSetSendEnabledSchema,
    response: tx.MsgSetSendEnabledResponseSchema,
    signers: ({ authority }, chain) => authoritySigners(chain, authority),
    validate({ sendEnabled: entries, useDefaultFor }) {
      const denoms = entries.map(({ denom }) => denom);
      const first = checkDenoms(denoms, 'send_enabled');
      return first.ok ? checkDenoms(useDefaultFor, 'use_default_for') : first;
    },
    handle(context, { authority, sendEnabled: entries, useDefaultFor }) {
      const allowed = requireAuthority(context.chain, authority);
      if (!allowed.ok) return allowed;
      const store = context.state.store(BANK_STORE);
      for (const { denom, enabled } of entries) sendEnabled.set(store, denom, enabled);
      for (const denom of useDefaultFor) sendEnabled.delete(store, denom);
      return ok({});
    },
  }),
];
