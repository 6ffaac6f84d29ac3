/**
 * Adversarial 26: the disk. A validator alone, over a disk that the test tears, fills and breaks: it stops with the reason
 * before anything leaves that is not on disk, and comes back without a vote that contradicts an earlier one.
 */
import { describe, expect, test } from 'vitest';
import { DEFAULT_ENGINE_CONFIG } from '#consensus/config.ts';
import { decodePeerMessage } from '#consensus/messages.ts';
import { concat, EMPTY, toHex } from '#core/bytes.ts';
import type { Kv } from '#core/ports/kv.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { blockIdKey } from '#core/types/block-id.ts';
import { toHeight } from '#core/types/brand.ts';
import { DEFAULT_CONSENSUS_PARAMS } from '#core/types/consensus-params.ts';
import { fromMillis } from '#core/types/timestamp.ts';
import { openBlockStore } from '#node/driver/block-store.ts';
import { openEvidencePool } from '#node/driver/evidence-pool.ts';
import { type Executor, startExecutor } from '#node/driver/executor.ts';
import { openGuardedSigner } from '#node/driver/guarded-signer.ts';
import { noTxs } from '#node/driver/ports.ts';
import { openStateStore } from '#node/driver/state-store.ts';
import { openSimApp, simAppOptions } from './app.ts';
import { SimKeys } from './keys.ts';
import { EPOCH_MS } from './node.ts';
import { Scheduler } from './scheduler.ts';

type Operation = 'WAL append' | 'WAL sync' | 'chain write' | 'application write' | 'last-sign save';

const keys = new SimKeys();
const own = keys.make(0);

/** What is left when the process has gone. */
interface Content {
  readonly chain: MemoryKv;
  readonly application: MemoryKv;
  wal: Uint8Array;
  lastSign: Uint8Array | undefined;
}

const empty = (): Content => ({
  chain: new MemoryKv(),
  application: new MemoryKv(),
  wal: EMPTY,
  lastSign: undefined,
});

async function copyOf(kv: Kv): Promise<MemoryKv> {
  const copy = new MemoryKv();
  await copy.write([...kv.entries({})].map(([key, value]) => ({ type: 'put', key, value }) as const));
  return copy;
}

async function copy(content: Content): Promise<Content> {
  const [chain, application] = await Promise.all([copyOf(content.chain), copyOf(content.application)]);
  return { ...content, chain, application };
}

/** Every vote and proposal that ever left, by its place, with what it was for. */
type Said = Map<string, string>;

class Validator {
  readonly scheduler = new Scheduler();
  readonly content: Content;
  readonly said: Said;
  readonly failures: unknown[] = [];
  publishedAfterFailure = 0;
  /** Counts down the operations of this kind; at 0 the disk fails. */
  fault: { readonly operation: Operation; left: number; readonly error: Error } | undefined;
  executor: Executor | undefined;
  onSync: () => void = () => {};

  constructor(content: Content, said: Said) {
    this.content = content;
    this.said = said;
  }

  get height(): bigint {
    return openBlockStore(this.content.chain).height;
  }

  #touch(operation: Operation): void {
    const { fault } = this;
    if (fault?.operation === operation && fault.left-- <= 0) throw fault.error;
  }

  #guarded(kv: Kv, operation: Operation): Kv {
    return {
      get: (key) => kv.get(key),
      entries: (range) => kv.entries(range),
      write: async (ops, options) => {
        this.#touch(operation);
        await kv.write(ops, options);
      },
      close: async () => {},
    };
  }

  async start(): Promise<void> {
    const { content, scheduler } = this;
    const chain = this.#guarded(content.chain, 'chain write');
    const [blocks, states] = [openBlockStore(chain), openStateStore(chain)];
    const genesis = {
      chainId: 'disk',
      initialHeight: toHeight(1n),
      time: fromMillis(EPOCH_MS),
      params: DEFAULT_CONSENSUS_PARAMS,
      validators: [{ publicKey: own.publicKey, power: 10n }],
      appHash: EMPTY,
      appStateBytes: EMPTY,
    };
    let pending: Uint8Array[] = [];
    this.executor = await startExecutor(
      { genesis, config: { ...DEFAULT_ENGINE_CONFIG, timeoutCommitMs: 10 }, statusIntervalMs: 100, statusFanout: 1 },
      {
        app: openSimApp(this.#guarded(content.application, 'application write'), simAppOptions(genesis, 1)),
        blocks,
        states,
        evidence: openEvidencePool(chain, { blocks, states }, keys.verifier),
        txs: noTxs,
        logger: silentLogger,
        onCommitted: () => {},
        wal: {
          read: async () => content.wal,
          truncate: async (length) => {
            content.wal = content.wal.slice(0, length);
          },
          append: async (frame) => {
            this.#touch('WAL append');
            pending.push(frame);
          },
          sync: async () => {
            this.#touch('WAL sync');
            content.wal = concat(content.wal, ...pending);
            pending = [];
            this.onSync();
          },
          rotate: async () => {},
          close: async () => {},
        },
        signer: await openGuardedSigner(own, {
          load: async () => content.lastSign,
          save: async (bytes) => {
            this.#touch('last-sign save');
            content.lastSign = bytes;
          },
        }),
        transport: { publish: (bytes) => this.#published(bytes), send: () => {} },
        timers: {
          set: (delayMs, run) => {
            const entry = scheduler.after(delayMs, run);
            return {
              cancel: () => {
                entry.cancelled = true;
              },
            };
          },
        },
        clock: { now: () => fromMillis(EPOCH_MS + 1_000_000n + BigInt(scheduler.nowMs)) },
        verifier: keys.verifier,
        fatal: (error) => this.failures.push(error),
      },
    );
    await this.executor.idle();
  }

  #published(bytes: Uint8Array): void {
    if (this.failures.length > 0) this.publishedAfterFailure++;
    const message = decodePeerMessage(bytes);
    if (!message.ok) throw new Error(message.error);
    if (message.value.kind !== 'vote' && message.value.kind !== 'proposal') return;
    const signed = message.value.kind === 'vote' ? message.value.vote : message.value.proposal;
    const type = message.value.kind === 'vote' ? message.value.vote.type : 'proposal';
    const place = `${signed.height}/${signed.round}/${type}`;
    const what = blockIdKey(signed.blockId);
    if ((this.said.get(place) ?? what) !== what) throw new Error(`two signatures at ${place}`);
    this.said.set(place, what);
  }

  /** Until it has `blocks` more, or has failed. */
  async run(blocks: bigint): Promise<void> {
    const target = this.height + blocks;
    const deadline = this.scheduler.nowMs + 600_000;
    while (this.height < target && this.failures.length === 0) {
      if (!(await this.scheduler.next(deadline))) throw new Error(`never at height ${target}`);
      await this.executor?.idle();
    }
  }
}

