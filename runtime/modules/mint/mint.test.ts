import { expect, test } from 'vitest';
import { fromUtf8 } from '#core/bytes.ts';
import * as q from '#proto/gen/cosmos/mint/v1beta1/query_pb.ts';
import { startStakingChain } from '../staking/test-network.ts';
import { sdkMint } from './sdk-genesis.test-util.ts';

const MINT = sdkMint('uauton');

test('without it in the genesis document nothing is minted, and the queries say so', async () => {
  const net = await startStakingChain();
  const { events } = await net.block();
  expect(events.filter(({ type }) => type === 'mint')).toEqual([]);
  const answer = net.query(
    '/cosmos.mint.v1beta1.Query/Inflation',
    q.QueryInflationRequestSchema,
    q.QueryInflationResponseSchema,
    {},
  );
  expect(fromUtf8(answer.inflation)).toBe('0');
  expect(net.chain.app.exportGenesis().mint).toBe(null);
});

test('inflation moves towards the goal, and what is minted is distributed', async () => {
  const net = await startStakingChain({ moduleState: { mint: MINT } });
  const { events } = await net.block();
  const minted = events.find(({ type }) => type === 'mint')?.attributes.map(({ value }) => value);
  // 40 of 7000 million are bonded; (1 − 0.005714285714285714/0.67) · 0.13/6311520 more than 0.13.
  expect(minted).toEqual([
    '0.005714285714285714',
    '0.130000020421587509',
    '910000142.951112563000000000',
    '144',
    'BeginBlock',
  ]);
  await net.block();
  await net.block();
  expect(net.chain.app.brokenInvariants()).toEqual([]);
  const supply = net.chain.app.exportGenesis().bank as { supply: readonly { amount: string }[] };
  expect(supply.supply[0]?.amount).toBe(String(7_000_000_000n + 3n * 144n));
});
