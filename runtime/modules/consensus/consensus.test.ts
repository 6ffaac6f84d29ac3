import { expect, test } from 'vitest';
import { DEFAULT_CONSENSUS_PARAMS } from '#core/types/consensus-params.ts';
import * as q from '#proto/gen/cosmos/consensus/v1/query_pb.ts';
import { MsgUpdateParamsSchema } from '#proto/gen/cosmos/consensus/v1/tx_pb.ts';
import { create, decodeStrict, encode, type MessageInitShape, pack } from '#proto/message.ts';
import { formatAddress, moduleAddress } from '../../address.ts';
import { GOV_ACCOUNT } from '../../authority.ts';
import type { RuntimeModule } from '../../module.ts';
import { MODULES, moduleTable } from '../../module-table.ts';
import { infiniteGasMeter } from '../../state/gas.ts';
import { startTestChain, type TestChain, testKey } from '../../test-chain.ts';
import { messageRouter } from '../../tx/router.ts';

const { evidence } = DEFAULT_CONSENSUS_PARAMS;
const authority = formatAddress({ bech32Prefix: 'auton' }, moduleAddress(GOV_ACCOUNT));
const sound = {
  authority,
  block: { maxBytes: 1_000_000n, maxGas: 2_000_000n },
  evidence: {
    maxAgeNumBlocks: evidence.maxAgeNumBlocks,
    maxAgeDuration: { seconds: 172_800n, nanos: 5 },
    maxBytes: 100_000n,
  },
  validator: { pubKeyTypes: ['ed25519'] },
} satisfies MessageInitShape<typeof MsgUpdateParamsSchema>;

/** Executes the message in each block that begins, as governance would, and writes down what it answered. */
function governing(plan: Partial<MessageInitShape<typeof MsgUpdateParamsSchema>>, answers: string[]): RuntimeModule {
  return {
    name: 'decisions',
    stores: [],
    beginBlock(context) {
      if (context.block.height !== 2n) return;
      const table = moduleTable();
      const message = create(MsgUpdateParamsSchema, { ...sound, ...plan } as never);
      const handler = table.messages.get('/cosmos.consensus.v1.MsgUpdateParams');
      const router = messageRouter(table);
      const result = handler?.handle({ ...context, gas: infiniteGasMeter(), router }, message);
      answers.push(result?.ok === false ? result.error.message : '');
    },
  };
}

function paramsOf(chain: TestChain, height: bigint) {
  const data = encode(q.QueryParamsRequestSchema, {});
  const { value } = chain.app.query({ path: '/cosmos.consensus.v1.Query/Params', data, height, prove: false });
  const read = decodeStrict(q.QueryParamsResponseSchema, value);
  return read.ok ? read.value.params : undefined;
}

test('a change of governance ends with its block, holds from the next, and is what queries say', async () => {
  const answers: string[] = [];
  const chain = await startTestChain({ modules: [governing({}, answers), ...MODULES] });
  await chain.block();
  const { consensusParamUpdates, events } = await chain.block();
  expect(answers).toEqual(['']);
  expect(events.find(({ type }) => type === 'update_consensus_params')?.attributes.slice(0, 2)).toMatchObject([
    { key: 'authority', value: authority },
    {
      key: 'parameters',
      value:
        'block:<max_bytes:1000000 max_gas:2000000 > ' +
        'evidence:<max_age_num_blocks:100000 max_age_duration:<seconds:172800 nanos:5 > max_bytes:100000 > ' +
        'validator:<pub_key_types:"ed25519" > version:<> ',
    },
  ]);
  expect(consensusParamUpdates).toEqual({
    block: sound.block,
    evidence: { ...evidence, maxAgeNanos: 172_800_000_000_005n, maxBytes: 100_000n },
  });
  expect((await chain.block()).consensusParamUpdates).toBeUndefined();
  expect(paramsOf(chain, 1n)).toMatchObject({ block: { maxBytes: 4_194_304n, maxGas: -1n } });
  expect(paramsOf(chain, 3n)).toMatchObject({ block: sound.block, evidence: { maxBytes: 100_000n } });
  const [alice, bob] = [testKey(1), testKey(2)];
  const messages = [chain.send(alice, chain.address(bob), 1n)];
  const tx = chain.sign(alice, { messages, gasLimit: 2_000_001n });
  expect(await chain.app.checkTx({ tx, type: 'new' })).toMatchObject({
    code: 41,
    log: expect.stringMatching(/exceeds block max gas 2000000/),
  });
});

test('what would stop the chain, or could not be changed back, is refused by name', async () => {
  const cases: [Partial<MessageInitShape<typeof MsgUpdateParamsSchema>>, RegExp][] = [
    [{ authority: formatAddress({ bech32Prefix: 'auton' }, moduleAddress('bank')) }, /invalid authority; expected/],
    [{ block: { maxBytes: 0n, maxGas: -1n } }, /^block.max_bytes: expected −1 or 1/],
    [
      { block: { maxBytes: 1_000n, maxGas: -1n }, evidence: { ...sound.evidence, maxBytes: 10n } },
      /^block.max_bytes: expected −1 or at least 262144/,
    ],
    [{ block: { maxBytes: -1n, maxGas: 1n } }, /^block.max_gas: expected −1 or at least 1000000/],
    [{ block: { maxBytes: -1n, maxGas: -2n } }, /^block.max_gas: expected ≥ −1/],
    [{ evidence: { ...sound.evidence, maxBytes: 500_001n } }, /^evidence.max_bytes: expected at most half/],
    [{ evidence: { ...sound.evidence, maxAgeNumBlocks: 0n } }, /^evidence.max_age_num_blocks: expected > 0/],
    [{ validator: { pubKeyTypes: ['secp256k1'] } }, /^validator.pub_key_types: cannot be changed/],
    [{ abci: { voteExtensionsEnableHeight: 9n } }, /^abci.vote_extensions_enable_height: cannot be changed/],
  ];
  for (const [plan, expected] of cases) {
    const answers: string[] = [];
    const chain = await startTestChain({ modules: [governing(plan, answers), ...MODULES] });
    await chain.block();
    expect((await chain.block()).consensusParamUpdates).toBeUndefined();
    expect(answers).toEqual([expect.stringMatching(expected)]);
    expect(paramsOf(chain, 0n)).toMatchObject({ block: { maxBytes: 4_194_304n } });
  }
});

test('nobody’s key changes them, and a genesis document states them once', async () => {
  const chain = await startTestChain();
  await chain.block();
  const [alice] = [testKey(1)];
  const messages = [pack(MsgUpdateParamsSchema, { ...sound, authority: chain.address(alice) })];
  expect(await chain.deliver(chain.sign(alice, { messages }))).toMatchObject({ codespace: 'gov', code: 13 });
  await expect(startTestChain({ moduleState: { consensus: {} } })).rejects.toThrow(
    'app_state.consensus: expected null',
  );
});
