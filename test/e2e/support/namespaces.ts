/**
 * Nodes in network namespaces of Linux, on one bridge: every packet passes a real network stack, which delays and loses
 * some. Needs root and the commands `ip` and `tc`; nothing of the machine's own network is changed but for one interface
 * with an address of the range for benchmarks (RFC 2544), which goes with the test.
 */
import { spawnSync } from 'node:child_process';
import { onTestFinished } from 'vitest';

/** A command that did not do what it was asked. */
class CommandError extends Error {
  override readonly name = 'CommandError';
}

/** `tc` lies where only administrators' shells look. */
const PATH = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;

function run(command: string, ...args: readonly string[]): string {
  const env = { ...process.env, PATH };
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', timeout: 10_000, env });
  if (error !== undefined || status !== 0)
    throw new CommandError(`${command} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`);
  return stdout;
}

const ip = (...args: readonly string[]): string => run('ip', ...args);

/**
 * How a link is made bad. `netem` delays and loses at random. Where the kernel does not have it, `tbf` is a narrow way:
 * what does not fit into its queue is lost.
 */
export type Shaping = 'netem' | 'tbf';

const SHAPES: Readonly<Record<Shaping, readonly string[]>> = {
  netem: ['netem', 'delay', '40ms', '20ms', 'loss', '3%'],
  tbf: ['tbf', 'rate', '1mbit', 'burst', '2000', 'limit', '5000'],
};

export interface Place {
  readonly namespace: string;
  readonly address: string;
  /** From now on what it sends is delayed, and some of it lost. */
  spoil(shaping: Shaping): void;
  /** So many packets have been lost since it was spoilt. */
  lost(): number;
  mend(): void;
  /** Nothing goes in or out, and nobody is told. */
  unplug(): void;
  plug(): void;
}

const PREFIX = `an${process.pid}`;
/** So that two runs at the same time do not meet. */
const NETWORK = `198.18.${process.pid % 256}`;
const HUB = `${PREFIX}-hub`;

function removeAll(count: number): void {
  for (const name of [HUB, ...Array.from({ length: count }, (_, i) => `${PREFIX}-${i}`)])
    spawnSync('ip', ['netns', 'delete', name]);
}

function createPlace(i: number): Place {
  const namespace = `${PREFIX}-${i}`;
  const port = `port${i}`;
  const address = `${NETWORK}.${i + 1}`;
  ip('netns', 'add', namespace);
  ip('-n', namespace, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', port, 'netns', HUB);
  ip('-n', HUB, 'link', 'set', port, 'master', 'bridge0', 'up');
  ip('-n', namespace, 'address', 'add', `${address}/24`, 'dev', 'eth0');
  ip('-n', namespace, 'link', 'set', 'eth0', 'up');
  ip('-n', namespace, 'link', 'set', 'lo', 'up');
  return {
    namespace,
    address,
    spoil(shaping) {
      run('tc', '-n', namespace, 'qdisc', 'add', 'dev', 'eth0', 'root', ...SHAPES[shaping]);
    },
    lost() {
      const shown = run('tc', '-n', namespace, '-s', '-j', 'qdisc', 'show', 'dev', 'eth0', 'root');
      const [queue] = JSON.parse(shown) as [{ readonly drops: number }];
      return queue.drops;
    },
    mend() {
      run('tc', '-n', namespace, 'qdisc', 'delete', 'dev', 'eth0', 'root');
    },
    unplug() {
      ip('-n', HUB, 'link', 'set', port, 'down');
    },
    plug() {
      ip('-n', HUB, 'link', 'set', port, 'up');
    },
  };
}

function createHub(): void {
  ip('netns', 'add', HUB);
  ip('-n', HUB, 'link', 'add', 'bridge0', 'type', 'bridge');
  ip('-n', HUB, 'link', 'set', 'bridge0', 'up');
}

/** Places of so many nodes, which this process reaches. End with the test. */
export function createPlaces(count: number): readonly Place[] {
  onTestFinished(() => removeAll(count));
  createHub();
  const places = Array.from({ length: count }, (_, i) => createPlace(i));
  ip('link', 'add', PREFIX, 'type', 'veth', 'peer', 'name', 'outside', 'netns', HUB);
  ip('-n', HUB, 'link', 'set', 'outside', 'master', 'bridge0', 'up');
  ip('address', 'add', `${NETWORK}.254/24`, 'dev', PREFIX);
  ip('link', 'set', PREFIX, 'up');
  return places;
}

/** What this machine allows: how links are spoilt, or why there are no namespaces. */
export function probe(): { readonly shaping: Shaping } | { readonly missing: string } {
  const shapings: readonly Shaping[] = ['netem', 'tbf'];
  const refusals: string[] = [];
  try {
    createHub();
    const place = createPlace(0);
    for (const shaping of shapings)
      try {
        place.spoil(shaping);
        return { shaping };
      } catch (error) {
        refusals.push(String(error));
      }
    return { missing: refusals.join('; ') };
  } catch (error) {
    return { missing: String(error) };
  } finally {
    removeAll(1);
  }
}
