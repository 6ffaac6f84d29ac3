import { expect, test } from 'vitest';
import { ok } from '#core/result.ts';
import { SimulateRequestSchema, SimulateResponseSchema } from '#proto/gen/cosmos/tx/v1beta1/service_pb.ts';
import {
  MsgCreateVestingAccountResponseSchema,
  MsgCreateVestingAccountSchema,
} from '#proto/gen/cosmos/vesting/v1beta1/tx_pb.ts';
import { decodeStrict, encode, pack } from '#proto/message.ts';
import { parseAddress } from '../address.ts';
import { messageHandler, type RuntimeModule } from '../module.ts';
import { authModule } from '../modules/auth/module.ts';
import { bankModule } from '../modules/bank/module.ts';
import { chainModule } from '../modules/chain/module.ts';
import { startTestChain, type TestChain, testKey } from '../test-chain.ts';
import { buildSimulation } from './build.ts';
import { SIMULATE_PATH } from './service.ts';

const alice = testKey(1);

/** A message that goes on for ever, and pays for each step. */
const endless: RuntimeModule = {
  name: 'endless',
  stores: [],
  messages: [
    messageHandler({
      schema: MsgCreateVestingAccountSchema,
      response: MsgCreateVestingAccountResponseSchema,
      signers(message, chain) {
        const from = parseAddress(chain, message.fromAddress, 'from_address');
        return from.ok ? ok([from.value]) : from;
      },
      handle({ gas }) {
        for (;;) gas.consume(1_000n, 'a step');
      },
    }),
  ],
};

function simulate(chain: TestChain, message: { typeUrl: string; value: Uint8Array }, sequence = 0n) {
  const plan = { messages: [message], fee: [], gasLimit: 0n };
  const txBytes = buildSimulation(plan, [{ publicKey: alice.publicKey, sequence }]);
  const data = encode(SimulateRequestSchema, { txBytes });
  return chain.app.query({ path: SIMULATE_PATH, data, height: 0n, prove: false });
}

test('a simulation ends at the gas limit of queries, whatever the message does', async () => {
  const chain = await startTestChain({ modules: [chainModule, authModule, bankModule, endless] });
  await chain.block();
  const answer = simulate(chain, pack(MsgCreateVestingAccountSchema, { fromAddress: chain.address(alice) }));
  expect(answer.code).not.toBe(0);
  expect(answer.log).toContain('out of gas in location: a step; gasWanted: 100000000');
  // The node is none the worse for it.
  expect(simulate(chain, chain.send(alice, chain.address(testKey(2)), 1n)).code).toBe(0);
});

test('a send costs what wallets expect, simulated and delivered alike', async () => {
  const chain = await startTestChain();
  await chain.block();
  const cases = [
    [testKey(2), 55_000n, 65_000n],
    [testKey(90), 62_000n, 75_000n],
  ] as const;
  for (const [i, [to, low, high]] of cases.entries()) {
    const message = chain.send(alice, chain.address(to), 1_000n);
    const answer = simulate(chain, message, BigInt(i));
    const simulated = decodeStrict(SimulateResponseSchema, answer.value);
    const estimate = simulated.ok ? (simulated.value.gasInfo?.gasUsed ?? 0n) : 0n;
    const { gasUsed, code } = await chain.deliver(chain.sign(alice, { messages: [message] }));
    expect(code).toBe(0);
    expect(gasUsed).toBeGreaterThan(low);
    expect(gasUsed).toBeLessThan(high);
    expect(estimate * 10n).toBeGreaterThan(gasUsed * 9n);
    expect(estimate * 10n).toBeLessThan(gasUsed * 11n);
  }
});
