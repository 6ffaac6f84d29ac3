import { inferenceError } from '#core/errors.ts';
import { MAX_INT64 } from '#core/int.ts';
import { HASH_BYTES } from '#core/poi/formats.ts';
import { err, ok, type Result } from '#core/result.ts';
import { ParamsSchema } from '#proto/gen/autonomy/inference/v1/inference_pb.ts';
import * as tx from '#proto/gen/autonomy/inference/v1/tx_pb.ts';
import { create } from '#proto/message.ts';
import { moduleAddress } from '../../address.ts';
import type { ChainParams, GenesisContext, QueryContext } from '../../context.ts';
import { failSdk } from '../../errors.ts';
import { asInteger, asObject, isAbsent, readJson, root } from '../../json.ts';
import { type Json, messageHandler, type RuntimeModule } from '../../module.ts';
import { BANK_STORE, balanceOf } from '../bank/state.ts';
import { CREDIT_DENOM } from '../credits/state.ts';
import {
  bondProvider,
  checkOpened,
  openResult,
  readAccount,
  requestInference,
  sealResult,
  unbondProvider,
} from './handlers.ts';
import { refundUnsealed } from './jobs.ts';
import { INFERENCE_LIMITS } from './limits.ts';
import { inferenceQueries } from './queries.ts';
import {
  BOND_ACCOUNT,
  DEFAULT_PARAMS,
  ESCROW_ACCOUNT,
  freeBond,
  INFERENCE_STORE,
  liveJobs,
  params,
  providers,
} from './state.ts';

const MAX_BLOCKS = 1_000_000n;
const MAX_LIVE_JOBS = 10_000n;

/** `app_state.inference`: `{"params": {…}}`, each absent field its default. */
function initInference(context: GenesisContext, json: Json | undefined): Result<void, string> {
  return readJson(() => {
    const top = asObject(root(json ?? {}, 'app_state.inference'), ['params']);
    const names = [
      'max_input_bytes',
      'max_output_bytes',
      'job_stake',
      'max_live_jobs',
      'min_deadline_blocks',
      'max_deadline_blocks',
      'commit_window_blocks',
      'open_window_blocks',
    ] as const;
    const fields = asObject({ path: top.params.path, value: top.params.value ?? {} }, names);
    const read = (name: (typeof names)[number], fallback: number, max: bigint): number =>
      isAbsent(fields[name]) ? fallback : Number(asInteger(fields[name], 1n, max));
    const inline = BigInt(INFERENCE_LIMITS.inlineBytes);
    const d = DEFAULT_PARAMS;
    params.set(
      context.state.store(INFERENCE_STORE),
      create(ParamsSchema, {
        maxInputBytes: read('max_input_bytes', d.maxInputBytes, inline),
        maxOutputBytes: read('max_output_bytes', d.maxOutputBytes, inline),
        jobStake: isAbsent(fields.job_stake) ? d.jobStake : asInteger(fields.job_stake, 1n, MAX_INT64),
        maxLiveJobs: read('max_live_jobs', d.maxLiveJobs, MAX_LIVE_JOBS),
        minDeadlineBlocks: read('min_deadline_blocks', d.minDeadlineBlocks, MAX_BLOCKS),
        maxDeadlineBlocks: read('max_deadline_blocks', d.maxDeadlineBlocks, MAX_BLOCKS),
        commitWindowBlocks: read('commit_window_blocks', d.commitWindowBlocks, MAX_BLOCKS),
        openWindowBlocks: read('open_window_blocks', d.openWindowBlocks, MAX_BLOCKS),
      }),
    );
  });
}

