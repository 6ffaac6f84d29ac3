/** Transactions and blocks that broke other chains, against the whole application: each by its line in docs/attack-surface.md. */
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import type { FinalizeBlockResponse } from '#core/abci.ts';
import { concat, EMPTY, utf8 } from '#core/bytes.ts';
import { lengthDelimited, ProtoWriter } from '#core/codec/proto-writer.ts';
import { accountAddress } from '#core/crypto/keys.ts';
import { GenericAuthorizationSchema } from '#proto/gen/cosmos/authz/v1beta1/authz_pb.ts';
import { MsgExecSchema, MsgGrantSchema } from '#proto/gen/cosmos/authz/v1beta1/tx_pb.ts';
import { MsgMultiSendSchema } from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import { PubKeySchema } from '#proto/gen/cosmos/crypto/ed25519/keys_pb.ts';
import { LegacyAminoPubKeySchema } from '#proto/gen/cosmos/crypto/multisig/keys_pb.ts';
import { AllowedMsgAllowanceSchema } from '#proto/gen/cosmos/feegrant/v1beta1/feegrant_pb.ts';
import { MsgGrantAllowanceSchema } from '#proto/gen/cosmos/feegrant/v1beta1/tx_pb.ts';
import {
  MsgCreateValidatorSchema,
  MsgDelegateSchema,
  MsgUndelegateSchema,
} from '#proto/gen/cosmos/staking/v1beta1/tx_pb.ts';
import { AuthInfoSchema, ModeInfoSchema, TxBodySchema } from '#proto/gen/cosmos/tx/v1beta1/tx_pb.ts';
import { MsgCreatePermanentLockedAccountSchema } from '#proto/gen/cosmos/vesting/v1beta1/tx_pb.ts';
import { encode, pack } from '#proto/message.ts';
import { formatAddress, moduleAddress } from './address.ts';
import {
  type Arena,
  alice,
  bob,
  drawFrom,
  expectClear,
  expectSound,
  HUGE_DENOM,
  judge,
  NUMBERS,
  offer,
  packHostile,
  prepare,
  simulate,
  someNumbers,
  startArena,
  useAddressesOf,
} from './adversarial.test-util.ts';
import type { AnyMessage, BlockContext } from './context.ts';
import type { RuntimeModule } from './module.ts';
import { MODULES } from './module-table.ts';
import { AUTH_STORE, getAccount } from './modules/auth/state.ts';
import { BANK_STORE, balanceOf } from './modules/bank/state.ts';
import { consensusKey, DENOM, operatorText, startStakingChain } from './modules/staking/test-network.ts';
import { startTestChain, testKey } from './test-chain.ts';

function rawTx(body: Uint8Array, authInfo: Uint8Array): Uint8Array {
  return new ProtoWriter().message(1, body).message(2, authInfo).message(3, new Uint8Array(64)).finish();
}

function wrap(times: number, seed: Uint8Array, tag: number): Uint8Array {
  let bytes = seed;
  for (let i = 0; i < times; i++) bytes = concat(Uint8Array.of(tag), lengthDelimited(bytes));
  return bytes;
}

