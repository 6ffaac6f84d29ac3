/** What governance may change, through the council that it has authorized in the genesis. */

import * as auth from '#proto/gen/cosmos/auth/v1beta1/tx_pb.ts';
import * as authz from '#proto/gen/cosmos/authz/v1beta1/tx_pb.ts';
import * as bank from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import * as consensus from '#proto/gen/cosmos/consensus/v1/tx_pb.ts';
import * as distribution from '#proto/gen/cosmos/distribution/v1beta1/tx_pb.ts';
import * as mint from '#proto/gen/cosmos/mint/v1beta1/tx_pb.ts';
import * as slashing from '#proto/gen/cosmos/slashing/v1beta1/tx_pb.ts';
import * as staking from '#proto/gen/cosmos/staking/v1beta1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import { MINT_STORE, minter } from '#runtime/modules/mint/state.ts';
import { decBytes } from '#runtime/modules/slashing/state.ts';
import { council, DENOM, GOVERNANCE, SECOND_DENOM } from '../scenario.ts';
import { coin, type Message, type Operation, type Scene, somebody } from './operation.ts';

const authority = GOVERNANCE;
const hundredths = (n: number): string => String(BigInt(n) * 10_000_000_000_000_000n);
const fraction = (n: number): Uint8Array => decBytes(BigInt(n) * 10_000_000_000_000_000n);

function operation(
  name: string,
  message: (scene: Scene) => Message,
  isPossible: (scene: Scene) => boolean = () => true,
): Operation {
  return {
    name: `governance ${name}`,
    weight: 0.25,
    make(scene) {
      if (!isPossible(scene)) return undefined;
      const signer = council();
      const msgs = [{ ...message(scene) }];
      return { signer, messages: [pack(authz.MsgExecSchema, { grantee: signer.text, msgs })], gasLimit: 1_000_000n };
    },
  };
}

const ED25519 = { pubKeyTypes: ['ed25519'] };

export const governanceOperations: readonly Operation[] = [
  operation('auth params', ({ rng }) =>
    pack(auth.MsgUpdateParamsSchema, {
      authority,
      params: {
        maxMemoCharacters: BigInt(rng.between(100, 300)),
        txSigLimit: BigInt(rng.between(1, 7)),
        txSizeCostPerByte: BigInt(rng.between(5, 15)),
        sigVerifyCostEd25519: 590n,
        sigVerifyCostSecp256k1: BigInt(rng.between(500, 2_000)),
      },
    }),
  ),
  operation('bank params', () =>
    pack(bank.MsgUpdateParamsSchema, { authority, params: { sendEnabled: [], defaultSendEnabled: true } }),
  ),
  operation('bank send enabled', ({ rng }) =>
    pack(bank.MsgSetSendEnabledSchema, {
      authority,
      sendEnabled: [{ denom: SECOND_DENOM, enabled: rng.chance(0.5) }],
      useDefaultFor: rng.chance(0.3) ? ['unheard'] : [],
    }),
  ),
  operation('staking params', ({ rng }) =>
    pack(staking.MsgUpdateParamsSchema, {
      authority,
      params: {
        unbondingTime: { seconds: BigInt(rng.pick([5, 12, 30, 60])), nanos: rng.pick([0, 500_000_000]) },
        maxValidators: rng.between(1, 9),
        maxEntries: rng.between(1, 7),
        historicalEntries: rng.pick([0, 3, 10]),
        bondDenom: rng.chance(0.9) ? DENOM : SECOND_DENOM,
        minCommissionRate: hundredths(rng.pick([0, 5])),
      },
    }),
  ),
  operation('slashing params', ({ rng }) =>
    pack(slashing.MsgUpdateParamsSchema, {
      authority,
      params: {
        signedBlocksWindow: BigInt(rng.between(2, 25)),
        minSignedPerWindow: fraction(rng.pick([5, 50, 90])),
        downtimeJailDuration: { seconds: BigInt(rng.between(1, 15)), nanos: 0 },
        slashFractionDoubleSign: fraction(rng.pick([0, 5, 33, 99, 100, 101])),
        slashFractionDowntime: fraction(rng.pick([0, 1, 7, 25])),
      },
    }),
  ),
  operation('distribution params', ({ rng }) =>
    pack(distribution.MsgUpdateParamsSchema, {
      authority,
      params: {
        communityTax: hundredths(rng.pick([0, 2, 50, 100, 101])),
        baseProposerReward: '0',
        bonusProposerReward: '0',
        withdrawAddrEnabled: rng.chance(0.8),
      },
    }),
  ),
  operation('community pool spend', (scene) =>
    pack(distribution.MsgCommunityPoolSpendSchema, {
      authority,
      recipient: somebody(scene).text,
      amount: [coin(BigInt(scene.rng.pick([1, 500, 2_000_000_000])))],
    }),
  ),
  operation(
    'mint params',
    ({ rng }) =>
      pack(mint.MsgUpdateParamsSchema, {
        authority,
        params: {
          mintDenom: DENOM,
          inflationRateChange: hundredths(rng.between(0, 20)),
          inflationMax: hundredths(rng.between(10, 30)),
          inflationMin: hundredths(rng.between(0, 12)),
          goalBonded: hundredths(rng.between(0, 90)),
          blocksPerYear: BigInt(rng.pick([0, 100_000, 1_000_000])),
        },
      }),
    ({ census }) => minter.get(census.context.state.store(MINT_STORE)) !== undefined,
  ),
  operation('consensus params', ({ rng }) =>
    pack(consensus.MsgUpdateParamsSchema, {
      authority,
      block: {
        maxBytes: BigInt(rng.pick([300_000, 4_194_304])),
        maxGas: BigInt(rng.pick([-1, -1, 5_000_000, 12_000_000, 10])),
      },
      evidence: {
        maxAgeNumBlocks: BigInt(rng.between(10, 100_000)),
        maxAgeDuration: { seconds: BigInt(rng.between(10, 172_800)), nanos: 0 },
        maxBytes: 100_000n,
      },
      validator: ED25519,
    }),
  ),
];
