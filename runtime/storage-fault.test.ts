import { expect, test } from 'vitest';
import type { Kv } from '#core/ports/kv.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { faultingKv, StorageFault } from './storage-fault.ts';
import { startTestChain, testKey } from './test-chain.ts';

/** A disk whose next reads may be let succeed, and then fail. */
function failingDisk(): Kv & { succeed: number } {
  const memory = new MemoryKv();
  const disk = {
    succeed: Number.POSITIVE_INFINITY,
    get(key: Uint8Array) {
      if (disk.succeed-- <= 0) throw new Error('Corruption: block checksum mismatch');
      return memory.get(key);
    },
    entries: memory.entries.bind(memory),
    write: memory.write.bind(memory),
    close: memory.close.bind(memory),
  };
  return disk;
}

test('a disk that fails while a block executes stops the node: it is no failed transaction', async () => {
  const disk = failingDisk();
  const chain = await startTestChain({ kv: disk, accounts: 40 });
  await chain.block();
  const [alice, bob] = [testKey(1), testKey(2)];
  const tx = chain.sign(alice, { messages: [chain.send(alice, chain.address(bob), 1n)] });
  // How many reads a fresh node makes for this block.
  const counting = await chain.reopen();
  disk.succeed = 1_000_000;
  counting.app.finalizeBlock(counting.request([tx]));
  const reads = 1_000_000 - disk.succeed;
  expect(reads).toBeGreaterThan(3);
  for (let succeed = 0; succeed < reads; succeed++) {
    disk.succeed = Number.POSITIVE_INFINITY;
    const node = await chain.reopen();
    disk.succeed = succeed;
    expect(() => node.app.finalizeBlock(node.request([tx])), `after ${succeed} reads`).toThrow(StorageFault);
  }
});

test('ranges: what the disk throws is a fault, what the reader throws is its own', () => {
  const broken: Kv = {
    ...failingDisk(),
    *entries() {
      yield [Uint8Array.of(1), Uint8Array.of(1)] as const;
      throw new Error('IO error');
    },
  };
  expect(() => [...faultingKv(broken).entries({})]).toThrow(StorageFault);
  const read = () => {
    for (const _entry of faultingKv(broken).entries({})) throw new RangeError('mine');
  };
  expect(read).toThrow('mine');
  expect(read).not.toThrow(StorageFault);
});