test('Adversarial 28: deep nesting of Any and of unknown fields is refused everywhere (ASA-2024-012, ASA-2024-013)', async () => {
  const arena = await startArena();
  const { chain } = arena.net;
  const send = chain.send(alice, chain.address(bob), 1n);
  const body = encode(TxBodySchema, { messages: [send] });
  const authInfo = encode(AuthInfoSchema, { fee: { gasLimit: 200_000n } });
  let mode: Uint8Array = encode(ModeInfoSchema, { sum: { case: 'single', value: { mode: 1 } } });
  for (let i = 0; i < 500; i++)
    mode = new ProtoWriter().message(2, new ProtoWriter().message(2, mode).finish()).finish();
  const modes = new ProtoWriter().message(1, new ProtoWriter().message(2, mode).finish()).finish();
  let key: AnyMessage = pack(LegacyAminoPubKeySchema, { threshold: 1 });
  for (let i = 0; i < 500; i++) key = pack(LegacyAminoPubKeySchema, { threshold: 1, publicKeys: [{ ...key }] });
  const keys = encode(AuthInfoSchema, { signerInfos: [{ publicKey: { ...key } }], fee: { gasLimit: 200_000n } });
  const nonCritical = new ProtoWriter().bytes(1024, wrap(3_000, EMPTY, 0x0a)).finish();
  for (const tx of [
    rawTx(body, concat(modes, authInfo)),
    rawTx(body, keys),
    rawTx(concat(body, new ProtoWriter().message(5, wrap(3_000, EMPTY, 0x0a)).finish()), authInfo),
    rawTx(
      concat(
        body,
        Uint8Array.from({ length: 6_000 }, (_, i) => (i < 3_000 ? 0x2b : 0x2c)),
      ),
      authInfo,
    ),
    wrap(3_000, EMPTY, 0x0a),
  ]) {
    const [result] = await offer(arena, [tx]);
    expect(result).toMatchObject({ codespace: 'sdk', code: 2, gasUsed: 0n });
    expect(judge(arena.net, [tx]).accept).toBe(false);
  }
  // Bytes that an old node does not know are not looked into, however deep they seem to be.
  expect((await offer(arena, [rawTx(concat(body, nonCritical), authInfo)]))[0]).toMatchObject({ code: 24 });
  let exec: AnyMessage = send;
  for (let i = 0; i < 200; i++) exec = pack(MsgExecSchema, { grantee: chain.address(alice), msgs: [{ ...exec }] });
  let allowance: AnyMessage = pack(AllowedMsgAllowanceSchema, { allowedMessages: ['/x'] });
  for (let i = 0; i < 200; i++)
    allowance = pack(AllowedMsgAllowanceSchema, { allowance: { ...allowance }, allowedMessages: ['/x'] });
  const grant = pack(MsgGrantAllowanceSchema, {
    granter: chain.address(alice),
    grantee: chain.address(bob),
    allowance: { ...allowance },
  });
  for (const message of [exec, grant]) {
    const [result] = await offer(arena, [chain.sign(alice, { messages: [message] })]);
    expect(result).toMatchObject({ codespace: 'sdk', code: 2, log: expect.stringMatching(/nested deeper than/) });
  }
  expect((await offer(arena, [chain.sign(alice, { messages: [send] })]))[0]?.code).toBe(0);
});

test('Adversarial 29: integers and decimals beyond their bit length, in every message of the chain (ASA-2024-010)', async () => {
  const arena = await startArena();
  useAddressesOf(arena);
  await settle(arena);
  const { chain } = arena.net;
  const handlers = [...chain.app.table.messages.values()].filter(
    ({ typeUrl }) => !/UpdateParams|SetSendEnabled|PoolSpend|RegisterModel/.test(typeUrl),
  );
  const draw = drawFrom(someNumbers('hostile messages', 8_192));
  let succeeded = 0;
  for (const { schema } of handlers)
    for (let i = 0; i < 10; i++) {
      const messages = [packHostile(schema, draw)];
      const simulated = simulate(arena, chain.sign(alice, { messages, gasLimit: 1_000_000n }));
      expectClear(simulated);
      if (simulated.code === 0) succeeded++;
    }
  expect(succeeded).toBeGreaterThan(handlers.length);
  expectSound(arena);
  // What the mempool admits is executed too.
  for (let round = 0; round < 2; round++) {
    const admitted: Uint8Array[] = [];
    for (const { schema } of handlers) {
      const messages = [packHostile(schema, draw)];
      const tx = chain.sign(alice, { messages, gasLimit: 1_000_000n }, BigInt(admitted.length));
      const checked = await chain.app.checkTx({ tx, type: 'new' });
      expectClear(checked);
      if (checked.code === 0) admitted.push(tx);
    }
    expect(admitted.length).toBeGreaterThan(5);
    const { txResults } = await arena.net.block({ txs: admitted });
    for (const result of txResults) expectClear(result);
    expectSound(arena);
  }
});

