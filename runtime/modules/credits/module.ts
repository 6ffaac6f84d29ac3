import { ok } from '#core/result.ts';
import * as q from '#proto/gen/autonomy/credits/v1/query_pb.ts';
import * as tx from '#proto/gen/autonomy/credits/v1/tx_pb.ts';
import { parseAddress } from '../../address.ts';
import { failSdk } from '../../errors.ts';
import { messageHandler, queryHandler, type RuntimeModule, signedBy } from '../../module.ts';
import { BANK_STORE, supplyOf } from '../bank/state.ts';
import { creditInvariants, exportCredits, initCredits } from './genesis.ts';
import { buyCredits } from './settlement.ts';
import { CREDITS_ACCOUNT, CREDITS_STORE, getParams, getPool, TREASURY_ACCOUNT } from './state.ts';

export const creditsModule: RuntimeModule = {
  name: 'credits',
  stores: [CREDITS_STORE],
  moduleAccounts: { [CREDITS_ACCOUNT]: ['minter', 'burner'], [TREASURY_ACCOUNT]: [] },
  initGenesis: initCredits,
  exportGenesis: exportCredits,
  messages: [
    messageHandler({
      schema: tx.MsgBuyCreditsSchema,
      response: tx.MsgBuyCreditsResponseSchema,
      signers: (message, chain) => signedBy(parseAddress(chain, message.buyer, 'buyer')),
      validate: ({ amount }) =>
        amount > 0n ? ok(undefined) : failSdk('invalidRequest', 'amount: expected more than 0uauton'),
      handle(context, message) {
        const buyer = parseAddress(context.chain, message.buyer, 'buyer');
        if (!buyer.ok) return buyer;
        const credits = buyCredits(context, buyer.value, message.amount, message.minCredits);
        return credits.ok ? ok({ credits: credits.value }) : credits;
      },
    }),
  ],
  queries: [
    queryHandler({
      path: '/autonomy.credits.v1.Query/Params',
      request: q.QueryParamsRequestSchema,
      response: q.QueryParamsResponseSchema,
      query: ({ state }) => ok({ params: getParams(state.store(CREDITS_STORE)) }),
    }),
    queryHandler({
      path: '/autonomy.credits.v1.Query/Pool',
      request: q.QueryPoolRequestSchema,
      response: q.QueryPoolResponseSchema,
      query: ({ state, chain }) =>
        ok({
          pool: getPool(state.store(CREDITS_STORE)),
          supply: supplyOf(state.store(BANK_STORE), chain.baseDenom),
        }),
    }),
  ],
  invariants: creditInvariants,
};
