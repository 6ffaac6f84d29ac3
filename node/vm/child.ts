/** Entry of a pool's child process: holds compiled models, runs one task at a time, and may be killed at any moment. */
import { EMPTY, toHex } from '#core/bytes.ts';
import { type HostFault, hostFault } from '#vm/outcome.ts';
import { describeModel, execute, type LoadedModel, loadModel, nativeSha256, trainStep } from './executor.ts';
import { VM_LIMITS } from './limits.ts';
import type { FromChild, ToChild } from './messages.ts';

/** The component whose parts are coming in. */
let component: Uint8Array = EMPTY;

/** Compiled models, the least recently used first. */
const models = new Map<string, LoadedModel>();

function answer(message: FromChild): void {
  process.send?.(message);
}

function find(key: string): LoadedModel | undefined {
  const model = models.get(key);
  if (model !== undefined) {
    models.delete(key);
    models.set(key, model);
  }
  return model;
}

async function load(message: Extract<ToChild, { kind: 'load' }>): Promise<HostFault | undefined> {
  const whole = component;
  component = EMPTY;
  // Whoever serves the bytes might be wrong about them.
  if (!message.model.startsWith(toHex(nativeSha256(whole))))
    return hostFault('component-unavailable', `the bytes of component ${message.model} have another hash`);
  const model = await loadModel(whole, message.memoryPages);
  if (!model.ok) return model.error;
  models.set(message.model, model.value);
  const oldest = models.keys().next().value;
  if (models.size > VM_LIMITS.cachedModels && oldest !== undefined) models.delete(oldest);
  return undefined;
}

async function handle(message: Exclude<ToChild, { kind: 'part' }>): Promise<void> {
  const { id } = message;
  if (message.kind === 'load') {
    answer({ kind: 'loaded', id, fault: await load(message) });
    return;
  }
  const model = find(message.model);
  const { task } = message;
  if (model === undefined) answer({ kind: 'missing', id });
  else if (task.kind === 'describe') answer({ kind: 'described', id, result: describeModel(model) });
  else {
    const outcome = task.kind === 'train' ? trainStep(model, task.call) : execute(model, task.call);
    answer({ kind: 'executed', id, outcome: await outcome });
  }
}

process.on('message', (message: ToChild) => {
  if (message.kind === 'part') {
    if (message.at === 0) component = new Uint8Array(message.total);
    component.set(message.bytes, message.at);
    return;
  }
  handle(message).catch((error: unknown) => {
    const fault = hostFault('engine', String(error));
    if (message.kind === 'load') answer({ kind: 'loaded', id: message.id, fault });
    else answer({ kind: 'executed', id: message.id, outcome: fault });
  });
});

// The glue rejects promises of its own bookkeeping when a guest traps; nobody waits for them.
process.on('unhandledRejection', () => undefined);
// Ctrl-C reaches the whole process group; it is the pool that ends its children, after what still runs.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => {
  process.exit(0);
});
answer({ kind: 'ready' });