/** Gives alice a validator, stake elsewhere, stake that leaves, and a grant of each kind from bob. */
async function settle({ net }: Arena): Promise<void> {
  const { chain } = net;
  const amount = { denom: DENOM, amount: '50000000' };
  const [delegatorAddress, validatorAddress] = [chain.address(alice), operatorText(testKey(1))];
  const parties = { granter: chain.address(bob), grantee: chain.address(alice) };
  const create = pack(MsgCreateValidatorSchema, {
    description: { moniker: 'm' },
    commission: { rate: '0', maxRate: '1000000000000000000', maxChangeRate: '1000000000000000000' },
    minSelfDelegation: '1',
    validatorAddress: operatorText(alice),
    pubkey: { ...pack(PubKeySchema, { key: consensusKey(99).bytes }) },
    value: amount,
  });
  const authorization = { ...pack(GenericAuthorizationSchema, { msg: '/cosmos.bank.v1beta1.MsgSend' }) };
  const steps: [typeof alice, AnyMessage][] = [
    [alice, create],
    [alice, pack(MsgDelegateSchema, { delegatorAddress, validatorAddress, amount })],
    [alice, pack(MsgUndelegateSchema, { delegatorAddress, validatorAddress, amount: { ...amount, amount: '1000' } })],
    [bob, pack(MsgGrantSchema, { ...parties, grant: { authorization } })],
  ];
  for (const [key, message] of steps) expect(await net.run(key, message)).toMatchObject({ code: 0 });
}

test('Adversarial 29: fees, gas limits and sums beyond their bit length', async () => {
  const arena = await startArena();
  const { chain } = arena.net;
  const messages = [chain.send(alice, chain.address(bob), 1n)];
  const most = (1n << 256n) - 1n;
  for (const amount of [most, 1n << 256n, 1n << 315n, 0n, -1n]) {
    const fee = [{ denom: HUGE_DENOM, amount }];
    expect((await offer(arena, [chain.sign(alice, { messages, fee })]))[0]?.code).not.toBe(0);
  }
  for (const gasLimit of [0n, 1n << 63n, (1n << 64n) - 1n])
    expect((await offer(arena, [chain.sign(alice, { messages, gasLimit })]))[0]?.code).not.toBe(0);
  for (const amount of NUMBERS.filter((text) => !/^[1-9][0-9]{0,18}$/.test(text))) {
    const send = chain.send(alice, chain.address(bob), 1n);
    const coins = [{ denom: HUGE_DENOM, amount }];
    const outputs = [chain.address(bob), chain.address(testKey(7))].map((address) => ({ address, coins }));
    const multi = pack(MsgMultiSendSchema, { inputs: [{ address: chain.address(alice), coins }], outputs });
    expect((await offer(arena, [chain.sign(alice, { messages: [send, multi] })]))[0]?.code, amount).not.toBe(0);
  }
});

test('Adversarial 30: steps of a block that throw do not halt the chain (ASA-2025-003, ISA-2025-002)', async () => {
  const broken: RuntimeModule = {
    name: 'broken',
    stores: ['broken'],
    beginBlock({ state }) {
      state.store('broken').set(utf8('begin'), utf8('lost'));
      throw new RangeError('Maximum call stack size exceeded');
    },
    endBlock({ state }) {
      state.store('broken').set(utf8('end'), utf8('lost'));
      return undefined;
    },
  };
  const failing: RuntimeModule = {
    ...broken,
    name: 'failing',
    stores: ['failing'],
    beginBlock: broken.beginBlock ?? (() => {}),
  };
  const modules = [broken, ...MODULES, { ...failing, endBlock: () => JSON.parse('{') as never }];
  const { net } = await startArena({ modules });
  const { chain } = net;
  for (let i = 0; i < 3; i++) {
    const delegate = pack(MsgDelegateSchema, {
      delegatorAddress: chain.address(alice),
      validatorAddress: operatorText(testKey(1)),
      amount: { denom: DENOM, amount: '1000000' },
    });
    const { txResults, validatorUpdates } = await net.block({ txs: [chain.sign(alice, { messages: [delegate] })] });
    expect(txResults[0]?.code).toBe(0);
    expect(validatorUpdates).toHaveLength(1);
  }
  expect(chain.app.stateAt(0n)?.state.store('broken').get(utf8('begin'))).toBeUndefined();
  expect(chain.app.brokenInvariants()).toEqual([]);
});

