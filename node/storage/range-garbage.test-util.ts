/** Reads many ranges and prints by how many MiB the process has grown meanwhile. `argv[2]`: a folder for the database. */
import { setImmediate } from 'node:timers/promises';
import { u32be } from '#core/bytes.ts';
import { openLevelKv } from './level-kv.ts';
import { createRangeReader } from './range-reader.ts';

const BYTES_PER_MIB = 1_048_576;
const ROWS = 1_000;
const rangeReader = createRangeReader();
const kv = await openLevelKv({ path: process.argv[2] as string, cacheBytes: BYTES_PER_MIB }, { rangeReader });
await kv.write(Array.from({ length: ROWS }, (_, i) => ({ type: 'put', key: u32be(i), value: new Uint8Array(16) })));

async function read(times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    for (const _ of kv.entries({ gte: u32be(ROWS - 250) }));
    await setImmediate();
  }
}

await read(300);
const before = process.memoryUsage().rss;
await read(1_000);
process.stdout.write(`${(process.memoryUsage().rss - before) / BYTES_PER_MIB}\n`);
await kv.close();
await rangeReader.close();
