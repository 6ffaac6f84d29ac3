/** What must fail does so whatever stands before it in its block. */
import { expect, test } from 'vitest';
import { defined } from '#core/assert.ts';
import { EMPTY, toHex } from '#core/bytes.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { toHeight, toRound } from '#core/types/brand.ts';
import { addMillis } from '#core/types/timestamp.ts';
import * as auth from '#proto/gen/cosmos/auth/v1beta1/tx_pb.ts';
import { GenericAuthorizationSchema } from '#proto/gen/cosmos/authz/v1beta1/authz_pb.ts';
import * as authz from '#proto/gen/cosmos/authz/v1beta1/tx_pb.ts';
import * as bank from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import { BasicAllowanceSchema } from '#proto/gen/cosmos/feegrant/v1beta1/feegrant_pb.ts';
import * as feegrant from '#proto/gen/cosmos/feegrant/v1beta1/tx_pb.ts';
import { pack, typeUrlOf } from '#proto/message.ts';
import { buildTx } from '#runtime/tx/build.ts';
import { Rng } from '#test/sim/rng.ts';
import { Census } from './census.ts';
import { coin, type Message, type Scene } from './operations/operation.ts';
import { OPERATIONS } from './operations/table.ts';
import { openReference } from './replicas.ts';
import { type Actor, actorOf, CHAIN_ID, council, DENOM, GENESIS_ACTORS, GOVERNANCE, scenarioOf } from './scenario.ts';
import { FAULTS, Signer } from './transactions.ts';

const ACTORS = Array.from({ length: GENESIS_ACTORS }, (_, i) => actorOf(i + 1));
/** The last of them grants nothing; all others grant everything to everybody. */
const GRANTERS = ACTORS.slice(0, -1);
/** Whose transactions have the faults, and who is made rich before. */
const SINNER = actorOf(2);
const TRIES = 8;

function send(from: Actor, to: Actor, amount: bigint): Message {
  return pack(bank.MsgSendSchema, { fromAddress: from.text, toAddress: to.text, amount: [coin(amount)] });
}

function grantsOf(granter: Actor): readonly Message[] {
  return ACTORS.filter((one) => one !== granter).flatMap((grantee) => {
    const parties = { granter: granter.text, grantee: grantee.text };
    const authorization = { ...pack(GenericAuthorizationSchema, { msg: typeUrlOf(bank.MsgSendSchema) }) };
    return [
      pack(feegrant.MsgGrantAllowanceSchema, { ...parties, allowance: { ...pack(BasicAllowanceSchema, {}) } }),
      pack(authz.MsgGrantSchema, { ...parties, grant: { authorization } }),
    ];
  });
}

/** Bytes are cheap, memos long. */
function generousParams(): Message {
  const params = {
    maxMemoCharacters: 300n,
    txSigLimit: 7n,
    txSizeCostPerByte: 5n,
    sigVerifyCostEd25519: 590n,
    sigVerifyCostSecp256k1: 500n,
  };
  const update = pack(auth.MsgUpdateParamsSchema, { authority: GOVERNANCE, params });
  return pack(authz.MsgExecSchema, { grantee: council().text, msgs: [{ ...update }] });
}

function signed(signer: Signer, actor: Actor, messages: readonly Message[], gasLimit = 400_000n): Uint8Array {
  const { accountNumber, sequence } = signer.next(actor);
  const fee = [{ denom: DENOM, amount: 1_000n }];
  return buildTx({ messages, fee, gasLimit }, CHAIN_ID, [{ key: actor.key, accountNumber, sequence }]);
}

/** The first chain without a limit of gas, and with somebody of great wealth. */
function richScenario() {
  for (let seed = 1; ; seed++) {
    const scenario = scenarioOf(seed);
    if (scenario.hasWhale && scenario.maxGas === -1n) return scenario;
  }
}

/** Two blocks of it are committed. */
async function begin() {
  const { genesis } = richScenario();
  const reference = await openReference({ logger: silentLogger, options: {} }, (app) => void app.initChain(genesis));
  const actors = new Map(ACTORS.map((actor) => [toHex(actor.address), actor]));
  const census = () => new Census(defined(reference.app().stateAt(0n), 'a committed state'), actors);
  let height = 0n;
  const block = async (txs: readonly Uint8Array[]) => {
    height++;
    const { txResults } = reference.finalize({
      height: toHeight(height),
      time: addMillis(genesis.time, height * 1_000n),
      proposerAddress: new Uint8Array(20),
      misbehavior: [],
      nextValidatorsHash: EMPTY,
      hash: EMPTY,
      decidedLastCommit: { round: toRound(0), votes: [] },
      txs,
    });
    await reference.commit();
    return txResults;
  };
  await block([]);
  const early = signed(new Signer(census()), SINNER, [send(SINNER, actorOf(3), 1n)]);
  expect((await block([early])).map(({ code }) => code)).toEqual([0]);
  return { census: census(), block, executed: [early] };
}

