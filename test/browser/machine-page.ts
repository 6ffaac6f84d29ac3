/** What runs in the page: it hands calls to a worker, and outcomes to the test as what JSON can say. */
import type { ExecutionOutcome } from '#vm/outcome.ts';
import type { RunRequest } from './machine-worker.ts';
import { plainOutcome } from './plain-outcome.ts';

export interface MachinePage {
  runModel(request: Omit<RunRequest, 'seed' | 'gasLimit'> & { seed: string; gasLimit: string }): Promise<unknown>;
}

/** What is used of a browser's Worker, which Node's types know by name alone. */
interface PageWorker {
  onmessage: (event: { readonly data: ExecutionOutcome }) => void;
  onerror: (event: { readonly message: string }) => void;
  postMessage(request: RunRequest): void;
  terminate(): void;
}

const { Worker } = globalThis as unknown as { Worker: new (url: string, options: { type: 'module' }) => PageWorker };

/** Each call in a worker of its own: the page stays free, and could end the worker. */
async function runModel(request: Parameters<MachinePage['runModel']>[0]): Promise<unknown> {
  const worker = new Worker('/worker.js', { type: 'module' });
  try {
    const outcome = await new Promise<ExecutionOutcome>((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(message));
      worker.postMessage({ ...request, seed: BigInt(request.seed), gasLimit: BigInt(request.gasLimit) });
    });
    return plainOutcome(outcome);
  } finally {
    worker.terminate();
  }
}

Object.assign(globalThis, { page: { runModel } satisfies MachinePage });
