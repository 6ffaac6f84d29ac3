/** The provider over the chain's own modules, through the client's port: what it sends, and what it survives. */
import { afterEach, expect, test } from 'vitest';
import { sha256 } from '#core/crypto/hash.ts';
import type { Logger } from '#core/ports/logger.ts';
import { JobStatus } from '#proto/gen/autonomy/inference/v1/inference_pb.ts';
import { MsgOpenResultSchema, MsgSealResultSchema } from '#proto/gen/autonomy/inference/v1/tx_pb.ts';
import { decodeStrict, encode } from '#proto/message.ts';
import { accountOf, action, CHAIN, text } from '#test/support/poi-chain.ts';
import { JobDriver, TRUTH } from '#test/support/poi-jobs.ts';
import { type ExecutionOutcome, hostFault } from '#vm/outcome.ts';
import { AppError, type ChainClient, type TxOutcome } from '../client/chain-client.ts';
import { RpcClientError } from '../client/rpc-client.ts';
import type { Sender } from '../client/sender.ts';
import type { ExecuteModel } from '../duties/execute-job.ts';
import { type RunningProvider, startProvider } from './provider.ts';

const RESULT: ExecutionOutcome = {
  kind: 'ok',
  output: TRUTH.output,
  gasUsed: 1_000n,
  traceRoot: sha256(Uint8Array.of(1)),
};

const running: RunningProvider[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((provider) => provider.close()));
});

const OUTCOME: TxOutcome = {
  hash: '',
  height: '1',
  code: 0,
  codespace: '',
  log: '',
  gasWanted: '0',
  gasUsed: '0',
  data: '',
  events: [],
};

interface Bench {
  readonly on: JobDriver;
  readonly errors: string[];
  /** Type URLs in the order in which they were sent. */
  readonly sent: string[];
  calls: number;
  /** The chain does not answer while this is set. */
  down: boolean;
  provider: RunningProvider;
}

function bench(
  options: { readonly on?: JobDriver; readonly execute?: ExecuteModel; readonly secret?: number } = {},
): Bench {
  const on = options.on ?? new JobDriver();
  const errors: string[] = [];
  const logger: Logger = {
    debug() {},
    info() {},
    warn: (message) => void errors.push(message),
    error: (message, fields) => void errors.push(`${message}: ${String(fields?.error)}`),
    child: () => logger,
  };
  const made: Bench = { on, errors, sent: [], calls: 0, down: false, provider: undefined as never };
  const schemas = new Map<string, typeof MsgSealResultSchema | typeof MsgOpenResultSchema>([
    [`/${MsgSealResultSchema.typeName}`, MsgSealResultSchema],
    [`/${MsgOpenResultSchema.typeName}`, MsgOpenResultSchema],
  ]);
  const chain = {
    async query(path: string, request: never, init: never, response: never) {
      if (made.down) throw new RpcClientError('no answer');
      const answer = on.chain.rawQuery(path, encode(request, init));
      if (!answer.ok) throw new AppError('sdk', 22, answer.error);
      const decoded = decodeStrict(response, answer.value);
      if (!decoded.ok) throw new Error(decoded.error);
      return decoded.value;
    },
  } as unknown as ChainClient;
  const sender: Sender = {
    address: text(accountOf('provider')),
    chainId: CHAIN.chainId,
    async send(messages) {
      for (const { typeUrl, value } of messages) {
        const schema = schemas.get(typeUrl);
        if (schema === undefined) throw new Error(`unexpected ${typeUrl}`);
        const message = decodeStrict(schema, value);
        if (!message.ok) throw new Error(message.error);
        made.sent.push(typeUrl.split('.').at(-1) ?? '');
        const [result] = on.chain.block([action(schema, message.value)]).results;
        if (!result?.ok) throw new AppError('inference', result?.error.code ?? 0, result?.error.message ?? '');
      }
      return OUTCOME;
    },
  };
  const provider = startProvider(
    { secret: new Uint8Array(32).fill(options.secret ?? 1), pollMs: 2, maxJobs: 4 },
    {
      chain,
      sender,
      async execute(request) {
        made.calls++;
        return (options.execute ?? (async () => RESULT))(request);
      },
      logger,
    },
  );
  running.push(provider);
  return Object.assign(made, { provider });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Two more looks have been taken at least. */
async function looked(at: Bench, condition: () => boolean): Promise<void> {
  await until(condition);
  await at.provider.close();
}

test('a job is executed once, sealed, and opened when the committee has committed', async () => {
  const at = bench();
  const job = at.on.request();
  await until(() => at.on.job(job).status === JobStatus.COMMITTING);
  at.on.commit(job, [0, 1, 2, 3]);
  await looked(at, () => at.on.job(job).result !== undefined);
  expect(at.sent).toEqual(['MsgSealResult', 'MsgOpenResult']);
  expect(at.calls).toBe(1);
  expect(at.errors).toEqual([]);
});

test('a restart between seal and opening opens the same', async () => {
  const at = bench();
  const job = at.on.request();
  await looked(at, () => at.on.job(job).status === JobStatus.COMMITTING);
  at.on.commit(job, [0, 1, 2, 3]);
  const again = bench({ on: at.on });
  await looked(again, () => at.on.job(job).result !== undefined);
  expect(again.sent).toEqual(['MsgOpenResult']);
});

test('with another secret nothing is opened, and the operator is told', async () => {
  const at = bench();
  const job = at.on.request();
  await looked(at, () => at.on.job(job).status === JobStatus.COMMITTING);
  at.on.commit(job, [0, 1, 2, 3]);
  const other = bench({ on: at.on, secret: 2 });
  await looked(other, () => other.errors.length > 0);
  expect(other.errors[0]).toMatch(/job 1 was sealed as [0-9a-f]{64}, this provider would seal/);
  expect(other.sent).toEqual([]);
});

test('a fault of the host is retried, and never sealed', async () => {
  let faults = 2;
  const at = bench({ execute: async () => (faults-- > 0 ? hostFault('timeout', 'too slow') : RESULT) });
  const job = at.on.request();
  await looked(at, () => at.on.job(job).status === JobStatus.COMMITTING);
  expect(at.calls).toBe(3);
  expect(at.errors.every((line) => line.includes('no result on this host: timeout'))).toBe(true);
  expect(at.sent).toEqual(['MsgSealResult']);
});

test('a node that is down is waited for', async () => {
  const at = bench();
  at.down = true;
  await until(() => at.errors.length > 0);
  const job = at.on.request();
  at.down = false;
  await looked(at, () => at.on.job(job).status === JobStatus.COMMITTING);
  expect(at.errors).toEqual(['the chain cannot be asked; trying again']);
});
