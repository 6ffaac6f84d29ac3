import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EMPTY } from '#core/bytes.ts';
import { addMillis, type Timestamp } from '#core/types/timestamp.ts';
import { BasicAllowanceSchema } from '#proto/gen/cosmos/feegrant/v1beta1/feegrant_pb.ts';
import { MsgGrantAllowanceSchema } from '#proto/gen/cosmos/feegrant/v1beta1/tx_pb.ts';
import { MsgCreateVestingAccountSchema } from '#proto/gen/cosmos/vesting/v1beta1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import { authModule } from './modules/auth/module.ts';
import { bankModule } from './modules/bank/module.ts';
import { chainModule } from './modules/chain/module.ts';
import { feegrantModule } from './modules/feegrant/module.ts';
import { vestingModule } from './modules/vesting/module.ts';
import { startTestChain, TEST_TIME, type TestChain, testKey } from './test-chain.ts';
import { rememberingVerifier } from './tx/mixed-txs.test-util.ts';

const keys = [1, 2, 3].map(testKey) as [
  ReturnType<typeof testKey>,
  ReturnType<typeof testKey>,
  ReturnType<typeof testKey>,
];
const [alice, bob, carol] = keys;
const dave = testKey(4);
const vester = testKey(70);
const GAS = 100_000n;

const verifier = rememberingVerifier();

/** With an account whose coins vest soon, and an allowance that soon expires. */
async function startChain(maxGas = -1n): Promise<TestChain> {
  const chain = await startTestChain({
    modules: [chainModule, authModule, bankModule, feegrantModule, vestingModule],
    verifier,
    maxGas,
    accounts: 4,
  });
  const vesting = pack(MsgCreateVestingAccountSchema, {
    fromAddress: chain.address(alice),
    toAddress: chain.address(vester),
    amount: [{ denom: 'uauton', amount: '2000' }],
    endTime: TEST_TIME.seconds + 4n,
    delayed: true,
  });
  const allowance = pack(MsgGrantAllowanceSchema, {
    granter: chain.address(alice),
    grantee: chain.address(dave),
    allowance: pack(BasicAllowanceSchema, { expiration: { seconds: TEST_TIME.seconds + 10n } }),
  });
  const { txResults } = await chain.block([chain.sign(alice, { messages: [vesting, allowance], gasLimit: 250_000n })]);
  expect(txResults).toMatchObject([{ code: 0 }]);
  return chain;
}

function signedTxs(chain: TestChain): readonly Uint8Array[] {
  const send = (from: typeof alice, to: typeof alice, amount: bigint) => chain.send(from, chain.address(to), amount);
  const plan = (messages: ReturnType<typeof send>[]) => ({ messages, gasLimit: GAS });
  return [
    ...[0n, 1n, 2n].map((ahead) => chain.sign(alice, plan([send(alice, bob, 1n)]), ahead)),
    ...[0n, 1n].map((ahead) => chain.sign(bob, { ...plan([send(bob, carol, 1n)]), memo: 'longer than others' }, ahead)),
    chain.sign(carol, plan([send(carol, alice, 1n)])),
    // Another that takes the same place.
    chain.sign(carol, plan([send(carol, alice, 2n)])),
    // Pays the fee with coins that have vested by the block's time, if it is late.
    chain.sign(vester, plan([send(vester, alice, 1n)])),
    // Pays it by an allowance that has expired by then.
    chain.sign(dave, { ...plan([send(dave, alice, 1n)]), feeGranter: chain.address(alice) }),
    Uint8Array.of(1, 2, 3),
  ];
}

function propose(chain: TestChain, txs: readonly Uint8Array[], maxTxBytes: number, time?: Timestamp) {
  const { decidedLastCommit, ...context } = chain.request(txs);
  const localLastCommit = { round: decidedLastCommit.round, votes: [] };
  return chain.app.prepareProposal({
    ...context,
    ...(time === undefined ? {} : { time }),
    maxTxBytes,
    localLastCommit,
  });
}

test('a proposal is of its own time, whatever the check of the mempool saw', async () => {
  const chain = await startChain();
  const tx = signedTxs(chain)[8] ?? EMPTY;
  expect(await chain.app.checkTx({ tx, type: 'new' })).toMatchObject({ code: 0 });
  expect(propose(chain, [tx], 10_000)).toEqual([tx]);
  expect(propose(chain, [tx], 10_000, addMillis(TEST_TIME, 60_000n))).toEqual([]);
});

test('a proposal has the same transactions whether the mempool has checked them before or not', async () => {
  const count = signedTxs(await startChain()).length;
  const anyOrder = fc.array(fc.nat(count - 1), { maxLength: 8 });
  const inOrder = fc.subarray([...Array(count).keys()]);
  const order = fc.oneof(anyOrder, inOrder);
  await fc.assert(
    fc.asyncProperty(
      order,
      fc.oneof(fc.constant(undefined), order),
      fc.constantFrom(10_000, 700, 1_000),
      fc.constantFrom(-1n, 3n * GAS, 4n * GAS + 1n),
      fc.boolean(),
      async (checked, other, maxTxBytes, maxGas, late) => {
        const [one, fresh] = [await startChain(maxGas), await startChain(maxGas)];
        const txs = signedTxs(one);
        const pick = (places: readonly number[]) => places.map((place) => txs[place] ?? EMPTY);
        for (const tx of pick(checked)) await one.app.checkTx({ tx, type: 'new' });
        const offered = pick(other ?? checked);
        const time = late ? addMillis(TEST_TIME, 60_000n) : undefined;
        const expected = propose(fresh, offered, maxTxBytes, time);
        expect(propose(one, offered, maxTxBytes, time)).toEqual(expected);
        expect(propose(one, offered, maxTxBytes, time), 'nothing is left behind').toEqual(expected);
        // After a block that had the first of them, what is left is checked again.
        const block = expected.slice(0, 1);
        await one.block(block);
        await fresh.block(block);
        const rest = expected.slice(1);
        for (const tx of rest) await one.app.checkTx({ tx, type: 'recheck' });
        expect(propose(one, rest, maxTxBytes)).toEqual(propose(fresh, rest, maxTxBytes));
      },
    ),
    { numRuns: 60 },
  );
});
