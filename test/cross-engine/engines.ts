/** The engines that calls are compared in: V8's two tiers, and those of JavaScriptCore where it runs. */
import { execFile, execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Ended, Form, Suite } from './runner.ts';

export interface Engine {
  readonly name: string;
  readonly command: string;
  readonly flags: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

const RUNNER = fileURLToPath(new URL('./runner.ts', import.meta.url));

export const V8_BASELINE: Engine = {
  name: 'V8 baseline',
  command: process.execPath,
  flags: ['--liftoff-only'],
  environment: {},
};

export const V8_OPTIMISING: Engine = {
  name: 'V8 optimising',
  command: process.execPath,
  flags: ['--no-liftoff'],
  environment: {},
};

/** Where the package of JavaScriptCore has its program, or why it does not run here. */
function javaScriptCore(): { readonly command: string } | { readonly absent: string } {
  try {
    const command = fileURLToPath(new URL('./bin/bun', import.meta.resolve('@oven/bun-linux-x64/package.json')));
    execFileSync(command, ['--version'], { stdio: 'ignore' });
    return { command };
  } catch (error) {
    return { absent: error instanceof Error ? error.message : String(error) };
  }
}

const found = javaScriptCore();

/** Why there is no JavaScriptCore here: another platform, or a processor without AVX2. */
export const NO_JAVASCRIPTCORE: string | undefined = 'absent' in found ? found.absent : undefined;

const jsc = (name: string, environment: Readonly<Record<string, string>>): Engine[] =>
  'absent' in found ? [] : [{ name, command: found.command, flags: [], environment }];

export const JAVASCRIPTCORE: readonly Engine[] = [
  ...jsc('JavaScriptCore interpreter', { BUN_JSC_useBBQJIT: '0', BUN_JSC_useOMGJIT: '0' }),
  ...jsc('JavaScriptCore optimising', {
    BUN_JSC_thresholdForBBQOptimizeAfterWarmUp: '1',
    BUN_JSC_thresholdForOMGOptimizeAfterWarmUp: '1',
    BUN_JSC_useConcurrentJIT: '0',
  }),
];

export const ENGINES: readonly Engine[] = [V8_BASELINE, V8_OPTIMISING, ...JAVASCRIPTCORE];

export interface Order {
  readonly form: Form;
  readonly suite: Suite;
  readonly from?: number;
  readonly count?: number;
}

/** A function that counts down, called until any engine that may would have compiled it again. */
const COUNTED = `
  const bytes = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 1, 127, 1, 127, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 23, 1,
    21, 0, 3, 64, 32, 0, 65, 1, 107, 33, 0, 32, 0, 65, 0, 74, 13, 0, 11, 65, 7, 11);
  const { f } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
  for (let i = 0; i < 2000; i++) f(20000);
  console.log(%IsLiftoffFunction(f) ? 'baseline' : %IsTurboFanFunction(f) ? 'optimising' : 'neither');`;

/** In which of V8's tiers hot code runs under these flags, as V8 itself says. */
export function tierOf(flags: readonly string[]): string {
  const arguments_ = [...flags, '--allow-natives-syntax', '-e', COUNTED];
  return execFileSync(process.execPath, arguments_, { encoding: 'utf8', env: {} }).trim();
}

const MAX_ANSWER = 64 << 20;

export async function runInEngine(engine: Engine, { form, suite, from = 0, count = 0 }: Order): Promise<Ended[]> {
  const arguments_ = [...engine.flags, RUNNER, form, suite, String(from), String(count)];
  const { stdout } = await promisify(execFile)(engine.command, arguments_, {
    env: engine.environment,
    maxBuffer: MAX_ANSWER,
  });
  return JSON.parse(stdout) as Ended[];
}

/** What two engines do not agree on, a line for each call. */
export function disagreements(a: readonly Ended[], b: readonly Ended[]): string[] {
  const count = a.length === b.length ? [] : [`${a.length} calls against ${b.length}`];
  const calls = a.flatMap((one, i) => {
    const [left, right] = [JSON.stringify(one), JSON.stringify(b[i])];
    return left === right ? [] : [`${left} against ${right}`];
  });
  return [...count, ...calls];
}
