/** What goes wrong in a test network, as a plan that follows from a seed, and its execution. */
import { assertNever } from '#core/assert.ts';
import type { Rng } from '../../sim/rng.ts';
import type { Link, Links, Trouble } from './links.ts';
import type { TestNetwork, TestNode } from './network.ts';

const SLOW_DISK = 'test/e2e/support/slow-disk-node.ts';

/**
 * `pause`: the process is stopped and goes on later. `kill`: SIGKILL, and a restart later. `slow-disk`: killed, started
 * on a slow disk, killed, started again. `cut`, `stall`, `slow`: of all connections of a node. `split`: the network in
 * two parts that cannot reach each other. `stall-split`: the same without anybody being told.
 */
export const FAULT_KINDS = ['pause', 'kill', 'slow-disk', 'cut', 'stall', 'slow', 'split', 'stall-split'] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Fault {
  readonly kind: FaultKind;
  /** After the first fault began, ms. */
  readonly at: number;
  /** How long it lasts, ms. */
  readonly forMs: number;
  /** The node; of a split, the smaller part. */
  readonly victims: readonly number[];
}

/** Longest of each kind, ms. */
const LONGEST: Readonly<Record<FaultKind, number>> = {
  pause: 5_000,
  kill: 3_000,
  'slow-disk': 8_000,
  cut: 5_000,
  // Longer than a connection is thought alive without an answer.
  stall: 14_000,
  slow: 8_000,
  split: 5_000,
  'stall-split': 7_000,
};
const SHORTEST_MS = 200;
const MOST_BETWEEN_MS = 4_500;

/** Every kind comes before any comes twice; what comes when, to whom and for how long follows from the generator. */
export function planFaults(rng: Rng, nodes: number, count: number): readonly Fault[] {
  const faults: Fault[] = [];
  let left: FaultKind[] = [];
  for (let at = 0; faults.length < count; at += rng.between(SHORTEST_MS, MOST_BETWEEN_MS)) {
    if (left.length === 0) left = [...FAULT_KINDS];
    const [kind] = left.splice(rng.below(left.length), 1) as [FaultKind];
    const isSplit = kind === 'split' || kind === 'stall-split';
    const victims = Array.from({ length: nodes }, (_, i) => i);
    while (victims.length > (isSplit ? nodes >> 1 : 1)) victims.splice(rng.below(victims.length), 1);
    faults.push({ kind, at, forMs: rng.between(SHORTEST_MS, LONGEST[kind]), victims });
  }
  return faults;
}

export function describeFault({ kind, at, forMs, victims }: Fault): string {
  return `${at} ms: ${kind} of ${victims.join(' and ')} for ${forMs} ms`;
}

export interface Chaos {
  /** How often the process of a node was killed. */
  deaths(node: TestNode): number;
  /** Resolves when the last fault is over and every node has been started again. */
  run(faults: readonly Fault[]): Promise<void>;
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function troubleOf(kind: 'cut' | 'stall' | 'slow' | 'split' | 'stall-split', rng: Rng): Trouble {
  switch (kind) {
    case 'cut':
    case 'split':
      return { kind: 'cut' };
    case 'stall':
    case 'stall-split':
      return { kind: 'stalled' };
    case 'slow':
      return { kind: 'slow', delayMs: rng.between(20, 200), lossIn: rng.between(5, 50), resendMs: 300 };
    default:
      return assertNever(kind, 'fault');
  }
}

export function createChaos(net: TestNetwork, links: Links, rng: Rng): Chaos {
  const deaths = new Map<TestNode, number>();
  /** What happens to one process happens one after another. */
  const queues = new Map<TestNode, Promise<void>>();

  async function kill(node: TestNode): Promise<void> {
    deaths.set(node, (deaths.get(node) ?? 0) + 1);
    await node.kill();
  }

  async function toProcess(kind: 'pause' | 'kill' | 'slow-disk', node: TestNode, forMs: number): Promise<void> {
    if (!node.running()) throw new Error(`${node.name} has ended by itself`);
    switch (kind) {
      case 'pause':
        node.signal('SIGSTOP');
        await wait(forMs);
        node.signal('SIGCONT');
        return;
      case 'kill':
        await kill(node);
        await wait(forMs);
        node.start();
        return;
      case 'slow-disk':
        await kill(node);
        node.start(SLOW_DISK);
        await node.waitForHeight(0n);
        await wait(forMs);
        await kill(node);
        node.start();
        return;
      default:
        return assertNever(kind, 'fault');
    }
  }

  async function toLinks(affected: readonly Link[], trouble: Trouble, forMs: number): Promise<void> {
    const ends = affected.map((link) => link.add(trouble));
    await wait(forMs);
    for (const end of ends) end();
  }

  async function happen({ kind, at, forMs, victims }: Fault): Promise<void> {
    await wait(at);
    const [victim = 0] = victims;
    const node = net.node(victim);
    switch (kind) {
      case 'pause':
      case 'kill':
      case 'slow-disk': {
        const next = (queues.get(node) ?? Promise.resolve()).then(() => toProcess(kind, node, forMs));
        queues.set(node, next);
        return next;
      }
      case 'split':
      case 'stall-split':
        return toLinks(links.around(new Set(victims)), troubleOf(kind, rng), forMs);
      default:
        return toLinks(links.of(victim), troubleOf(kind, rng), forMs);
    }
  }

  return {
    deaths: (node) => deaths.get(node) ?? 0,
    async run(faults) {
      await Promise.all(faults.map(happen));
    },
  };
}
