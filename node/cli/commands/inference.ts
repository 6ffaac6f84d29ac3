import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { readU64be, toHex } from '#core/bytes.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { JobStatus } from '#proto/gen/autonomy/inference/v1/inference_pb.ts';
import {
  MsgRequestInferenceResponseSchema,
  MsgRequestInferenceSchema,
} from '#proto/gen/autonomy/inference/v1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import { statusName } from '#runtime/modules/inference/reasons.ts';
import { type Description, readDescription } from '#wasm-modules/description.ts';
import type { ChainClient } from '../../client/chain-client.ts';
import {
  feeOf,
  queryComponent,
  queryJob,
  queryModel,
  queryOutput,
  readReceipt,
  receiptLines,
  responseOf,
  waitForJob,
} from '../../client/inference-client.ts';
import { describeComponent } from '../../vm/describe-component.ts';
import {
  CliError,
  chainClientOf,
  createOutput,
  type NodeFlags,
  nodeOption,
  type OutputFlags,
  orFail,
  outputOption,
  wholeNumber,
  withOptions,
} from '../context.ts';
import { answerFile, INPUT_HELP, OUT_HELP, readModelInput } from '../model-input.ts';
import { type SenderFlags, senderOf, senderOptions } from '../sign-and-send.ts';
import { unsigned } from '../unsigned.ts';

export function inferenceCommand(): Command {
  return new Command('inference')
    .description('ask for inferences and read their receipts')
    .addCommand(requestCommand())
    .addCommand(waitCommand())
    .addCommand(receiptCommand());
}

async function descriptionOf(chain: ChainClient, componentHash: Uint8Array): Promise<Description> {
  const text = await describeComponent(await queryComponent(chain, componentHash), silentLogger);
  if (!text.ok) throw new CliError(text.error.message);
  return orFail(readDescription(text.value), 'the model');
}

interface RequestFlags extends SenderFlags {
  readonly model: bigint;
  readonly input: string;
  readonly seed?: bigint;
  readonly provider: string;
  readonly gasLimit?: bigint;
  readonly maxFee?: bigint;
  readonly deadline: number;
}

function requestCommand(): Command {
  const command = new Command('request')
    .description('ask a provider for an inference, paid with credits')
    .requiredOption('--model <id>', 'number of the model', unsigned)
    .requiredOption('--input <what>', INPUT_HELP)
    .requiredOption('--provider <address>', 'a bonded provider')
    .option('--seed <number>', 'by default a random one', unsigned)
    .option('--gas-limit <gas>', 'by default what the model allows', unsigned)
    .option('--max-fee <ucredit>', 'by default what it costs now', unsigned)
    .option('--deadline <blocks>', 'so many blocks from now the seal must be there', wholeNumber(2, 10_000), 50);
  return withOptions(command, senderOptions()).action(async (flags: RequestFlags) => {
    const chain = chainClientOf(flags);
    const model = await queryModel(chain, flags.model);
    const sender = await senderOf(flags);
    const { latest_block_height: latest } = (await chain.status()).sync_info;
    const gasLimit = flags.gasLimit ?? model.gasLimitMax;
    const message = pack(MsgRequestInferenceSchema, {
      requester: sender.address,
      modelId: model.id,
      input: await readModelInput(flags.input, () => descriptionOf(chain, model.componentHash)),
      seed: flags.seed ?? readU64be(randomBytes(8)),
      gasLimit,
      maxFee: flags.maxFee ?? (await feeOf(chain, model, gasLimit)),
      provider: flags.provider,
      deadline: BigInt(latest) + BigInt(flags.deadline),
    });
    const outcome = await sender.send([message]);
    const { jobId } = responseOf(outcome, MsgRequestInferenceResponseSchema);
    createOutput(flags.output).result({ job: jobId, hash: outcome.hash, height: outcome.height }, [
      `job ${jobId}, in block ${outcome.height}`,
      `wait for it with: autond inference wait ${jobId}`,
    ]);
  });
}

interface WaitFlags extends NodeFlags, OutputFlags {
  readonly out?: string;
  readonly scale: number;
  readonly timeout: number;
}

function waitCommand(): Command {
  const command = new Command('wait')
    .description('wait until a job is final, and fetch its output')
    .argument('<job>', 'number of the job', unsigned)
    .option('--out <file>', OUT_HELP)
    .option('--scale <factor>', 'enlarge the picture', wholeNumber(1, 64), 1)
    .option('--timeout <seconds>', 'how long to wait', wholeNumber(1, 86_400), 120);
  return withOptions(command, [nodeOption(), outputOption()]).action(async (id: bigint, flags: WaitFlags) => {
    const chain = chainClientOf(flags);
    const output = createOutput(flags.output);
    const job = await waitForJob(chain, id, flags.timeout * 1_000, ({ status }) =>
      output.note(`job ${id} is ${statusName(status)}`),
    );
    if (job.status !== JobStatus.SETTLED) {
      const { refundSentence } = await queryJob(chain, id);
      throw new CliError(`job ${id} was refunded: ${refundSentence}`);
    }
    if (job.result?.kind !== 0)
      throw new CliError(
        `job ${id} settled, but the model gave no output (kind ${job.result?.kind}, code ${job.result?.code})`,
      );
    if (flags.out !== undefined) {
      const description = await descriptionOf(chain, job.componentHash);
      await writeFile(flags.out, answerFile(flags.out, await queryOutput(chain, job), description, flags.scale));
    }
    output.result(
      { job: id, status: statusName(job.status), output_hash: toHex(job.result.outputHash), file: flags.out },
      [
        `job ${id} settled in block ${job.finalHeight}`,
        `output hash ${toHex(job.result.outputHash)}`,
        ...(flags.out === undefined ? [] : [`written to ${flags.out}`]),
      ],
    );
  });
}

function receiptCommand(): Command {
  const command = new Command('receipt')
    .description('who executed a job, who verified it, and who was paid; every hash is computed again here')
    .argument('<job>', 'number of the job', unsigned);
  return withOptions(command, [nodeOption(), outputOption()]).action(
    async (id: bigint, flags: NodeFlags & OutputFlags) => {
      const receipt = await readReceipt(chainClientOf(flags), id);
      createOutput(flags.output).result(receipt, receiptLines(receipt));
    },
  );
}
