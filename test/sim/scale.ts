/**
 * What consensus costs by the number of validators: production executors, repair included, and the node's own way of
 * first delivery (node/p2p/flood.ts), among nodes each connected to some of the others.
 */
import { DEFAULT_ENGINE_CONFIG } from '#consensus/config.ts';
import { toHeight } from '#core/types/brand.ts';
import { DEFAULT_CONSENSUS_PARAMS } from '#core/types/consensus-params.ts';
import { fromMillis } from '#core/types/timestamp.ts';
import type { Genesis } from '#node/driver/handshake.ts';
import { noTxs } from '#node/driver/ports.ts';
import { NODE_LIMITS } from '#node/limits.ts';
import { FLOOD_TAG, Flood, NEIGHBOURS_TAG } from '#node/p2p/flood.ts';
import { SimKeys } from './keys.ts';
import { EPOCH_MS, SimNode } from './node.ts';
import type { Latency } from './options.ts';
import { Rng } from './rng.ts';
import { Scheduler } from './scheduler.ts';

/** One-way milliseconds between five regions: two in America, Europe, two in Asia. Rounded public inter-region times. */
const WAN = [
  [2, 32, 42, 85, 110],
  [32, 2, 70, 55, 85],
  [42, 70, 2, 110, 80],
  [85, 55, 110, 2, 35],
  [110, 85, 80, 35, 2],
] as const;
/** Peers of a node, about: as many as it looks for. */
const PEERS = 10;

export interface ScaleReport {
  readonly nodes: number;
  readonly heights: number;
  readonly blockIntervalMs: number;
  readonly highestRound: number;
  /** Sent by one node on average, a height: first delivery (with every copy that arrives a second time), and status and repair. */
  readonly gossipMessages: number;
  readonly gossipBytes: number;
  readonly directMessages: number;
  readonly directBytes: number;
}

export async function measureScale(nodes: number, heights: number, latency: Latency): Promise<ScaleReport> {
  return new ScaleRun(nodes, latency).run(heights);
}

class ScaleRun {
  readonly #rng = new Rng(1);
  readonly #scheduler = new Scheduler();
  readonly #nodes: SimNode[] = [];
  readonly #mesh: number[][];
  readonly #floods: Flood[];
  readonly #latency: Latency;
  readonly #count = { gossipMessages: 0, gossipBytes: 0, directMessages: 0, directBytes: 0 };
  #highestRound = 0;
  #failure: unknown;

