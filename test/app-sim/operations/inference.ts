/** Credits, models, jobs; and what the validators say of the jobs in their vote extensions. */
import { EMPTY, toHex, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import {
  type Commitment,
  EXTENSION_LIMITS,
  encodeExtension,
  type Opened,
  outputRoot,
  sealHash,
  type VerdictOpening,
  verdictHash,
} from '#core/poi/formats.ts';
import { MsgBuyCreditsSchema } from '#proto/gen/autonomy/credits/v1/tx_pb.ts';
import { type Job, JobStatus } from '#proto/gen/autonomy/inference/v1/inference_pb.ts';
import * as tx from '#proto/gen/autonomy/inference/v1/tx_pb.ts';
import { MsgRegisterModelSchema } from '#proto/gen/autonomy/models/v1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import type { Rng } from '#test/sim/rng.ts';
import { component, guest } from '#test/vm/wat.ts';
import { CHAIN_ID } from '../scenario.ts';
import { type Operation, pickFrom, smallAmount, somebody } from './operation.ts';

const COMPONENTS = ['1 16', '2 16', '1 4'].map((memory) => component(guest({ memory })));
const CREDIT_GAS = 500_000n;
const ADMISSION_GAS = 3_000_000n;

/** What one execution of a job leads to; `version` 0 is the truth, any other a lie. */
function outcomeOf(job: bigint, version: number) {
  return {
    output: utf8(`output ${job}/${version}`),
    traceRoot: sha256(utf8(`trace ${job}/${version}`)),
    gasUsed: 1_000n + BigInt(version),
  };
}

function openedOf(job: bigint, version: number, salt: string): Opened {
  const { output, traceRoot, gasUsed } = outcomeOf(job, version);
  return { kind: 0, outputRoot: outputRoot(0, 0, output), traceRoot, gasUsed, salt: sha256(utf8(salt)) };
}

/** Of every eleventh job the provider tells another result than the one that is true. */
const lieOf = (job: bigint): number => (job % 11n === 10n ? 1 : 0);
const providerSalt = (job: bigint): string => `provider ${job}`;

export const inferenceOperations: readonly Operation[] = [
  {
    name: 'credits buy',
    weight: 4,
    make(scene) {
      const signer = somebody(scene);
      const minCredits = scene.rng.chance(0.1) ? 1n << 40n : 0n;
      const message = { buyer: signer.text, amount: smallAmount(scene.rng) & ((1n << 63n) - 1n), minCredits };
      return { signer, messages: [pack(MsgBuyCreditsSchema, message)] };
    },
  },
  {
    name: 'models register',
    weight: 1,
    make(scene) {
      const signer = somebody(scene);
      const whole = scene.rng.pick(COMPONENTS);
      const message = pack(MsgRegisterModelSchema, {
        creator: signer.text,
        name: 'echo',
        licence: 'Apache-2.0',
        component: scene.rng.chance(0.2) ? whole.subarray(0, scene.rng.below(whole.length)) : whole,
        price: BigInt(1 + scene.rng.below(400)),
        gasLimitMax: 10_000_000_000n,
      });
      return { signer, messages: [message], gasLimit: ADMISSION_GAS };
    },
  },
  {
    name: 'inference bond provider',
    weight: 2,
    make(scene) {
      const signer = somebody(scene);
      const amount = BigInt(scene.rng.below(20_000));
      return { signer, messages: [pack(tx.MsgBondProviderSchema, { provider: signer.text, amount })] };
    },
  },
  {
    name: 'inference unbond provider',
    weight: 1,
    make(scene) {
      const one = pickFrom(scene.rng, scene.census.providers());
      if (one === undefined) return undefined;
      const free = one.provider.bonded - one.provider.reserved;
      const amount = scene.rng.chance(0.3) ? free : free / 3n + (scene.rng.chance(0.2) ? free : 0n);
      return { signer: one.actor, messages: [pack(tx.MsgUnbondProviderSchema, { provider: one.actor.text, amount })] };
    },
  },
  {
    name: 'inference request',
    weight: 6,
    make(scene) {
      const { rng, census } = scene;
      const rich = scene.actors.filter((actor) => census.balance(actor, 'ucredit') > 0n);
      const [signer, one, modelId] = [
        pickFrom(rng, rich),
        pickFrom(rng, census.providers()),
        pickFrom(rng, census.models()),
      ];
      if (signer === undefined || one === undefined || modelId === undefined) return undefined;
      const message = pack(tx.MsgRequestInferenceSchema, {
        requester: signer.text,
        modelId,
        input: new Uint8Array(rng.below(40)).fill(1),
        seed: BigInt(rng.u32()),
        gasLimit: BigInt(rng.pick([1_000_000, 1_000_000_000])),
        maxFee: rng.chance(0.9) ? 1_000_000n : 1n,
        provider: one.actor.text,
        deadline: census.context.height + 1n + BigInt(rng.between(1, 12)),
      });
      return { signer, messages: [message], gasLimit: CREDIT_GAS };
    },
  },
  {
    name: 'inference seal',
    weight: 8,
    make(scene) {
      const waiting = scene.census.jobs().filter(({ status }) => status === JobStatus.ASSIGNED);
      const job = pickFrom(scene.rng, waiting);
      const actor = scene.actors.find(({ text }) => text === job?.provider);
      if (job === undefined || actor === undefined) return undefined;
      const author = { chainId: CHAIN_ID, job: job.id, address: actor.address };
      const seal = sealHash(author, openedOf(job.id, lieOf(job.id), providerSalt(job.id)));
      const message = { provider: actor.text, jobId: job.id, seal };
      return { signer: actor, messages: [pack(tx.MsgSealResultSchema, message)], gasLimit: CREDIT_GAS };
    },
  },
  {
    name: 'inference open',
    weight: 8,
    make(scene) {
      const ready = scene.census
        .jobs()
        .filter(({ status, result }) => status === JobStatus.REVEALING && result === undefined);
      const job = pickFrom(scene.rng, ready);
      const actor = scene.actors.find(({ text }) => text === job?.provider);
      if (job === undefined || actor === undefined) return undefined;
      const version = scene.rng.chance(0.1) ? 2 : lieOf(job.id);
      const { salt } = openedOf(job.id, version, providerSalt(job.id));
      const message = { provider: actor.text, jobId: job.id, kind: 0, code: 0, ...outcomeOf(job.id, version), salt };
      return { signer: actor, messages: [pack(tx.MsgOpenResultSchema, message)], gasLimit: CREDIT_GAS };
    },
  },
];

/** What the validator with this consensus address attaches to its vote: nothing, the truth, nonsense. */
export function extensionOf(rng: Rng, jobs: readonly Job[], validator: Uint8Array): Uint8Array {
  const commitments: Commitment[] = [];
  const openings: VerdictOpening[] = [];
  if (rng.chance(0.02)) return utf8('nonsense');
  for (const { id, status } of jobs) {
    // One in thirty has executed something else, and says so to the end.
    const version = (sha256(utf8(`${id} ${toHex(validator)}`))[0] as number) < 8 ? 3 : 0;
    const opened = openedOf(id, version, `${toHex(validator)} ${id}`);
    const author = { chainId: CHAIN_ID, job: id, address: validator };
    if (status === JobStatus.COMMITTING && rng.chance(0.8))
      commitments.push({ job: id, hash: verdictHash(author, opened) });
    if (status === JobStatus.REVEALING && rng.chance(0.8)) openings.push({ job: id, ...opened });
  }
  if (commitments.length + openings.length === 0) return EMPTY;
  return encodeExtension({
    commitments: commitments.slice(0, EXTENSION_LIMITS.commitments),
    openings: openings.slice(0, EXTENSION_LIMITS.openings),
  });
}
