/** What goes to a child: a large model keeps nobody on this thread waiting, and a child may end at each step. */
import type * as childProcess from 'node:child_process';
import { afterEach, expect, test, vi } from 'vitest';
import { EMPTY } from '#core/bytes.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { ABI, assemble } from '#test/vm/assemble.ts';
import { component, guest } from '#test/vm/wat.ts';
import { CALL_LIMITS } from '#vm/limits.ts';
import { outcomeName } from '#vm/outcome.ts';
import { nativeSha256 } from './executor.ts';
import { VM_LIMITS } from './limits.ts';
import type { ToChild } from './messages.ts';
import { createVmPool, type VmPool } from './pool.ts';

/** What was sent to children, and in which turn of the event loop. */
const sent: { readonly message: ToChild; readonly turn: number }[] = [];
let turn = 0;
let watching = false;
/** Told of each message once it is on its way. */
let onSent: (message: ToChild, pid: number) => void = () => {};

function count(): void {
  turn++;
  if (watching) setImmediate(count);
}

vi.mock('node:child_process', async (original) => {
  const real = await original<typeof childProcess>();
  return {
    ...real,
    fork: (...all: Parameters<typeof real.fork>) => {
      const child = real.fork(...all);
      const send = child.send.bind(child) as (message: ToChild, done: (error: Error | null) => void) => boolean;
      child.send = (message: unknown, done: unknown) => {
        sent.push({ message: message as ToChild, turn });
        const went = send(message as ToChild, done as () => void);
        onSent(message as ToChild, child.pid as number);
        return went;
      };
      return child;
    },
  };
});

const SLOW = { timeout: 120_000 };
const LARGE = 50_000_000;

let pool: VmPool | undefined;
afterEach(async () => {
  onSent = () => {};
  await pool?.close();
});

/** An echo with so many bytes of data. */
function echo(dataBytes: number): Uint8Array {
  // infer: tag 0 at 64, the input as it is.
  const code = Uint8Array.of(
    ...[0x41, 0xc0, 0, 0x20, 0, 0x36, 2, 4, 0x41, 0xc0, 0, 0x20, 1, 0x36, 2, 8, 0x41, 0xc0, 0],
  );
  return component(
    assemble({
      functions: [ABI.realloc, ABI.describe, { type: ABI.infer, locals: [], code }],
      globals: [ABI.heap],
      memory: { min: 800, max: 800 },
      data: { offset: 65_536, bytes: new Uint8Array(dataBytes).fill(7) },
      exports: ABI.exports,
    }),
  );
}

function request(bytes: Uint8Array, componentHash: Uint8Array) {
  const call = { input: Uint8Array.of(1, 2, 3), seed: 7n, gasLimit: 1_000_000_000n, limits: CALL_LIMITS };
  return { componentHash, component: () => Promise.resolve(bytes), ...call };
}

test('a model of 50 MB is cut into parts, one a turn, and nothing else is done with it here', SLOW, async () => {
  const bytes = echo(LARGE);
  // Whoever hashed, compared or copied it whole would fail.
  const cut = { length: bytes.length, subarray: (from: number, to: number) => bytes.subarray(from, to) };
  const hash = nativeSha256(bytes);
  pool = createVmPool({ workers: 1 }, { logger: silentLogger });
  sent.length = 0;
  watching = true;
  setImmediate(count);
  const outcome = await pool.execute(request(cut as unknown as Uint8Array, hash));
  watching = false;
  expect(outcomeName(outcome)).toBe('ok');
  const parts = sent.filter(({ message }) => message.kind === 'part');
  expect(parts.length).toBe(Math.ceil(bytes.length / VM_LIMITS.partBytes));
  expect(new Set(parts.map(({ turn }) => turn)).size).toBe(parts.length);
  for (const { message } of sent) {
    const { length } = message.kind === 'part' ? message.bytes : EMPTY;
    expect(length).toBeLessThanOrEqual(VM_LIMITS.partBytes);
  }
  expect(sent.map(({ message }) => message.kind).filter((kind) => kind !== 'part')).toEqual(['task', 'load', 'task']);
});

