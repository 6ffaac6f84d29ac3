/** Two states of checks after each block: one where waiting transactions are carried over, one where they are new. */
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { defined } from '#core/assert.ts';
import { EMPTY } from '#core/bytes.ts';
import { type AccountKeyPair, accountAddress } from '#core/crypto/keys.ts';
import { maxBig } from '#core/int.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { addMillis } from '#core/types/timestamp.ts';
import type { ChainParams } from '../context.ts';
import { noEvents } from '../events.ts';
import { type Account, AUTH_STORE, authParams, getAccount, getAuthParams, setAccount } from '../modules/auth/state.ts';
import { ledgerOf, sendCoins } from '../modules/bank/ledger.ts';
import { BANK_STORE, balanceOf, sendEnabled } from '../modules/bank/state.ts';
import { newVesting } from '../modules/vesting/schedule.ts';
import { StateBranch } from '../state/branch.ts';
import { gasMeter } from '../state/gas.ts';
import type { StateView } from '../state/kv-view.ts';
import { TEST_TIME, type TestChain, testKey } from '../test-chain.ts';
import { COLLECTOR, type TxMode } from './ante.ts';
import { repeatPass } from './carried.ts';
import { type DecodedTx, decodeTx } from './decode.ts';
import {
  alice,
  bob,
  carol,
  dave,
  MIXED_BLOCKS,
  rememberingVerifier,
  startMixedChain,
  vester,
} from './mixed-txs.test-util.ts';
import { runDecodedTx, type TxEnvironment } from './run.ts';

const DENOM = 'uauton';
const FEE = 1_000n;
const GAS = 100_000n;
/** Two balances of 78 digits, read for 3 gas a byte and written for 30. */
const MOST_MORE_GAS = 2n * 78n * 33n;
const verifier = rememberingVerifier();

/** A committed state, and transactions that some of them may follow. */
interface Stage {
  readonly state: StateView;
  readonly height: bigint;
  readonly txs: readonly Uint8Array[];
}

let chain: TestChain;
let params: ChainParams;
const stages: Stage[] = [];

beforeAll(async () => {
  chain = await startMixedChain();
  params = defined(chain.app.chain, 'genesis');
  for (const make of [...MIXED_BLOCKS, () => []]) {
    const mixed = make(chain).map(([, tx]) => tx);
    const { state, height } = defined(chain.app.stateAt(0n), 'a committed state');
    stages.push({ state, height, txs: [...mixed, ...sends(height)] });
    await chain.block(mixed);
  }
});

/** Several of each sender in a row, most of them plain. */
function sends(height: bigint): readonly Uint8Array[] {
  const plan = (from: AccountKeyPair, to: AccountKeyPair, amount = 1n) => ({
    messages: [chain.send(from, chain.address(to), amount)],
    gasLimit: GAS,
  });
  const usual = [alice, bob, carol, dave, vester].flatMap((from, i) =>
    [0n, 1n, 2n, 3n].map((ahead) => chain.sign(from, plan(from, [bob, testKey(60), alice][i] ?? carol, 7n), ahead)),
  );
  return [
    ...usual,
    ...usual.slice(0, 8),
    chain.sign(alice, { ...plan(alice, bob), timeoutHeight: height + 1n }),
    chain.sign(alice, { ...plan(alice, bob), timeoutHeight: height + 3n }, 1n),
    chain.sign(bob, { ...plan(bob, carol), feeGranter: chain.address(alice) }),
    chain.sign(dave, { ...plan(dave, carol), feeGranter: chain.address(alice) }),
    chain.sign(bob, { ...plan(bob, carol), fee: [] }, 1n),
    chain.sign(carol, { ...plan(carol, bob), fee: fees(FEE, 1n) }),
    chain.sign(carol, { ...plan(carol, bob), memo: 'as long as it may be' }, 1n),
    ...[44_000n, 46_000n, 48_000n, 50_000n].map((gasLimit) => chain.sign(carol, { ...plan(carol, bob), gasLimit })),
    chain.sign(carol, plan(carol, testKey(61), 500_000_000n)),
    chain.sign(bob, { ...plan(bob, carol), fee: fees(1_000_000_000n) }),
  ];
}

function fees(amount: bigint, other?: bigint) {
  return [{ denom: DENOM, amount }, ...(other === undefined ? [] : [{ denom: 'uother', amount: other }])];
}

function environmentAt(height: bigint, late = 0n): TxEnvironment {
  const { table } = chain.app;
  return {
    table,
    decode: (bytes) => decodeTx(bytes, table),
    chain: params,
    block: { height, time: addMillis(TEST_TIME, height * 1_000n + late), proposerAddress: EMPTY },
    verifier,
    logger: silentLogger,
    minGasPrices: [],
    maxBlockGas: -1n,
  };
}

