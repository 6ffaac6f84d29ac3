/** What runs in the worker: the machine, from a component's bytes to an outcome. */
import { inferHere, prepareModel } from '#vm/execute.ts';
import { CALL_LIMITS } from '#vm/limits.ts';
import type { ExecutionOutcome } from '#vm/outcome.ts';

export interface RunRequest {
  /** Where the component is fetched from. */
  readonly url: string;
  readonly input: readonly number[];
  readonly seed: bigint;
  readonly gasLimit: bigint;
  readonly memoryPages: number;
  readonly outputBytes: number;
}

async function run(asked: RunRequest): Promise<ExecutionOutcome> {
  const { seed, gasLimit, memoryPages, outputBytes } = asked;
  const component = new Uint8Array(await (await fetch(asked.url)).arrayBuffer());
  const model = await prepareModel(component, memoryPages);
  if (!model.ok) throw new Error(model.error.message);
  const limits = { ...CALL_LIMITS, memoryPages, outputBytes };
  return inferHere(model.value, { input: Uint8Array.from(asked.input), seed, gasLimit, limits });
}

const scope = globalThis as unknown as {
  onmessage: (event: { readonly data: RunRequest }) => void;
  postMessage(outcome: ExecutionOutcome): void;
};
// What is thrown becomes an `error` event of the worker.
scope.onmessage = ({ data }) => {
  run(data).then(
    (outcome) => scope.postMessage(outcome),
    (error: unknown) =>
      queueMicrotask(() => {
        throw error;
      }),
  );
};
