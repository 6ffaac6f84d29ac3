/** Reads many ranges and prints by how many MiB the process has grown meanwhile. `argv[2]`: a folder for the database. */
import { setImmediate, setTimeout } from 'node:timers/promises';
import { u32be } from '#core/bytes.ts';
import { NODE_LIMITS } from '../limits.ts';
import { openLevelKv } from './level-kv.ts';
import { createRangeReader } from './range-reader.ts';

const BYTES_PER_MIB = 1_048_576;
const ROWS = 1_000;
const rangeReader = createRangeReader();
const kv = await openLevelKv({ path: process.argv[2] as string, cacheBytes: BYTES_PER_MIB }, { rangeReader });
await kv.write(Array.from({ length: ROWS }, (_, i) => ({ type: 'put', key: u32be(i), value: new Uint8Array(16) })));

/** As a node reads: often nobody asks for a moment. */
async function read(rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < 100; i++) {
      for (const _ of kv.entries({ gte: u32be(ROWS - 250) }));
      await setImmediate();
    }
    await setTimeout(3 * NODE_LIMITS.rangeIdleMs);
  }
}

// Past the first collection.
await read(7);
const before = process.memoryUsage().rss;
await read(20);
process.stdout.write(`${(process.memoryUsage().rss - before) / BYTES_PER_MIB}\n`);
await kv.close();
await rangeReader.close();