test('Adversarial 30: a block that tells of more than a call takes arguments is executed like any other', async () => {
  // As when stake of many thousands of people is complete in one block.
  const many = 150_000;
  const tell = ({ events }: BlockContext) => {
    for (let i = 0; i < many; i++) events.emit('told', [['n', String(i)]]);
    return undefined;
  };
  const talkative: RuntimeModule = { name: 'talkative', stores: [], beginBlock: tell, endBlock: tell };
  const chain = await startTestChain({ modules: [...MODULES, talkative] });
  const { events } = await chain.block();
  const told = events.filter(({ type }) => type === 'told');
  expect(told).toHaveLength(2 * many);
  expect(told.at(-1)?.attributes).toMatchObject([{ value: String(many - 1) }, { key: 'mode', value: 'EndBlock' }]);
});

test('Adversarial 30: no proposal and no block of any bytes stops the application', async () => {
  const arena = await startArena();
  const { chain } = arena.net;
  const sound = chain.sign(alice, { messages: [chain.send(alice, chain.address(bob), 1n)] });
  const injector = chain.app.table.injector?.injection?.magic ?? EMPTY;
  const mutated = fc.tuple(fc.nat(sound.length - 1), fc.nat(255)).map(([at, byte]) => sound.with(at, byte));
  const one = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    mutated,
    fc.constant(sound),
    fc.uint8Array({ maxLength: 60 }).map((payload) => concat(injector, payload)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(one, { maxLength: 6 }), async (txs) => {
      const { accept, reason } = judge(arena.net, txs);
      expect(accept).toBe(reason === '');
      const { txResults } = await arena.net.block({ txs });
      expect(txResults).toHaveLength(txs.length);
      for (const result of txResults) expectClear(result);
      expectSound(arena);
    }),
    { numRuns: 60 },
  );
});

const RUNS = 25;

test('Adversarial 35: an honest proposal is valid for everybody, whatever one sender has sent (ASA-2024-002)', async () => {
  const proposer = await startArena({ maxGas: 2_000_000n, minGasPrices: '0.001uauton' });
  const other = await startArena({ maxGas: 2_000_000n, minGasPrices: '7uauton' });
  const { chain } = proposer.net;
  const plan = fc.record({
    ahead: fc.bigInt({ min: -1n, max: 4n }),
    gasLimit: fc.constantFrom(100_000n, 60_000n, 1n, 900_000n),
    amount: fc.constantFrom(1n, 9_000_000_000n, 1n << 255n),
    fee: fc.constantFrom(1_000n, 0n, 9_999_999_999n),
  });
  // So that there is a sequence that has passed.
  for (const { net } of [proposer, other])
    expect((await net.run(alice, chain.send(alice, chain.address(bob), 1n))).code).toBe(0);
  let executed = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(plan, { maxLength: 7 }), fc.nat(7), async (odd, at) => {
      const sound = { ahead: 0n, gasLimit: 100_000n, amount: 1n, fee: 1_000n } as const;
      const plans = odd.toSpliced(at, 0, sound);
      const txs = plans.map(({ ahead, gasLimit, amount, fee: paid }) => {
        const fee = paid === 0n ? [] : [{ denom: DENOM, amount: paid }];
        return chain.sign(alice, { messages: [chain.send(alice, chain.address(alice), amount)], gasLimit, fee }, ahead);
      });
      for (const tx of txs) {
        await proposer.net.chain.app.checkTx({ tx, type: 'new' });
        await other.net.chain.app.checkTx({ tx, type: 'new' });
      }
      const proposed = prepare(proposer.net, [...txs, ...txs]);
      for (const { net } of [proposer, other]) expect(judge(net, proposed)).toEqual({ accept: true, reason: '' });
      expect(judge(other.net, proposed.toReversed()).accept).toBe(true);
      const [one, two] = [await proposer.net.block({ txs: proposed }), await other.net.block({ txs: proposed })];
      expect(two).toEqual(one);
      executed += proposed.length;
      for (const arena of [proposer, other]) expectSound(arena);
    }),
    { numRuns: RUNS },
  );
  expect(executed).toBeGreaterThanOrEqual(RUNS);
});