test('bytes of another hash are refused by the child', SLOW, async () => {
  const bytes = component(guest());
  pool = createVmPool({ workers: 1 }, { logger: silentLogger });
  const wrong = await pool.execute(request(bytes, nativeSha256(Uint8Array.of(1))));
  expect(outcomeName(wrong)).toBe('host-fault(component-unavailable)');
  expect(wrong).toMatchObject({ detail: expect.stringContaining('another hash') });
  expect(outcomeName(await pool.execute(request(bytes, nativeSha256(bytes))))).toBe('ok');
});

test('a store that never answers costs the call, and not the worker', SLOW, async () => {
  const bytes = component(guest());
  pool = createVmPool({ workers: 1 }, { logger: silentLogger });
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const never = () => {
      setImmediate(() => vi.advanceTimersByTime(VM_LIMITS.loadTimeoutMs));
      return new Promise<never>(() => {});
    };
    const lost = await pool.execute({ ...request(bytes, nativeSha256(bytes)), component: never });
    expect(outcomeName(lost)).toBe('host-fault(timeout)');
    expect(outcomeName(await pool.execute(request(bytes, nativeSha256(bytes))))).toBe('ok');
  } finally {
    vi.useRealTimers();
  }
});

/** The message after which the child is killed, and so many turns of the event loop later. */
const STEPS: readonly (readonly [string, (kinds: readonly string[]) => boolean, number])[] = [
  ['when it is asked for a model that it does not have', (kinds) => kinds.length === 1, 0],
  ['between the parts of a component', (kinds) => kinds.filter((kind) => kind === 'part').length === 3, 0],
  ['when it has the component', (kinds) => kinds.at(-1) === 'load', 0],
  ['while it admits, translates and compiles', (kinds) => kinds.at(-1) === 'load', 1_000],
  ['a while later', (kinds) => kinds.at(-1) === 'load', 10_000],
  ['when it has the call', (kinds) => kinds.at(-1) === 'task' && kinds.length > 1, 0],
];

async function turns(count: number): Promise<void> {
  for (let left = count; left > 0; left--) await new Promise((resolve) => setImmediate(resolve));
}

test.each(STEPS)('a child killed %s costs a line in the log and no result', SLOW, async (_, now, later) => {
  const bytes = echo(2_500_000);
  const lines: string[] = [];
  const warn = (message: string) => void lines.push(message);
  pool = createVmPool({ workers: 1 }, { logger: { ...silentLogger, warn, error: warn } });
  const kinds: string[] = [];
  let killed = 0;
  onSent = (message, pid) => {
    kinds.push(message.kind);
    if (killed > 0 || !now(kinds)) return;
    killed = pid;
    void turns(later).then(() => process.kill(pid, 'SIGKILL'));
  };
  const first = await pool.execute(request(bytes, nativeSha256(bytes)));
  expect(killed).toBeGreaterThan(0);
  // The answer may have been on its way when the child was killed.
  expect([[], ['a model child ended during a call, which is tried again']]).toContainEqual(lines);
  const again = await pool.execute(request(bytes, nativeSha256(bytes)));
  expect(outcomeName(again)).toBe('ok');
  expect(again).toEqual(first);
});

test('a child killed between two calls costs nothing', SLOW, async () => {
  const bytes = echo(100_000);
  const lines: string[] = [];
  const warn = (message: string) => void lines.push(message);
  pool = createVmPool({ workers: 1 }, { logger: { ...silentLogger, warn, error: warn } });
  const first = await pool.execute(request(bytes, nativeSha256(bytes)));
  const [pid = 0] = pool.pids();
  process.kill(pid, 'SIGKILL');
  while (pool.pids().length > 0) await turns(1);
  expect(await pool.execute(request(bytes, nativeSha256(bytes)))).toEqual(first);
  expect(lines).toEqual([]);
});
