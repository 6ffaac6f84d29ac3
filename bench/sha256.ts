import { hash } from 'node:crypto';
import { sha256 as pureSha256 } from '@noble/hashes/sha2.js';
import type { Entry, Sample } from './harness.ts';

const messageBytes = 1024;
const hashes = 20_000;

const timeHashes = (digest: (message: Uint8Array) => Uint8Array): Sample => {
  const message = new Uint8Array(messageBytes);
  const begin = performance.now();
  for (let i = 0; i < hashes; i++) message.set(digest(message));
  return { 'hashes per second': (hashes * 1000) / (performance.now() - begin) };
};

/** What the pure layers pay for running in a browser as they are. */
export const sha256: Entry = {
  name: 'sha256',
  description: `${hashes} SHA-256 digests of ${messageBytes} bytes, the pure implementation against Node's own`,
  metrics: [{ name: 'hashes per second', unit: '1/s', better: 'higher' }],
  runs: 5,
  run: async () => timeHashes(pureSha256),
  reference: { name: 'node:crypto', run: async () => timeHashes((message) => hash('sha256', message, 'buffer')) },
};