const LATER: RuntimeModule = { name: 'later', stores: ['later'], moduleAccounts: { later: ['minter', 'burner'] } };

test('Adversarial 36: an account made beforehand at a module’s address is the module’s when the module comes (CWA-2022-005)', async () => {
  const chain = await startTestChain();
  await chain.block();
  const [alice, bob] = [testKey(1), testKey(2)];
  const later = formatAddress({ bech32Prefix: 'auton' }, moduleAddress('later'));
  const locked = pack(MsgCreatePermanentLockedAccountSchema, {
    fromAddress: chain.address(alice),
    toAddress: later,
    amount: [{ denom: DENOM, amount: '5' }],
  });
  expect((await chain.deliver(chain.sign(alice, { messages: [locked] }))).code).toBe(0);
  expect((await chain.deliver(chain.sign(bob, { messages: [chain.send(bob, later, 7n)] }))).code).toBe(0);
  const exported = chain.app.exportGenesis();
  const again = await startTestChain({ modules: [...MODULES, LATER], moduleState: exported });
  await again.block();
  const state = again.app.stateAt(0n)?.state;
  if (state === undefined) throw new Error('no state');
  const account = getAccount(state.store(AUTH_STORE), moduleAddress('later'));
  expect(account).toMatchObject({ module: { name: 'later', permissions: ['minter', 'burner'] }, vesting: undefined });
  expect(balanceOf(state.store(BANK_STORE), moduleAddress('later'), DENOM)).toBe(12n);
  const more = again.sign(alice, { messages: [chain.send(alice, later, 1n)] });
  expect(await again.deliver(more)).toMatchObject({ code: 4, log: expect.stringMatching(/not allowed to receive/) });
  expect(again.app.brokenInvariants()).toEqual([]);
});

test('Adversarial 36: an account with a key or a history is never a module’s', async () => {
  const address = formatAddress({ bech32Prefix: 'auton' }, moduleAddress('later'));
  const base = {
    '@type': '/cosmos.auth.v1beta1.BaseAccount',
    address,
    pub_key: null,
    account_number: '0',
    sequence: '1',
  };
  const started = startTestChain({
    modules: [...MODULES, LATER],
    moduleState: { auth: { accounts: [base] }, bank: {} },
  });
  await expect(started).rejects.toThrow('app_state.auth: the address of module account later is taken');
});

/** Delegations, sends and failures over some blocks: what each block answered. */
async function history(
  { net }: Arena,
  meanwhile: () => Promise<void> = async () => {},
): Promise<FinalizeBlockResponse[]> {
  const { chain } = net;
  const answers: FinalizeBlockResponse[] = [];
  for (let i = 0; i < 25; i++) {
    const delegate = pack(MsgDelegateSchema, {
      delegatorAddress: chain.address(alice),
      validatorAddress: operatorText(testKey(1 + (i % 4))),
      amount: { denom: DENOM, amount: String(1_000_000 + i) },
    });
    const txs = [
      chain.sign(alice, { messages: [delegate], memo: `\u0130I\u0131i \u00e9e\u0301 \u{1f600} ${i}` }),
      chain.sign(bob, { messages: [chain.send(bob, chain.address(testKey(7)), i === 9 ? 1n << 200n : 1n)] }),
      chain.sign(
        bob,
        { messages: [chain.send(bob, chain.address(alice), 1n)], gasLimit: i === 5 ? 50_000n : 200_000n },
        1n,
      ),
      Uint8Array.of(i),
    ];
    await meanwhile();
    answers.push(await net.block({ txs }));
  }
  return answers;
}

