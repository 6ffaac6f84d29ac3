import { expect, test } from 'vitest';
import { defined } from '#core/assert.ts';
import { HistoricalInfoSchema } from '#proto/gen/cosmos/staking/v1beta1/staking_pb.ts';
import { encode } from '#proto/message.ts';
import { formatOperator } from './addresses.ts';
import { validatorMessage } from './records.ts';
import { getValidator, historicalInfos, lastPowers, STAKING_STORE } from './state.ts';
import { startStakingChain } from './test-network.ts';

test('what is kept of a block is what protobuf makes of the same HistoricalInfo', async () => {
  const network = await startStakingChain({ stakes: [10_000_000n, 30_000_000n, 20_000_000n], count: 3 });
  await network.block();
  await network.block();
  const { state, chain } = defined(network.chain.app.stateAt(0n), 'a committed state');
  const store = state.store(STAKING_STORE);
  const kept = defined(store.get(historicalInfos.storeKey(2n)), 'the record of block 2');
  const byPower = [...lastPowers.entries(store)].sort(([, a], [, b]) => Number(b - a));
  expect(byPower.map(([, power]) => power)).toEqual([30n, 20n, 10n]);
  const expected = encode(HistoricalInfoSchema, {
    header: {
      chainId: chain.chainId,
      height: 2n,
      time: { ...network.time() },
      proposerAddress: defined(network.signers().validators[0], 'a proposer').address,
    },
    valset: byPower.map(([operator]) =>
      validatorMessage(defined(getValidator(store, operator), 'a validator'), formatOperator(chain, operator)),
    ),
  });
  expect(kept).toEqual(expected);
});
