/** A simulated disk: what is not synced may be lost, the log's last record torn. Atomic batches stay whole. */
import { concat } from '#core/bytes.ts';
import type { Kv, KvOp, KvRange } from '#core/ports/kv.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import type { LastSignStore, Wal } from '#node/driver/ports.ts';
import type { Rng } from './rng.ts';

/** Called around every operation; throws to crash the process there. */
export type CrashPoint = (name: string) => void;

/** Awaited within every write; `undefined`: it takes no time. */
export type Access = () => Promise<void> | undefined;

/** One database: batches in the order in which they were written, of which a crash keeps a beginning. */
class SimStore {
  readonly #durable: KvOp[][] = [];
  #pending: KvOp[][] = [];
  view = new MemoryKv();

  async write(ops: readonly KvOp[], sync: boolean): Promise<void> {
    this.#pending.push([...ops]);
    await this.view.write(ops);
    if (!sync) return;
    this.#durable.push(...this.#pending);
    this.#pending = [];
  }

  /** Loses a random suffix of what was not synced. */
  async crash(rng: Rng): Promise<void> {
    const kept = this.#pending.slice(0, rng.below(this.#pending.length + 1));
    const lost = this.#pending.length - kept.length;
    this.#durable.push(...kept);
    this.#pending = [];
    if (lost === 0) return;
    this.view = new MemoryKv();
    for (const ops of this.#durable) await this.view.write(ops);
  }
}

/** A database as one of its users sees it. */
class SimKv implements Kv {
  readonly #store: SimStore;
  readonly #point: CrashPoint;
  readonly #access: Access;
  readonly #name: string;

  constructor(store: SimStore, name: string, point: CrashPoint, access: Access) {
    this.#store = store;
    this.#name = name;
    this.#point = point;
    this.#access = access;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#store.view.get(key);
  }

  entries(range: KvRange): Iterable<readonly [Uint8Array, Uint8Array]> {
    return this.#store.view.entries(range);
  }

  async write(ops: readonly KvOp[], options?: { readonly sync?: boolean }): Promise<void> {
    this.#point(`before ${this.#name} write`);
    await this.#access();
    await this.#store.write(ops, options?.sync === true);
    this.#point(`after ${this.#name} write`);
  }

  async close(): Promise<void> {}
}

export class SimDisk {
  readonly #point: CrashPoint;
  readonly #access: Access;
  /** As in the node, blocks and states are in one database: a synced write of either makes all before it durable. */
  readonly #chain = new SimStore();
  readonly #application = new SimStore();
  readonly blocks: SimKv;
  readonly states: SimKv;
  readonly app: SimKv;
  #walSynced: Uint8Array[] = [];
  #walPending: Uint8Array[] = [];
  #lastSign: Uint8Array | undefined;
  lostFrames = 0;

  constructor(point: CrashPoint, access: Access = () => undefined) {
    this.#point = point;
    this.#access = access;
    this.blocks = new SimKv(this.#chain, 'block store', point, access);
    this.states = new SimKv(this.#chain, 'state store', point, access);
    this.app = new SimKv(this.#application, 'application', point, access);
  }

  wal(): Wal {
    return {
      read: async () => concat(...this.#walSynced, ...this.#walPending),
      truncate: async (length) => {
        this.#walSynced = [concat(...this.#walSynced, ...this.#walPending).slice(0, length)];
        this.#walPending = [];
      },
      append: async (frame) => {
        this.#point('before WAL append');
        await this.#access();
        this.#walPending.push(frame);
        this.#point('after WAL append');
      },
      sync: async () => {
        this.#point('before WAL sync');
        await this.#access();
        this.#walSynced.push(...this.#walPending);
        this.#walPending = [];
        this.#point('after WAL sync');
      },
      // As the node's log may when it begins a new file: only what has been marked as ended goes.
      rotate: async () => {
        this.#walSynced = this.#walSynced.slice(-1);
      },
      close: async () => {},
    };
  }

  lastSign(): LastSignStore {
    return {
      load: async () => this.#lastSign,
      save: async (bytes) => {
        this.#point('before last-sign save');
        await this.#access();
        this.#lastSign = bytes;
        this.#point('after last-sign save');
      },
    };
  }

  /** The process is gone. Unsynced records of the log are lost from a random place on, the first lost one maybe torn. */
  async crash(rng: Rng): Promise<void> {
    const kept = rng.below(this.#walPending.length + 1);
    this.lostFrames += this.#walPending.length - kept;
    const frames = this.#walPending.slice(0, kept);
    const torn = this.#walPending[kept];
    if (torn !== undefined && rng.chance(1 / 2)) frames.push(torn.slice(0, rng.below(torn.length)));
    this.#walSynced.push(...frames);
    this.#walPending = [];
    for (const store of [this.#chain, this.#application]) await store.crash(rng);
  }
}
