import { inferenceError } from '#core/errors.ts';
import { HASH_BYTES } from '#core/poi/formats.ts';
import { err, ok, type Result } from '#core/result.ts';
import * as tx from '#proto/gen/autonomy/inference/v1/tx_pb.ts';
import { failSdk } from '../../errors.ts';
import { messageHandler, type RuntimeModule, signedBy } from '../../module.ts';
import { exportInference, inferenceInvariants, initInference } from './genesis.ts';
import {
  bondProvider,
  checkOpened,
  openResult,
  readAccount,
  requestInference,
  sealResult,
  unbondProvider,
} from './handlers.ts';
import { refundUnsealed } from './jobs.ts';
import { INFERENCE_LIMITS } from './limits.ts';
import { inferenceQueries } from './queries.ts';
import { BOND_ACCOUNT, ESCROW_ACCOUNT, INFERENCE_STORE } from './state.ts';

function positive(amount: bigint): Result<void> {
  return amount > 0n ? ok(undefined) : failSdk('invalidRequest', 'amount: expected more than 0');
}

export const inferenceModule: RuntimeModule = {
  name: 'inference',
  stores: [INFERENCE_STORE],
  moduleAccounts: { [ESCROW_ACCOUNT]: ['burner'], [BOND_ACCOUNT]: [] },
  initGenesis: initInference,
  exportGenesis: exportInference,
  messages: [
    messageHandler({
      schema: tx.MsgBondProviderSchema,
      response: tx.MsgBondProviderResponseSchema,
      signers: (message, chain) => signedBy(readAccount(chain, message.provider, 'provider')),
      validate: ({ amount }) => positive(amount),
      handle: bondProvider,
    }),
    messageHandler({
      schema: tx.MsgUnbondProviderSchema,
      response: tx.MsgUnbondProviderResponseSchema,
      signers: (message, chain) => signedBy(readAccount(chain, message.provider, 'provider')),
      validate: ({ amount }) => positive(amount),
      handle: unbondProvider,
    }),
    messageHandler({
      schema: tx.MsgRequestInferenceSchema,
      response: tx.MsgRequestInferenceResponseSchema,
      signers: (message, chain) => signedBy(readAccount(chain, message.requester, 'requester')),
      validate: ({ input }) =>
        input.length <= INFERENCE_LIMITS.inlineBytes
          ? ok(undefined)
          : err(
              inferenceError(
                'inputTooLarge',
                `input: ${input.length} bytes, expected at most ${INFERENCE_LIMITS.inlineBytes}`,
              ),
            ),
      handle: requestInference,
    }),
    messageHandler({
      schema: tx.MsgSealResultSchema,
      response: tx.MsgSealResultResponseSchema,
      signers: (message, chain) => signedBy(readAccount(chain, message.provider, 'provider')),
      validate: ({ seal }) =>
        seal.length === HASH_BYTES
          ? ok(undefined)
          : err(inferenceError('malformedResult', `seal: ${seal.length} bytes, expected ${HASH_BYTES}`)),
      handle: sealResult,
    }),
    messageHandler({
      schema: tx.MsgOpenResultSchema,
      response: tx.MsgOpenResultResponseSchema,
      signers: (message, chain) => signedBy(readAccount(chain, message.provider, 'provider')),
      validate: checkOpened,
      handle: openResult,
    }),
  ],
  queries: inferenceQueries,
  endBlock(context) {
    refundUnsealed(context);
    return undefined;
  },
  invariants: inferenceInvariants,
};
