import { expect, test } from 'vitest';
import * as auth from '#proto/gen/cosmos/auth/v1beta1/tx_pb.ts';
import * as bank from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import { create, type DescMessage, type MessageInitShape, pack } from '#proto/message.ts';
import { formatAddress, moduleAddress } from './address.ts';
import { GOV_ACCOUNT } from './authority.ts';
import { EventLog } from './events.ts';
import { moduleTable } from './module-table.ts';
import { AUTH_STORE, getAuthParams } from './modules/auth/state.ts';
import { BANK_STORE, isSendEnabled } from './modules/bank/state.ts';
import { StateBranch } from './state/branch.ts';
import { infiniteGasMeter } from './state/gas.ts';
import { startTestChain, TEST_TIME, type TestChain, testKey } from './test-chain.ts';
import { messageRouter } from './tx/router.ts';

const table = moduleTable();
const params = {
  maxMemoCharacters: 10n,
  txSigLimit: 2n,
  txSizeCostPerByte: 3n,
  sigVerifyCostEd25519: 4n,
  sigVerifyCostSecp256k1: 5n,
};

async function startState(): Promise<{ chain: TestChain; run: ReturnType<typeof runner> }> {
  const chain = await startTestChain();
  await chain.block();
  return { chain, run: runner(chain) };
}

/** Executes a message as governance would: without a signature. */
function runner(chain: TestChain) {
  const committed = chain.app.stateAt(0n);
  if (committed === undefined) throw new Error('no state');
  const state = new StateBranch(committed.state);
  return {
    state,
    handle<D extends DescMessage>(schema: D, init: MessageInitShape<D>): string {
      const handler = table.messages.get(`/${schema.typeName}`);
      if (handler === undefined) throw new Error(`no handler for ${schema.typeName}`);
      const message = create(schema, init);
      const context = {
        state,
        gas: infiniteGasMeter(),
        events: new EventLog(),
        block: { height: 2n, time: TEST_TIME, proposerAddress: new Uint8Array(20) },
        chain: committed.chain,
        router: messageRouter(table),
      };
      const valid = handler.validate(message, committed.chain);
      const result = valid.ok ? handler.handle(context, message) : valid;
      return result.ok ? '' : result.error.message;
    },
  };
}

const gov = formatAddress({ bech32Prefix: 'auton' }, moduleAddress(GOV_ACCOUNT));

test('governance changes parameters, and nobody else', async () => {
  const { chain, run } = await startState();
  const anybody = chain.address(testKey(1));
  expect(run.handle(auth.MsgUpdateParamsSchema, { authority: anybody, params })).toContain(
    'invalid authority; expected',
  );
  expect(run.handle(bank.MsgUpdateParamsSchema, { authority: anybody, params: {} })).toContain('invalid authority');
  expect(run.handle(bank.MsgSetSendEnabledSchema, { authority: anybody })).toContain('invalid authority');
  expect(run.handle(auth.MsgUpdateParamsSchema, { authority: gov, params: { ...params, txSigLimit: 0n } })).toContain(
    'txSigLimit: must be positive',
  );
  expect(run.handle(auth.MsgUpdateParamsSchema, { authority: gov, params })).toBe('');
  expect(getAuthParams(run.state.store(AUTH_STORE))).toEqual(params);
});

test('sending a denomination can be switched off and on, for one or for all', async () => {
  const { run } = await startState();
  const enabled = (denom: string) => isSendEnabled(run.state.store(BANK_STORE), denom);
  const entry = { denom: 'uauton', enabled: false };
  expect(run.handle(bank.MsgSetSendEnabledSchema, { authority: gov, sendEnabled: [entry, entry] })).toContain('twice');
  expect(run.handle(bank.MsgSetSendEnabledSchema, { authority: gov, useDefaultFor: ['!'] })).toContain('not a denom');
  expect(run.handle(bank.MsgSetSendEnabledSchema, { authority: gov, sendEnabled: [entry] })).toBe('');
  expect([enabled('uauton'), enabled('other')]).toEqual([false, true]);
  expect(run.handle(bank.MsgUpdateParamsSchema, { authority: gov, params: { defaultSendEnabled: false } })).toBe('');
  expect([enabled('uauton'), enabled('other')]).toEqual([false, false]);
  expect(run.handle(bank.MsgUpdateParamsSchema, { authority: gov, params: { defaultSendEnabled: true } })).toBe('');
  expect(run.handle(bank.MsgSetSendEnabledSchema, { authority: gov, useDefaultFor: ['uauton'] })).toBe('');
  expect([enabled('uauton'), enabled('other')]).toEqual([true, true]);
});

test('Adversarial 36: no key signs for governance, whoever sends from its address', async () => {
  const chain = await startTestChain();
  await chain.block();
  const alice = testKey(1);
  const fund = chain.send(alice, gov, 5n);
  await chain.deliver(chain.sign(alice, { messages: [fund] }));
  const update = pack(auth.MsgUpdateParamsSchema, { authority: gov, params });
  const result = await chain.deliver(chain.sign(alice, { messages: [update] }));
  expect(result.code).not.toBe(0);
  const state = chain.app.stateAt(0n)?.state;
  expect(state === undefined ? undefined : getAuthParams(state.store(AUTH_STORE)).txSigLimit).toBe(7n);
});
