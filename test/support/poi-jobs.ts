/** Drives jobs on a {@link PoiChain}: a requester with credits, a bonded provider, a model, and a committee. */
import { utf8 } from '#core/bytes.ts';
import { type Opened, type OutcomeKind, outputRoot, type PoiExtension } from '#core/poi/formats.ts';
import type { Result } from '#core/result.ts';
import { MsgBuyCreditsSchema } from '#proto/gen/autonomy/credits/v1/tx_pb.ts';
import type { Job, Provider } from '#proto/gen/autonomy/inference/v1/inference_pb.ts';
import * as q from '#proto/gen/autonomy/inference/v1/query_pb.ts';
import * as tx from '#proto/gen/autonomy/inference/v1/tx_pb.ts';
import { MsgRegisterModelSchema } from '#proto/gen/autonomy/models/v1/tx_pb.ts';
import type { Verdict } from '#proto/gen/autonomy/poi/v1/poi_pb.ts';
import { QueryVerdictsRequestSchema, QueryVerdictsResponseSchema } from '#proto/gen/autonomy/poi/v1/query_pb.ts';
import { decodeStrict, type MessageInitShape } from '#proto/message.ts';
import type { Json } from '#runtime/module.ts';
import { BANK_STORE, balanceOf } from '#runtime/modules/bank/state.ts';
import { CREDIT_DENOM } from '#runtime/modules/credits/state.ts';
import { component, guest } from '#test/vm/wat.ts';
import {
  type Action,
  accountOf,
  action,
  type BlockResult,
  commitmentOf,
  openedOf,
  openingOf,
  PoiChain,
  sealOf,
  type TestValidator,
  text,
} from './poi-chain.ts';

export interface TestOutcome {
  readonly kind: OutcomeKind;
  readonly code: number;
  readonly output: Uint8Array;
}

export const TRUTH: TestOutcome = { kind: 0, code: 0, output: utf8('a picture') };

const echo = component(guest());

export class JobDriver {
  chain: PoiChain;
  readonly initialBond = 1_000n;
  readonly boughtCredits: bigint;
  readonly #outcome: TestOutcome;
  readonly #gasLimit: bigint;

  constructor(
    options: {
      readonly powers?: readonly bigint[];
      readonly outcome?: TestOutcome;
      readonly gasLimit?: bigint;
      /** `app_state.inference`; a job reserves 1 uauton by default. */
      readonly genesis?: { readonly [key: string]: Json };
      readonly unpaid?: readonly number[];
    } = {},
  ) {
    this.#outcome = options.outcome ?? TRUTH;
    this.#gasLimit = options.gasLimit ?? 1_000_000n;
    this.chain = new PoiChain({
      powers: options.powers ?? [10n, 10n, 10n, 10n],
      balances: { requester: 1_000_000_000n, provider: 1_000_000n, creator: 1_000n },
      unpaid: options.unpaid ?? [],
      genesis: {
        inference: options.genesis ?? { params: { job_stake: 1 } },
        credits: { params: { spread_basis_points: 0 } },
      },
    });
    const { results } = this.chain.block([
      action(MsgBuyCreditsSchema, { buyer: text(accountOf('requester')), amount: 10_000_000n, minCredits: 0n }),
      action(tx.MsgBondProviderSchema, { provider: text(accountOf('provider')), amount: this.initialBond }),
      action(MsgRegisterModelSchema, {
        creator: text(accountOf('creator')),
        name: 'echo',
        licence: 'Apache-2.0',
        component: echo,
        price: 25n,
        gasLimitMax: 10_000_000_000n,
      }),
    ]);
    for (const result of results) if (!result.ok) throw new Error(result.error.message);
    this.boughtCredits = this.credits();
  }

  /** The same people on another chain that holds the same state. */
  over(chain: PoiChain): JobDriver {
    this.chain = chain;
    return this;
  }

  credits(): bigint {
    return balanceOf(this.chain.state.store(BANK_STORE), accountOf('requester'), CREDIT_DENOM);
  }

  job(id: bigint): Job {
    const { job } = this.chain.query(
      '/autonomy.inference.v1.Query/Job',
      q.QueryJobRequestSchema,
      q.QueryJobResponseSchema,
      {
        id,
      },
    );
    if (job === undefined) throw new Error(`no job ${id}`);
    return job;
  }

  verdicts(jobId: bigint): readonly Verdict[] {
    const path = '/autonomy.poi.v1.Query/Verdicts';
    return this.chain.query(path, QueryVerdictsRequestSchema, QueryVerdictsResponseSchema, { jobId }).verdicts;
  }

  provider(): Provider {
    const { provider } = this.chain.query(
      '/autonomy.inference.v1.Query/Provider',
      q.QueryProviderRequestSchema,
      q.QueryProviderResponseSchema,
      { address: text(accountOf('provider')) },
    );
    if (provider === undefined) throw new Error('no provider');
    return provider;
  }