type Change = (base: StateBranch) => void;

function changeAccount(key: AccountKeyPair, change: (account: Account) => Account): Change {
  return (base) => {
    const auth = base.store(AUTH_STORE);
    const account = getAccount(auth, accountAddress(key.publicKey));
    if (account !== undefined) setAccount(auth, change(account));
  };
}

/** All that an account has, but for so much. */
function leave(from: Uint8Array, to: AccountKeyPair, left: bigint): Change {
  return (base) => {
    const ledger = ledgerOf({ ...environmentAt(1n), state: base, events: noEvents });
    const amount = balanceOf(ledger.bank, from, DENOM) - left;
    if (amount > 0n) sendCoins(ledger, from, accountAddress(to.publicKey), [{ denom: DENOM, amount }]);
  };
}

const changeParams =
  (change: Partial<ReturnType<typeof getAuthParams>>): Change =>
  (base) =>
    authParams.set(base.store(AUTH_STORE), { ...getAuthParams(base.store(AUTH_STORE)), ...change });

/** What a block may do besides executing transactions. */
const changes = {
  nothing: () => {},
  'fees go to a validator': leave(COLLECTOR, testKey(62), 0n),
  'most of them': leave(COLLECTOR, testKey(62), 1n),
  'the collector is rich': leave(accountAddress(dave.publicKey), testKey(62), 10_000n),
  'bytes cost more': changeParams({ txSizeCostPerByte: 11n }),
  'bytes cost so much that none passes': changeParams({ txSizeCostPerByte: 1_000n }),
  'shorter memos': changeParams({ maxMemoCharacters: 3n }),
  'no signature any more': changeParams({ txSigLimit: 0n }),
  'nothing left': leave(accountAddress(alice.publicKey), bob, 0n),
  'too little left': leave(accountAddress(alice.publicKey), bob, FEE - 1n),
  'as much as the fee left': leave(accountAddress(alice.publicKey), bob, FEE),
  'a little more left': leave(accountAddress(bob.publicKey), alice, 2n * FEE + 1n),
  'another sequence': changeAccount(alice, (account) => ({ ...account, sequence: account.sequence + 1n })),
  'another number': changeAccount(bob, (account) => ({ ...account, accountNumber: account.accountNumber + 100n })),
  'no key': changeAccount(alice, (account) => ({ ...account, pubKey: undefined })),
  'a module': changeAccount(bob, (account) => ({ ...account, module: { name: 'm', permissions: [] } })),
  'coins vest': changeAccount(carol, (account) => ({
    ...account,
    vesting: newVesting({ kind: 'permanent' }, fees(999_000_000n)),
  })),
  'no sends': (base) => sendEnabled.set(base.store(BANK_STORE), DENOM, false),
} satisfies Record<string, Change>;

function answerOf(environment: TxEnvironment, state: StateBranch, tx: DecodedTx, mode: TxMode) {
  const { result, admitted } = runDecodedTx(environment, state, { ok: true, value: tx }, mode);
  const { code, codespace, log, gasWanted, gasUsed, events } = result;
  const { sender, sequence, priority } = admitted ?? {};
  const repeats = admitted?.repeats === true;
  return { shown: { code, codespace, log, gasWanted, events, sender, sequence, priority }, gasUsed, repeats };
}

function entriesOf(state: StateView) {
  return chain.app.table.storeNames.map((name) => [name, [...state.store(name).entries({})]]);
}

const read = (tx: Uint8Array): DecodedTx | undefined => {
  const decoded = decodeTx(tx, chain.app.table);
  return decoded.ok ? decoded.value : undefined;
};

const repeatsNow = (state: StateBranch, tx: DecodedTx): boolean =>
  repeatPass(params, state.branch(), tx, gasMeter(tx.authInfo.fee?.gasLimit)) !== undefined;

/** A mempool's transactions, in the order of their checks. */
class Waiting {
  readonly #base: StateBranch;
  readonly #txs: readonly { readonly bytes: Uint8Array; readonly tx: DecodedTx | undefined }[];
  #height: bigint;
  #check: StateBranch;
  #waiting: number[] = [];
  /** How many rechecks were repeated, and how many were not. */
  readonly count = { repeated: 0, ran: 0 };

  constructor({ state, height, txs }: Stage) {
    this.#base = new StateBranch(state);
    this.#check = this.#base.branch();
    this.#height = height;
    this.#txs = txs.map((bytes) => ({ bytes, tx: read(bytes) }));
  }