test('Adversarial 39: nothing that is this node’s alone reaches a block (CWA-2022-001)', async () => {
  const plain = await startArena();
  const expected = await history(plain);
  const odd = await startArena({
    minGasPrices: '5uauton',
    version: '9.9.9',
    pruning: { kind: 'everything' },
    minRetainBlocks: 3n,
  });
  const { app } = odd.net.chain;
  let asked = 0n;
  const answers = await history(odd, async () => {
    // Queries of the past and of the present, simulations, refusals of the mempool, proposals, pruning.
    asked++;
    app.query({ path: '/cosmos.bank.v1beta1.Query/TotalSupply', data: EMPTY, height: asked >> 1n, prove: false });
    app.query({ path: '/store/bank/key', data: utf8('k'), height: 0n, prove: true });
    const tx = odd.net.chain.sign(bob, { messages: [odd.net.chain.send(bob, odd.net.chain.address(alice), asked)] });
    simulate(odd, tx);
    await app.checkTx({ tx, type: 'new' });
    await app.verifyAhead([tx]);
    prepare(odd.net, [tx]);
    await app.pruneStep();
  });
  expect(
    app.query({ path: '/cosmos.bank.v1beta1.Query/TotalSupply', data: EMPTY, height: 2n, prove: false }).code,
  ).toBe(18);
  expect(answers).toEqual(expected);
});

test('Adversarial 40: no order and no text comes from the runtime’s tables of languages', async () => {
  const expected = await history(await startArena());
  const never = (what: string) => () => {
    throw new Error(`${what} depends on the version of the runtime`);
  };
  const isPlain = (text: string) => utf8(text).length === text.length;
  const spies = [
    ...(['localeCompare', 'normalize', 'toLocaleLowerCase', 'toLocaleUpperCase'] as const).map((name) =>
      vi.spyOn(String.prototype, name).mockImplementation(never(name)),
    ),
    vi.spyOn(Intl, 'Collator').mockImplementation(never('Intl.Collator') as never),
    vi.spyOn(Number.prototype, 'toLocaleString').mockImplementation(never('toLocaleString')),
    vi.spyOn(BigInt.prototype, 'toLocaleString').mockImplementation(never('toLocaleString')),
  ];
  const { toLowerCase, toUpperCase } = String.prototype;
  for (const [name, original] of [
    ['toLowerCase', toLowerCase],
    ['toUpperCase', toUpperCase],
  ] as const)
    spies.push(
      vi.spyOn(String.prototype, name).mockImplementation(function (this: string) {
        return isPlain(this) ? original.call(this) : never(name)();
      }),
    );
  try {
    const arena = await startArena();
    expect(await history(arena)).toEqual(expected);
    useAddressesOf(arena);
    const draw = drawFrom(someNumbers('texts', 1_024));
    for (const { schema } of arena.net.chain.app.table.messages.values())
      expectClear(simulate(arena, arena.net.chain.sign(alice, { messages: [packHostile(schema, draw)] })));
    expectSound(arena);
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
});

test('Adversarial 40: denominations and addresses are sorted by their bytes', async () => {
  const coins = ['uauton', 'Zeta', 'alpha', 'a-b', 'a/b', 'a:b', 'B100', 'B20'].map((denom) => ({
    denom,
    amount: 100_000_000n,
  }));
  const net = await startStakingChain({ coins });
  await net.block();
  const { bank } = net.chain.app.exportGenesis() as unknown as {
    bank: { supply: { denom: string }[]; balances: unknown[] };
  };
  const byBytes = ['B100', 'B20', 'Zeta', 'a-b', 'a/b', 'a:b', 'alpha', 'uauton'];
  expect(bank.supply.map(({ denom }) => denom)).toEqual(byBytes);
  const send = (denoms: readonly string[]) =>
    pack(MsgMultiSendSchema, {
      inputs: [{ address: net.chain.address(alice), coins: denoms.map((denom) => ({ denom, amount: '1' })) }],
      outputs: [{ address: net.chain.address(bob), coins: denoms.map((denom) => ({ denom, amount: '1' })) }],
    });
  expect((await net.run(alice, send(byBytes.slice(0, 4)))).code).toBe(0);
  expect(await net.run(alice, send(['alpha', 'Zeta']))).toMatchObject({ codespace: 'sdk', code: 10 });
  expect(accountAddress(alice.publicKey)).toHaveLength(20);
});