interface Tried {
  readonly name: string;
  readonly bytes: Uint8Array;
}

function everyFault(scene: Scene, signer: Signer, executed: readonly Uint8Array[]): readonly Tried[] {
  const draft = { signer: SINNER, messages: [send(SINNER, actorOf(3), 1n)] };
  const tried: Tried[] = [];
  for (const { name, make } of FAULTS.filter(({ harmless }) => harmless !== true)) {
    for (let i = 0; i < TRIES; i++) {
      const fee = i % 2 === 0 ? [] : [{ denom: DENOM, amount: 500n }];
      const plan = { messages: draft.messages, fee, gasLimit: 400_000n };
      const bytes = make({ scene, signer, draft, plan, executed });
      if (bytes !== undefined) tried.push({ name, bytes });
    }
  }
  return tried;
}

function everyRefused(scene: Scene, signer: Signer): readonly Tried[] {
  const tried: Tried[] = [];
  for (const { name, make } of OPERATIONS.filter(({ refused }) => refused === true)) {
    for (let i = 0; i < 2 * TRIES; i++) {
      const draft = make(scene);
      if (draft !== undefined) tried.push({ name, bytes: signed(signer, draft.signer, draft.messages) });
    }
  }
  return tried;
}

/** One block: first all that could make a fault valid, then what `make` answers. */
async function afterGenerosity(
  make: (scene: Scene, signer: Signer, executed: readonly Uint8Array[]) => readonly Tried[],
  changes: Partial<Scene> = {},
) {
  const { census, block, executed } = await begin();
  const signer = new Signer(census);
  const scene: Scene = {
    rng: new Rng(1),
    census,
    actors: ACTORS,
    hasSigned: (actor) => signer.hasSigned(actor),
    newcomer: () => actorOf(GENESIS_ACTORS + 1),
    freshConsensusKey: () => 100,
    ...changes,
  };
  const before = [
    signed(signer, council(), [generousParams()], 1_000_000n),
    ...GRANTERS.filter((one) => one !== SINNER).map((one) =>
      signed(signer, one, [send(one, SINNER, (census.balance(one) * 9n) / 10n)]),
    ),
    ...GRANTERS.map((one) => signed(signer, one, grantsOf(one), 10_000_000n)),
  ];
  const tried = make(scene, signer, executed);
  const results = await block([...before, ...tried.map(({ bytes }) => bytes)]);
  expect(results.slice(0, before.length).filter(({ code }) => code !== 0)).toEqual([]);
  return tried.map(({ name }, i) => {
    const { code, log } = defined(results[before.length + i], 'the result of a transaction');
    return { name, code, log };
  });
}

const names = (list: readonly { readonly name: string }[]): ReadonlySet<string> =>
  new Set(list.map(({ name }) => name));

const WRONG_SEQUENCE = 32;
const UNPAID = 'fault: fee of a granter who grants nothing';
const UNGRANTED = 'authz exec without a grant';

test('no fault is made valid by what stands before it in its block', async () => {
  const results = await afterGenerosity(everyFault);
  expect(names(results)).toEqual(names(FAULTS.filter(({ harmless }) => harmless !== true)));
  expect(results.filter(({ code }) => code === 0)).toEqual([]);
  // Of all others the sequence is right: they fail for what is wrong with them.
  const late = names(results.filter(({ code }) => code === WRONG_SEQUENCE));
  expect(late).toEqual(new Set(['fault: wrong sequence', 'fault: sent once more']));
  for (const { log } of results.filter(({ name }) => name === UNPAID)) expect(log).toMatch(/fee-grant not found/);
});

test('nor is any operation that must be refused', async () => {
  const results = await afterGenerosity(everyRefused);
  expect(names(results)).toEqual(names(OPERATIONS.filter(({ refused }) => refused === true)));
  expect(results.filter(({ code }) => code === 0)).toEqual([]);
  for (const { log } of results.filter(({ name }) => name === UNGRANTED))
    expect(log).toMatch(/authorization not found/);
});

test('canary: two of them would be, if only the committed state were looked at', async () => {
  const committedOnly = { hasSigned: () => false };
  const results = [
    ...(await afterGenerosity(everyFault, committedOnly)),
    ...(await afterGenerosity(everyRefused, committedOnly)),
  ];
  expect(names(results.filter(({ code }) => code === 0))).toEqual(new Set([UNPAID, UNGRANTED]));
});