  requestAction(
    change: MessageInitShape<typeof tx.MsgRequestInferenceSchema> & { readonly deadlineIn?: bigint } = {},
  ): Action {
    const { deadlineIn = 20n, ...fields } = change;
    return action(tx.MsgRequestInferenceSchema, {
      requester: text(accountOf('requester')),
      modelId: 1n,
      input: Uint8Array.of(1, 2, 3),
      seed: 42n,
      gasLimit: this.#gasLimit,
      maxFee: 25n,
      provider: text(accountOf('provider')),
      deadline: this.chain.height + 1n + deadlineIn,
      ...fields,
    });
  }

  tryRequest(change: Parameters<JobDriver['requestAction']>[0] = {}): Result<Uint8Array> | undefined {
    return this.chain.block([this.requestAction(change)]).results[0];
  }

  request(change: Parameters<JobDriver['requestAction']>[0] = {}): bigint {
    const result = this.tryRequest(change);
    if (!result?.ok) throw new Error(result?.error.message);
    const decoded = decodeStrict(tx.MsgRequestInferenceResponseSchema, result.value);
    if (!decoded.ok) throw new Error(decoded.error);
    return decoded.value.jobId;
  }

  /** What a validator opens; `version` 0 is the truth. */
  truth(job: bigint, validator: TestValidator, version = 0): Opened {
    return this.#opened(job, version, `${text(validator.address)} ${job}`);
  }

  #opened(job: bigint, version: number, salt: string): Opened {
    const { kind, code, output } = this.#output(version);
    return { ...openedOf(job, version, salt, outputRoot(kind, code, output)), kind };
  }

  #output(version: number): TestOutcome {
    return version === 0 ? this.#outcome : { kind: 0, code: 0, output: utf8(`lie ${version}`) };
  }

  sealAction(
    job: bigint,
    change: MessageInitShape<typeof tx.MsgSealResultSchema> & { readonly version?: number } = {},
  ): Action {
    const { version = 0, ...fields } = change;
    const seal = sealOf(accountOf('provider'), job, this.#opened(job, version, `provider ${job}`));
    return action(tx.MsgSealResultSchema, { provider: text(accountOf('provider')), jobId: job, seal, ...fields });
  }

  trySeal(job: bigint, change: Parameters<JobDriver['sealAction']>[1] = {}): Result<Uint8Array> | undefined {
    return this.chain.block([this.sealAction(job, change)]).results[0];
  }

  seal(job: bigint, version = 0): void {
    const result = this.trySeal(job, { version });
    if (!result?.ok) throw new Error(result?.error.message);
  }

  openAction(
    job: bigint,
    change: MessageInitShape<typeof tx.MsgOpenResultSchema> & { readonly version?: number } = {},
  ): Action {
    const { version = 0, ...fields } = change;
    const { kind, code, output } = this.#output(version);
    const { traceRoot, gasUsed, salt } = this.#opened(job, version, `provider ${job}`);
    return action(tx.MsgOpenResultSchema, {
      provider: text(accountOf('provider')),
      jobId: job,
      kind,
      code,
      output,
      traceRoot,
      gasUsed,
      salt,
      ...fields,
    });
  }

  tryOpen(job: bigint, change: Parameters<JobDriver['openAction']>[1] = {}): Result<Uint8Array> | undefined {
    return this.chain.block([this.openAction(job, change)]).results[0];
  }

  open(job: bigint, version = 0): void {
    const result = this.tryOpen(job, { version });
    if (!result?.ok) throw new Error(result?.error.message);
  }

  tryUnbond(amount: bigint): Result<Uint8Array> | undefined {
    return this.chain.block([action(tx.MsgUnbondProviderSchema, { provider: text(accountOf('provider')), amount })])
      .results[0];
  }

  /** A block in which these validators say something. */
  say(said: ReadonlyMap<TestValidator, PoiExtension>): BlockResult {
    return this.chain.block([], said);
  }

  validator(index: number): TestValidator {
    const validator = this.chain.validators[index];
    if (validator === undefined) throw new Error(`no validator ${index}`);
    return validator;
  }

  commit(job: bigint, validators: readonly number[], version = 0): BlockResult {
    const said = validators.map((index) => {
      const validator = this.validator(index);
      const commitment = commitmentOf(validator, job, this.truth(job, validator, version));
      return [validator, { commitments: [commitment], openings: [] }] as const;
    });
    return this.say(new Map(said));
  }

  reveal(job: bigint, validators: readonly number[], version = 0): BlockResult {
    const said = validators.map((index) => {
      const validator = this.validator(index);
      return [validator, { commitments: [], openings: [openingOf(job, this.truth(job, validator, version))] }] as const;
    });
    return this.say(new Map(said));
  }

  idle(blocks: number): void {
    for (let i = 0; i < blocks; i++) this.chain.block();
  }

  /** A new job whose whole committee has committed to the truth. */
  toRevealing(): bigint {
    const job = this.request();
    this.seal(job);
    this.commit(
      job,
      this.chain.validators.map((_, i) => i),
    );
    return job;
  }
}