/** Escrow and bonds are what the jobs and providers say. */
function inferenceInvariants(context: QueryContext): readonly string[] {
  const store = context.state.store(INFERENCE_STORE);
  const bank = context.state.store(BANK_STORE);
  const breaches: string[] = [];
  let fees = 0n;
  const reserved = new Map<string, bigint>();
  for (const job of liveJobs(store)) {
    fees += job.fee;
    reserved.set(job.provider, (reserved.get(job.provider) ?? 0n) + job.stake);
  }
  const escrow = balanceOf(bank, moduleAddress(ESCROW_ACCOUNT), CREDIT_DENOM);
  if (escrow !== fees) breaches.push(`inference: escrow holds ${escrow}, live jobs say ${fees}`);
  let bonded = 0n;
  for (const [, provider] of providers.entries(store)) {
    bonded += provider.bonded;
    if (freeBond(provider) < 0n) breaches.push(`inference: ${provider.address} reserves more than it bonded`);
    if (provider.reserved !== (reserved.get(provider.address) ?? 0n))
      breaches.push(`inference: ${provider.address} reserves ${provider.reserved}, its jobs say otherwise`);
    reserved.delete(provider.address);
  }
  for (const address of reserved.keys()) breaches.push(`inference: ${address} has jobs but no bond`);
  const held = balanceOf(bank, moduleAddress(BOND_ACCOUNT), context.chain.baseDenom);
  if (held !== bonded) breaches.push(`inference: bonds hold ${held}, providers say ${bonded}`);
  return breaches;
}

function signer(chain: ChainParams, text: string, title: string): Result<readonly Uint8Array[]> {
  const address = readAccount(chain, text, title);
  return address.ok ? ok([address.value]) : address;
}

function positive(amount: bigint): Result<void> {
  return amount > 0n ? ok(undefined) : failSdk('invalidRequest', 'amount: expected more than 0');
}

export const inferenceModule: RuntimeModule = {
  name: 'inference',
  stores: [INFERENCE_STORE],
  moduleAccounts: { [ESCROW_ACCOUNT]: ['burner'], [BOND_ACCOUNT]: [] },
  initGenesis: initInference,
  messages: [
    messageHandler({
      schema: tx.MsgBondProviderSchema,
      response: tx.MsgBondProviderResponseSchema,
      signers: (message, chain) => signer(chain, message.provider, 'provider'),
      validate: ({ amount }) => positive(amount),
      handle: bondProvider,
    }),
    messageHandler({
      schema: tx.MsgUnbondProviderSchema,
      response: tx.MsgUnbondProviderResponseSchema,
      signers: (message, chain) => signer(chain, message.provider, 'provider'),
      validate: ({ amount }) => positive(amount),
      handle: unbondProvider,
    }),
    messageHandler({
      schema: tx.MsgRequestInferenceSchema,
      response: tx.MsgRequestInferenceResponseSchema,
      signers: (message, chain) => signer(chain, message.requester, 'requester'),
      validate: ({ input }) =>
        input.length <= INFERENCE_LIMITS.inlineBytes
          ? ok(undefined)
          : err(
              inferenceError(
                'inputTooLarge',
                `input: ${input.length} bytes, expected at most ${INFERENCE_LIMITS.inlineBytes}`,
              ),
            ),
      handle: requestInference,
    }),
    messageHandler({
      schema: tx.MsgSealResultSchema,
      response: tx.MsgSealResultResponseSchema,
      signers: (message, chain) => signer(chain, message.provider, 'provider'),
      validate: ({ seal }) =>
        seal.length === HASH_BYTES
          ? ok(undefined)
          : err(inferenceError('malformedResult', `seal: ${seal.length} bytes, expected ${HASH_BYTES}`)),
      handle: sealResult,
    }),
    messageHandler({
      schema: tx.MsgOpenResultSchema,
      response: tx.MsgOpenResultResponseSchema,
      signers: (message, chain) => signer(chain, message.provider, 'provider'),
      validate: checkOpened,
      handle: openResult,
    }),
  ],
  queries: inferenceQueries,
  endBlock(context) {
    refundUnsealed(context);
    return undefined;
  },
  invariants: inferenceInvariants,
};
