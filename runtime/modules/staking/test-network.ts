/** A chain whose validators are staked, for tests: blocks come with the votes of the set that consensus would have. */
import type { ExecTxResult, FinalizeBlockResponse, Misbehavior, VoteInfo } from '#core/abci.ts';
import { assert, defined } from '#core/assert.ts';
import { toBase64, toHex, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { type AccountKeyPair, accountAddress } from '#core/crypto/keys.ts';
import { consensusAddress, ed25519Key, type PublicKey } from '#core/crypto/pubkey.ts';
import { divFloor } from '#core/int.ts';
import { toRound } from '#core/types/brand.ts';
import { FLAG_ABSENT, FLAG_COMMIT } from '#core/types/commit.ts';
import { addMillis, type Timestamp } from '#core/types/timestamp.ts';
import { createValidatorSet, updateValidators, type ValidatorSet } from '#core/types/validator-set.ts';
import { type DescMessage, decodeStrict, encode, type MessageInitShape, type MessageShape } from '#proto/message.ts';
import type { Json } from '../../module.ts';
import type { ModuleTable } from '../../module-table.ts';
import { startTestChain, TEST_TIME, type TestChain, type TestChainOptions, testKey } from '../../test-chain.ts';
import type { TxPlan } from '../../tx/build.ts';
import { formatOperator } from './addresses.ts';

export const DENOM = 'uauton';
export const STAKE = 10_000_000n;

/** The consensus key of test validator `n`. */
export function consensusKey(n: number): PublicKey {
  return ed25519Key(sha256(utf8(`consensus key ${n}`)));
}

export function operatorText(key: AccountKeyPair, prefix = 'auton'): string {
  return formatOperator({ bech32Prefix: prefix }, accountAddress(key.publicKey));
}

export interface StakingOptions extends TestChainOptions {
  /** Operators are the test keys 1 … n. Default 4. */
  readonly count?: number;
  /** Self-delegation of each. Default {@link STAKE}. */
  readonly stakes?: readonly bigint[];
  readonly params?: { readonly [name: string]: Json };
  readonly commission?: string;
  readonly powerReduction?: bigint;
  /** Milliseconds between blocks. */
  readonly blockMs?: bigint;
}

export interface BlockPlan {
  readonly txs?: readonly Uint8Array[];
  /** Consensus addresses, in hex, of those who do not sign the block before. */
  readonly absent?: ReadonlySet<string>;
  readonly misbehavior?: readonly Misbehavior[];
  /** Instead of the next second. */
  readonly time?: Timestamp;
}

export interface StakingChain {
  readonly chain: TestChain;
  readonly table: ModuleTable;
  /** The set that signs the next block. */
  validators(): ValidatorSet;
  /** The set that signed the last block. */
  signers(): ValidatorSet;
  height(): bigint;
  time(): Timestamp;
  block(plan?: BlockPlan): Promise<FinalizeBlockResponse>;
  /** One message in a block of its own. */
  run(key: AccountKeyPair, message: TxPlan['messages'][number]): Promise<ExecTxResult>;
  query<Req extends DescMessage, Res extends DescMessage>(
    path: string,
    request: Req,
    response: Res,
    init: MessageInitShape<Req>,
  ): MessageShape<Res>;
  reopen(): Promise<StakingChain>;
}

export function genValidator(n: number, options: StakingOptions): Json {
  return {
    description: { moniker: `validator ${n}` },
    commission: { rate: options.commission ?? '0.1', max_rate: '0.5', max_change_rate: '0.1' },
    min_self_delegation: '1',
    validator_address: operatorText(testKey(n), options.prefix),
    pubkey: { '@type': '/cosmos.crypto.ed25519.PubKey', key: toBase64(consensusKey(n).bytes) },
    value: { denom: options.params?.bond_denom ?? DENOM, amount: String(options.stakes?.[n - 1] ?? STAKE) },
  };
}

export const QUIET_PARAMS = {
  unbonding_time: '20s',
  max_validators: 10,
  max_entries: 7,
  historical_entries: 5,
  bond_denom: DENOM,
  min_commission_rate: '0.0',
} as const;

export async function startStakingChain(options: StakingOptions = {}): Promise<StakingChain> {
  const count = options.count ?? 4;
  const reduction = options.powerReduction ?? 1_000_000n;
  const numbers = Array.from({ length: count }, (_, i) => i + 1);
  const updates = numbers
    .map((n) => ({ publicKey: consensusKey(n), power: divFloor(options.stakes?.[n - 1] ?? STAKE, reduction) }))
    .filter(({ power }) => power > 0n);
  const chain = await startTestChain({
    accounts: count + 3,
    ...options,
    validators: updates,
    moduleState: {
      staking: {
        params: { ...QUIET_PARAMS, ...options.params },
        power_reduction: String(reduction),
        gen_validators: numbers.map((n) => genValidator(n, options)),
      },
      ...options.moduleState,
    },
  });
  const first = createValidatorSet(updates);
  assert(first.ok, 'the genesis validators form a set');
  const { value } = first;
  return stakingChainOf(chain, options, { signers: value, sets: [value, value], height: 0n, time: TEST_TIME });
}

interface Progress {
  /** Who signed the last block. */
  readonly signers: ValidatorSet;
  /** Who signs the next block, and the one after it. */
  readonly sets: readonly [ValidatorSet, ValidatorSet];
  readonly height: bigint;
  readonly time: Timestamp;
}

function stakingChainOf(chain: TestChain, options: StakingOptions, from: Progress): StakingChain {
  let { signers, sets, height, time } = from;
  const { app } = chain;
  return {
    chain,
    table: app.table,
    validators: () => sets[0],
    signers: () => signers,
    height: () => height,
    time: () => time,
    async block(plan = {}) {
      const next = plan.time ?? addMillis(time, options.blockMs ?? 1_000n);
      const votes =
        height === 0n
          ? []
          : signers.validators.map(
              ({ address, power }): VoteInfo => ({
                validator: { address, power },
                flag: plan.absent?.has(toHex(address)) === true ? FLAG_ABSENT : FLAG_COMMIT,
              }),
            );
      const response = app.finalizeBlock({
        ...chain.request(plan.txs ?? []),
        time: next,
        proposerAddress: defined(sets[0].validators[0], 'a validator').address,
        misbehavior: plan.misbehavior ?? [],
        decidedLastCommit: { round: toRound(0), votes },
      });
      await app.commit();
      const changed = updateValidators(sets[1], response.validatorUpdates);
      assert(changed.ok, `consensus takes the updates: ${changed.ok ? '' : changed.error}`);
      signers = sets[0];
      sets = [sets[1], changed.value];
      height += 1n;
      time = next;
      return response;
    },
    async run(key, message) {
      const tx = chain.sign(key, { messages: [message], gasLimit: 1_000_000n });
      const { txResults } = await this.block({ txs: [tx] });
      return defined(txResults[0], 'the result of the transaction');
    },
    query(path, request, response, init) {
      const answer = app.query({ path, data: encode(request, init), height: 0n, prove: false });
      assert(answer.code === 0, `${path}: ${answer.log}`);
      const decoded = decodeStrict(response, answer.value);
      assert(decoded.ok, `${path}: the answer does not decode`);
      return decoded.value;
    },
    async reopen() {
      return stakingChainOf(await chain.reopen(), options, { signers, sets, height, time });
    },
  };
}

export function consensusHex(n: number): string {
  return toHex(consensusAddress(consensusKey(n)));
}