async function begin(content: Content, said: Said): Promise<Validator> {
  const validator = new Validator(content, said);
  await validator.start();
  return validator;
}

test('Adversarial 26: a log that is torn at every byte', async () => {
  const said: Said = new Map();
  const first = await begin(empty(), said);
  await first.run(2n);
  const before = first.content.wal.length;
  // In the middle of a height: its proposal and prevote are signed.
  let torn: Promise<Content> | undefined;
  let saidThen: Said = said;
  let syncs = 0;
  first.onSync = () => {
    if (++syncs !== 5) return;
    saidThen = new Map(said);
    torn = copy(first.content);
  };
  await first.run(2n);
  if (torn === undefined) throw new Error('the log was synced in the meantime');
  const left = await torn;
  expect(left.wal.length).toBeGreaterThan(before);
  const cuts: number[] = [];
  for (let cut = 0; cut <= left.wal.length; cut++) if (cut >= before - 64 || cut % 97 === 0) cuts.push(cut);
  for (const cut of cuts) {
    const again = await begin({ ...(await copy(left)), wal: left.wal.slice(0, cut) }, new Map(saidThen));
    await again.run(1n);
    expect(again.failures.map(String), `cut at byte ${cut}`).toEqual([]);
  }
});

test('Adversarial 26: a log with a wrong byte in its middle stops the node, and says where', async () => {
  const first = await begin(empty(), new Map());
  await first.run(2n);
  const { wal } = first.content;
  let refused = 0;
  for (let at = 0; at < wal.length - 200; at += 41) {
    const bent = wal.map((byte, i) => (i === at ? byte ^ 0x10 : byte));
    const content = { ...(await copy(first.content)), wal: bent };
    await expect(begin(content, new Map()), `byte ${at}`).rejects.toThrow(/WAL: the record at byte \d+/);
    refused++;
  }
  expect(refused).toBeGreaterThan(5);
});

const errorOf = (code: string, what: string) => Object.assign(new Error(`${code}: ${what}`), { code });

describe('Adversarial 26: fsync error, disk full', () => {
  test.each<[string, Operation, Error]>([
    ['Adversarial 26: fsync error of the log', 'WAL sync', errorOf('EIO', 'i/o error, fsync')],
    ['Adversarial 26: disk full at the log', 'WAL append', errorOf('ENOSPC', 'no space left on device, write')],
    ['Adversarial 26: disk full at the block and state store', 'chain write', errorOf('ENOSPC', 'no space left')],
    ['Adversarial 26: disk full at the application’s store', 'application write', errorOf('ENOSPC', 'no space left')],
    ['Adversarial 26: fsync error of the last-sign state', 'last-sign save', errorOf('EIO', 'i/o error, fsync')],
  ])('%s', async (_name, operation, error) => {
    for (let left = 0; left < 12; left++) {
      const said: Said = new Map();
      const node = await begin(empty(), said);
      await node.run(2n);
      node.fault = { operation, left, error };
      await node.run(20n);
      // It has stopped, with the reason, and nothing has left since.
      expect(node.failures.map(String), `after ${left}`).toEqual([String(error)]);
      expect(node.publishedAfterFailure).toBe(0);
      const signed = said.size;
      await node.scheduler.next(node.scheduler.nowMs + 60_000);
      await node.executor?.idle();
      expect(said.size).toBe(signed);
      // With room again, or another disk, it goes on from what was synced, and contradicts nothing it has said.
      const again = await begin(await copy(node.content), said);
      await again.run(3n);
      expect(again.failures.map(String), `after ${left}`).toEqual([]);
      expect(toHex(again.content.wal).length).toBeGreaterThan(0);
    }
  });
});