  constructor(nodes: number, latency: Latency) {
    this.#latency = latency;
    this.#mesh = meshOf(nodes, this.#rng);
    this.#floods = this.#mesh.map(
      (_, i) => new Flood({ send: (to, bytes) => this.#flood(i, Number(to), bytes), isPrivate: () => false }),
    );
    const keys = new SimKeys();
    const validatorKeys = this.#mesh.map((_, i) => keys.make(i));
    const genesis: Genesis = {
      chainId: 'scale',
      initialHeight: toHeight(1n),
      time: fromMillis(EPOCH_MS),
      params: DEFAULT_CONSENSUS_PARAMS,
      validators: validatorKeys.map(({ publicKey }) => ({ publicKey, power: 10n })),
      appHash: new Uint8Array(0),
      appStateBytes: new Uint8Array(0),
    };
    for (const [i, key] of validatorKeys.entries())
      this.#nodes.push(
        new SimNode(
          {
            id: String(i),
            key,
            keys,
            genesis,
            config: DEFAULT_ENGINE_CONFIG,
            statusIntervalMs: NODE_LIMITS.statusIntervalMs,
            statusFanout: NODE_LIMITS.statusFanout,
            skewMs: this.#rng.between(-50, 50),
            txs: noTxs,
            slowMs: 0,
            pinned: 1,
            peers: (this.#mesh[i] ?? []).map(String),
            send: (to, bytes) => this.#direct(i, Number(to), bytes),
            publish: (bytes) => this.#floods[i]?.publish(bytes),
            onCommitted: ({ block }, blocks) => {
              const { round } = blocks.seenCommit(block.header.height) ?? { round: 0 };
              this.#highestRound = Math.max(this.#highestRound, round);
              return undefined;
            },
            onFailure: (_, error) => {
              this.#failure ??= error;
            },
          },
          this.#scheduler,
          this.#rng.fork(),
        ),
      );
  }

  async run(heights: number): Promise<ScaleReport> {
    for (const [i, peers] of this.#mesh.entries()) for (const peer of peers) this.#floods[i]?.addPeer(String(peer));
    for (const node of this.#nodes) this.#scheduler.at(this.#rng.below(20), () => node.start());
    // The first height's beginning is not like the others': measured is from the second on.
    await this.#until(1n);
    const before = { ...this.#count, atMs: this.#scheduler.nowMs };
    await this.#until(BigInt(heights) + 1n);
    const share = (now: number, then: number) => (now - then) / heights / this.#nodes.length;
    const now = this.#count;
    return {
      nodes: this.#nodes.length,
      heights,
      blockIntervalMs: (this.#scheduler.nowMs - before.atMs) / heights,
      highestRound: this.#highestRound,
      gossipMessages: share(now.gossipMessages, before.gossipMessages),
      gossipBytes: share(now.gossipBytes, before.gossipBytes),
      directMessages: share(now.directMessages, before.directMessages),
      directBytes: share(now.directBytes, before.directBytes),
    };
  }

  /** Until the slowest node has committed a height. */
  async #until(height: bigint): Promise<void> {
    while (this.#nodes.some((node) => node.height < height)) {
      for (let i = 0; i < 200; i++) if (!(await this.#scheduler.next(3_600_000))) throw new Error('nothing happens');
      if (this.#failure !== undefined) throw this.#failure;
    }
  }

  #delay(from: number, to: number): number {
    if (this.#latency === 'lan') return this.#rng.between(1, 2);
    const base = WAN[from % WAN.length]?.[to % WAN.length] ?? 0;
    return base + this.#rng.below(1 + Math.floor(base / 5));
  }

  #direct(from: number, to: number, bytes: Uint8Array): void {
    this.#count.directMessages++;
    this.#count.directBytes += bytes.length;
    this.#scheduler.after(this.#delay(from, to), async () => {
      await this.#nodes[to]?.receive(String(from), bytes);
    });
  }

  #flood(from: number, to: number, bytes: Uint8Array): void {
    this.#count.gossipMessages++;
    this.#count.gossipBytes += bytes.length;
    this.#scheduler.after(this.#delay(from, to), () => this.#arrive(from, to, bytes));
  }

  async #arrive(from: number, to: number, tagged: Uint8Array): Promise<void> {
    const flood = this.#floods[to];
    const node = this.#nodes[to];
    const message = tagged.subarray(1);
    if (tagged[0] === NEIGHBOURS_TAG) flood?.onNeighbours(String(from), message);
    const name = tagged[0] === FLOOD_TAG ? flood?.nameOfNew(message) : undefined;
    const executor = node?.executor;
    if (flood === undefined || name === undefined || node === undefined || executor === undefined) return;
    const verdict = executor.receive(String(from), message);
    await node.settle();
    if (verdict.kind !== 'accept') return;
    flood.accept(name);
    flood.forward(String(from), tagged);
  }
}

/** A ring, so that it is connected, and random links until everybody has about {@link PEERS}. */
function meshOf(nodes: number, rng: Rng): number[][] {
  const links = Array.from({ length: nodes }, () => new Set<number>());
  const join = (a: number, b: number) => {
    links[a]?.add(b);
    links[b]?.add(a);
  };
  for (let i = 0; i < nodes; i++) join(i, (i + 1) % nodes);
  const degree = Math.min(PEERS, nodes - 1);
  for (let i = 0; i < nodes; i++)
    for (let tries = 0; (links[i]?.size ?? 0) < degree && tries < 100; tries++) {
      const other = rng.below(nodes);
      if (other !== i && (links[other]?.size ?? 0) < degree + 2) join(i, other);
    }
  return links.map((each) => [...each]);
}
