/**
 * Runs calls in the engine that runs this file, and prints how they ended as JSON: the whole machine, from admission to
 * the trace, is that engine's.
 *
 *     runner.ts <form> <shapes|models|random> [first seed] [count]
 *
 * Forms: `machine` as the chain runs it; `raw` the module as it was written, without the machine's rules; `dearer` with
 * one gas constant changed. The last two show that a comparison of engines can fail.
 */
import { defined } from '#core/assert.ts';
import { toHex } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { admitted } from '#test/vm/wat.ts';
import { instrument } from '#vm/admission.ts';
import { type ExecutionOutcome, outcomeName, outcomeOutput } from '#vm/outcome.ts';
import { instantiate, runInfer } from '#vm/run.ts';
import { type Case, modelCases, randomCases, shapeCases } from './cases.ts';

export type Form = 'machine' | 'raw' | 'dearer';
export type Suite = 'shapes' | 'models' | 'random';

export interface Ended {
  readonly name: string;
  /** SHA-256 of the module that was instantiated. */
  readonly module: string;
  readonly outcome: string;
  readonly gasUsed: string;
  /** SHA-256 of the output. */
  readonly output: string;
  readonly traceRoot: string;
}

const MAX_PAGES = 4_096;
const MAX_OUTPUT = 1 << 20;

export function casesOf(suite: Suite, from: number, count: number): readonly Case[] {
  switch (suite) {
    case 'shapes':
      return shapeCases();
    case 'models':
      return modelCases();
    case 'random':
      return randomCases(from, count);
  }
}

export function rewrittenOf(core: Uint8Array): Uint8Array {
  const rewritten = instrument(admitted(core), MAX_PAGES);
  if (!rewritten.ok) throw new Error(rewritten.error.message);
  return rewritten.value;
}

/** The first gas charge of less than 63, one gas dearer: `i64.const n, i64.sub, global.set`. */
function dearer(module: Uint8Array): Uint8Array {
  const at = module.findIndex(
    (byte, i) => byte === 0x42 && (module[i + 1] ?? 64) < 63 && module[i + 2] === 0x7d && module[i + 3] === 0x24,
  );
  const out = module.slice();
  out[at + 1] = defined(module[at + 1], 'a gas charge') + 1;
  return out;
}

function ended(name: string, module: Uint8Array, outcome: ExecutionOutcome): Ended {
  const hash = toHex(sha256(module));
  if (outcome.kind === 'host-fault')
    return { name, module: hash, outcome: outcomeName(outcome), gasUsed: '', output: outcome.detail, traceRoot: '' };
  return {
    name,
    module: hash,
    outcome: outcomeName(outcome),
    gasUsed: String(outcome.gasUsed),
    output: toHex(sha256(outcomeOutput(outcome))),
    traceRoot: toHex(outcome.traceRoot),
  };
}

export function runMachine({ name, core, input, seed, gasLimit }: Case, change?: typeof dearer): Ended {
  const plain = rewrittenOf(core);
  const module = change === undefined ? plain : change(plain);
  const guest = instantiate(new WebAssembly.Module(module));
  if (!guest.ok) return ended(name, module, guest.error);
  const globals = admitted(core).module.globalTypes;
  return ended(name, module, runInfer(guest.value, { input, seed, gasLimit, maxOutputBytes: MAX_OUTPUT, globals }));
}

/** Memory stands for the trace: it has the bits of what was computed. */
function runRaw({ name, core, input, seed }: Case): Ended {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(core), {});
  const memory = exports.memory as WebAssembly.Memory;
  const pointer = (exports.cabi_realloc as (...sizes: number[]) => number)(0, 0, 1, input.length);
  new Uint8Array(memory.buffer, pointer, input.length).set(input);
  let outcome = 'ok';
  try {
    (exports.infer as (at: number, length: number, seed: bigint) => number)(pointer, input.length, seed);
  } catch {
    outcome = 'trap';
  }
  const traceRoot = toHex(sha256(new Uint8Array(memory.buffer)));
  return { name, module: toHex(sha256(core)), outcome, gasUsed: '', output: '', traceRoot };
}

function runIn(form: Form, each: Case): Ended {
  switch (form) {
    case 'machine':
      return runMachine(each);
    case 'raw':
      return runRaw(each);
    case 'dearer':
      return runMachine(each, dearer);
  }
}

function main([form, suite, from = '0', count = '0']: readonly string[]): void {
  const cases = casesOf(suite as Suite, Number(from), Number(count));
  process.stdout.write(JSON.stringify(cases.map((each) => runIn(form as Form, each))));
}

if (import.meta.main) main(process.argv.slice(2));
