/** Light blocks that have been verified, over the Kv port. */
import { concat, equal, fromUtf8, u64be, utf8 } from '#core/bytes.ts';
import { decode } from '#core/codec/proto-reader.ts';
import type { Kv, KvOp, KvRange } from '#core/ports/kv.ts';
import { err, ok, type Result } from '#core/result.ts';
import { encodeLightBlock, type LightBlock, readLightBlock } from '#core/types/light-block.ts';

/** First byte of every key. */
const LIGHT_STORE_PREFIX = { chain: 0x01, block: 0x02 } as const;

export interface LightStore {
  get(height: bigint): LightBlock | undefined;
  /** The highest. */
  latest(): LightBlock | undefined;
  /** The lowest. */
  first(): LightBlock | undefined;
  /** The highest below `height`. */
  before(height: bigint): LightBlock | undefined;
  /** The lowest above `height`. */
  after(height: bigint): LightBlock | undefined;
  readonly size: number;
  /** Adds the block and drops the lowest until at most `keep` ≥ 2 are left; atomic and synced. */
  save(block: LightBlock, keep: number): Promise<void>;
  clear(): Promise<void>;
}

const CHAIN_KEY = Uint8Array.of(LIGHT_STORE_PREFIX.chain);
const blockKey = (height: bigint) => concat(Uint8Array.of(LIGHT_STORE_PREFIX.block), u64be(height));
const FIRST_KEY = Uint8Array.of(LIGHT_STORE_PREFIX.block);
const END_KEY = Uint8Array.of(LIGHT_STORE_PREFIX.block + 1);

/** Opens or begins the store of one chain. The error: it holds another chain's blocks. */
export async function openLightStore(kv: Kv, chainId: string): Promise<Result<LightStore, string>> {
  const stored = kv.get(CHAIN_KEY);
  if (stored === undefined) await kv.write([{ type: 'put', key: CHAIN_KEY, value: utf8(chainId) }], { sync: true });
  else if (fromUtf8(stored) !== chainId)
    return err(`the light store is of chain ${JSON.stringify(fromUtf8(stored))}, not ${JSON.stringify(chainId)}`);
  return ok(new KvLightStore(kv));
}

class KvLightStore implements LightStore {
  readonly #kv: Kv;
  #size = 0;

  constructor(kv: Kv) {
    this.#kv = kv;
    for (const _ of kv.entries({ gte: FIRST_KEY, lt: END_KEY })) this.#size++;
  }

  get size(): number {
    return this.#size;
  }

  get(height: bigint): LightBlock | undefined {
    const bytes = this.#kv.get(blockKey(height));
    return bytes && this.#read(bytes);
  }

  latest(): LightBlock | undefined {
    return this.#one({ reverse: true });
  }

  first(): LightBlock | undefined {
    return this.#one({});
  }

  before(height: bigint): LightBlock | undefined {
    return this.#one({ lt: blockKey(height), reverse: true });
  }

  after(height: bigint): LightBlock | undefined {
    return this.#one({ gte: blockKey(height + 1n) });
  }

  async save(block: LightBlock, keep: number): Promise<void> {
    const key = blockKey(block.header.height);
    const size = this.#kv.get(key) === undefined ? this.#size + 1 : this.#size;
    const ops: KvOp[] = [{ type: 'put', key, value: encodeLightBlock(block) }];
    const surplus = Math.max(0, size - keep);
    if (surplus > 0)
      for (const [old] of this.#kv.entries({ gte: FIRST_KEY, lt: END_KEY, limit: surplus + 1 }))
        if (ops.length <= surplus && !equal(old, key)) ops.push({ type: 'del', key: old });
    await this.#kv.write(ops, { sync: true });
    this.#size = size - (ops.length - 1);
  }

  async clear(): Promise<void> {
    const all = [...this.#kv.entries({ gte: FIRST_KEY, lt: END_KEY })];
    await this.#kv.write(
      all.map(([key]) => ({ type: 'del', key })),
      { sync: true },
    );
    this.#size = 0;
  }

  #one(range: KvRange): LightBlock | undefined {
    for (const [, bytes] of this.#kv.entries({ gte: FIRST_KEY, lt: END_KEY, ...range, limit: 1 }))
      return this.#read(bytes);
    return undefined;
  }

  #read(bytes: Uint8Array): LightBlock {
    const block = decode(() => readLightBlock('light block', bytes));
    if (!block.ok) throw new Error(`the light store is damaged: ${block.error}`);
    return block.value;
  }
}
