import { ok, type Result } from '#core/result.ts';
import * as tx from '#proto/gen/cosmos/auth/v1beta1/tx_pb.ts';
import { authoritySigners, requireAuthority } from '../../authority.ts';
import { failSdk } from '../../errors.ts';
import { type MessageHandler, messageHandler, readable } from '../../module.ts';
import { AUTH_STORE, type AuthParams, authParams } from './state.ts';

function readParams(message: tx.MsgUpdateParams): Result<AuthParams> {
  const { params } = message;
  if (params === undefined) return failSdk('invalidRequest', 'params: missing');
  const read: AuthParams = {
    maxMemoCharacters: params.maxMemoCharacters,
    txSigLimit: params.txSigLimit,
    txSizeCostPerByte: params.txSizeCostPerByte,
    sigVerifyCostEd25519: params.sigVerifyCostEd25519,
    sigVerifyCostSecp256k1: params.sigVerifyCostSecp256k1,
  };
  for (const [name, value] of Object.entries(read))
    if (value === 0n) return failSdk('invalidRequest', `params.${name}: must be positive`);
  return ok(read);
}

export const authMessages: readonly MessageHandler[] = [
  messageHandler({
    schema: tx.MsgUpdateParamsSchema,
    response: tx.MsgUpdateParamsResponseSchema,
    signers: ({ authority }, chain) => authoritySigners(chain, authority),
    validate: (message) => readable(readParams(message)),
    handle(context, message) {
      const allowed = requireAuthority(context.chain, message.authority);
      if (!allowed.ok) return allowed;
      const params = readParams(message);
      if (!params.ok) return params;
      authParams.set(context.state.store(AUTH_STORE), params.value);
      return ok({});
    },
  }),
];