  check(at: number): void {
    const { tx } = this.#txs[at % this.#txs.length] ?? {};
    if (tx === undefined || this.#waiting.includes(at % this.#txs.length)) return;
    const { shown } = answerOf(environmentAt(this.#height + 1n), this.#check, tx, 'check');
    if (shown.code === 0) this.#waiting.push(at % this.#txs.length);
  }

  /** A block of some of those that wait, and whatever else; then all others are checked again. */
  block(picks: readonly number[], change: Change): void {
    this.#height += 1n;
    const chosen = [...new Set(picks.map((pick) => this.#waiting[pick]))];
    for (const at of chosen) {
      const tx = at === undefined ? undefined : this.#txs[at]?.tx;
      if (tx !== undefined) answerOf(environmentAt(this.#height), this.#base, tx, 'deliver');
    }
    change(this.#base);
    this.#check = this.#base.branch();
    this.#waiting = this.#waiting.filter((at) => !chosen.includes(at));
    this.#recheck();
  }

  #recheck(): void {
    const [anew, proposal] = [this.#base.branch(), this.#base.branch()];
    const environment = environmentAt(this.#height + 1n);
    const later = environmentAt(this.#height + 1n, 3_600_000n);
    let follows = true;
    this.#waiting = this.#waiting.filter((at) => {
      const { bytes, tx } = this.#txs[at] ?? {};
      const fresh = bytes && read(bytes);
      if (tx === undefined || fresh === undefined) return false;
      this.count[repeatsNow(this.#check, tx) ? 'repeated' : 'ran']++;
      const answer = answerOf(environment, this.#check, tx, 'recheck');
      const expected = answerOf(environment, anew, fresh, 'recheck');
      expect(answer.shown).toEqual(expected.shown);
      // Digits of two balances.
      expect(maxBig(answer.gasUsed - expected.gasUsed, expected.gasUsed - answer.gasUsed)).toBeLessThan(MOST_MORE_GAS);
      if (answer.shown.code !== 0) return false;
      follows &&= answer.repeats;
      if (follows) expect(answerOf(later, proposal, tx, 'propose').shown).toEqual(answer.shown);
      return true;
    });
    expect(entriesOf(this.#check)).toEqual(entriesOf(anew));
    if (follows) expect(entriesOf(proposal)).toEqual(entriesOf(anew));
  }
}

test('after any block what waits is answered, and written, as if it were new', () => {
  const sum = { repeated: 0, ran: 0 };
  const step = fc.record({
    checks: fc.array(fc.nat(60), { maxLength: 12 }),
    picks: fc.array(fc.nat(7), { maxLength: 4 }),
    change: fc.oneof(
      fc.constant('nothing' as const),
      fc.constantFrom(...(Object.keys(changes) as (keyof typeof changes)[])),
    ),
  });
  fc.assert(
    fc.property(fc.nat(stages.length - 1), fc.array(step, { minLength: 1, maxLength: 5 }), (stage, steps) => {
      const waiting = new Waiting(defined(stages[stage], 'a stage'));
      for (const { checks, picks, change } of steps) {
        for (const at of checks) waiting.check(at);
        waiting.block(picks, changes[change]);
      }
      sum.repeated += waiting.count.repeated;
      sum.ran += waiting.count.ran;
    }),
    { numRuns: 300 },
  );
  expect(sum.repeated).toBeGreaterThan(100);
  expect(sum.ran).toBeGreaterThan(100);
});

/** Signed for the last of the states; checked there, and then looked at in the same one after a change. */
function isRepeated(bytes: Uint8Array, change: Change = changes.nothing): boolean {
  const { state, height } = defined(stages.at(-1), 'a stage');
  const tx = defined(read(bytes), 'a transaction');
  const { shown } = answerOf(environmentAt(height + 1n), new StateBranch(state).branch(), tx, 'check');
  expect(shown).toMatchObject({ code: 0, log: '' });
  const base = new StateBranch(state);
  change(base);
  return repeatsNow(base, tx);
}

const lastTx = (from: AccountKeyPair, plan: object = {}): Uint8Array =>
  chain.sign(from, { messages: [chain.send(from, chain.address(bob), 1n)], gasLimit: GAS, ...plan });

test('a pass is repeated where parameters and account are the same, and the fee is less than what is there', () => {
  const repeated = Object.entries(changes).filter(([, change]) => isRepeated(lastTx(alice), change));
  expect(repeated.map(([name]) => name)).toEqual([
    'nothing',
    'most of them',
    'the collector is rich',
    'a little more left',
    'another number',
    'a module',
    'coins vest',
    'no sends',
  ]);
});

test('only what is plain is repeated', () => {
  const { height } = defined(stages.at(-1), 'a stage');
  // Whoever had too little then has enough now.
  const richer = leave(accountAddress(bob.publicKey), alice, 10_000n);
  const two = { messages: [chain.send(alice, chain.address(bob), 1n), chain.send(alice, chain.address(carol), 1n)] };
  expect([lastTx(alice, two), lastTx(alice, { memo: 'm' })].map((tx) => isRepeated(tx, richer))).toEqual([true, true]);
  const others = {
    'a time-out': lastTx(alice, { timeoutHeight: height + 9n }),
    'no fee': lastTx(alice, { fee: [] }),
    'a fee of two coins': lastTx(alice, { fee: fees(FEE, 1n) }),
    'a fee in another coin': lastTx(alice, { fee: [{ denom: 'uother', amount: 1n }] }),
    'a granter': lastTx(alice, { feeGranter: chain.address(alice) }),
    'coins that vest': lastTx(vester),
    'all that is there': lastTx(alice, { fee: fees(balanceNow(alice)) }),
  };
  expect(Object.entries(others).filter(([, tx]) => isRepeated(tx, richer))).toEqual([]);
});

function balanceNow(key: AccountKeyPair): bigint {
  const { state } = defined(stages.at(-1), 'a stage');
  return balanceOf(state.store(BANK_STORE), accountAddress(key.publicKey), DENOM);
}

test('what may run out of gas with longer balances is not repeated', () => {
  const { state, height } = defined(stages.at(-1), 'a stage');
  const tx = defined(read(lastTx(alice)), 'a transaction');
  const { gasUsed } = answerOf(environmentAt(height + 1n), new StateBranch(state), tx, 'check');
  const least = gasUsed + MOST_MORE_GAS;
  expect([least, least - 1n].map((gasLimit) => isRepeated(lastTx(alice, { gasLimit })))).toEqual([true, false]);
});

test('a state that cannot be read is answered as the checks answer it, and left as it was', () => {
  const { state, height } = defined(stages.at(-1), 'a stage');
  const bytes = lastTx(alice);
  const tx = defined(read(bytes), 'a transaction');
  const environment = environmentAt(height + 1n);
  expect(answerOf(environment, new StateBranch(state), tx, 'check').shown.code).toBe(0);
  const broken = new StateBranch({
    store(name) {
      const store = state.store(name);
      const get = (): never => {
        throw new Error('no balance');
      };
      return name === BANK_STORE
        ? { get, has: (key) => store.has(key), entries: (range) => store.entries(range) }
        : store;
    },
  });
  const answer = answerOf(environment, broken, tx, 'recheck');
  const fresh = defined(read(bytes), 'a transaction');
  expect(answer.shown).toEqual(answerOf(environment, broken, fresh, 'recheck').shown);
  expect(answer.shown).toMatchObject({ code: 35, log: 'ante checks failed: internal logic error' });
  expect(entriesOf(broken)).toEqual(entriesOf(state));
});

test('what waits for long keeps few pieces of memory that its records were cut from', () => {
  const { state, height } = defined(stages.at(-1), 'a stage');
  const check = new StateBranch(state);
  const environment = environmentAt(height + 1n);
  const txs = Array.from({ length: 12 }, (_, ahead) =>
    defined(
      read(chain.sign(alice, { messages: [chain.send(alice, chain.address(bob), 1n)], gasLimit: GAS }, BigInt(ahead))),
      'a transaction',
    ),
  );
  for (const tx of txs) {
    expect(answerOf(environment, check, tx, 'check').shown.code).toBe(0);
    // Meanwhile many others are checked and executed, and go.
    const others = check.branch();
    for (let i = 0n; i < 200n; i++) changeAccount(bob, (account) => ({ ...account, sequence: i }))(others);
  }
  const piecesOf = () =>
    new Set(
      txs.flatMap(({ pass }) =>
        Object.values(defined(pass, 'a pass'))
          .filter((part) => part instanceof Uint8Array && part.length > 20)
          .map((part) => part.buffer),
      ),
    );
  expect(piecesOf().size).toBeGreaterThanOrEqual(txs.length);
  const after = new StateBranch(state);
  for (const tx of txs) {
    expect(repeatsNow(after, tx)).toBe(true);
    expect(answerOf(environment, after, tx, 'recheck').shown.code).toBe(0);
  }
  // Those of the account as it was, and of all rechecks together.
  expect(piecesOf().size).toBeLessThanOrEqual(4);
});
