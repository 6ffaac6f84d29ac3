/** A node on a disk that takes its time: `node slow-disk-node.ts <home>`. Each write waits, each synced one longer. */
import { setTimeout as delay } from 'node:timers/promises';
import { Rng } from '../../sim/rng.ts';
import { runComposition } from './composition.ts';

const rng = new Rng(Number(process.env.SLOW_DISK_SEED ?? 1));

const WRITE_MS = 10;
const SYNC_MS = 120;
/** One of so many syncs hangs. */
const HANGS_IN = 20;
const HANG_MS = 1_500;

const written = () => delay(rng.below(WRITE_MS));
const synced = () => delay(rng.below(HANGS_IN) === 0 ? HANG_MS : rng.between(SYNC_MS / 4, SYNC_MS));

await runComposition(async () => ({
  kv: (own) => ({
    ...own,
    async write(ops, options = {}) {
      await (options.sync === true ? synced() : written());
      await own.write(ops, options);
    },
  }),
  wal: (own) => ({
    ...own,
    async append(frame) {
      await written();
      await own.append(frame);
    },
    async sync() {
      await synced();
      await own.sync();
    },
  }),
  // Before a signature is released the last-sign state has to reach the disk.
  signer: (own) => ({
    ...own,
    async signVote(...vote) {
      const signed = await own.signVote(...vote);
      await synced();
      return signed;
    },
    async signProposal(...proposal) {
      const signed = await own.signProposal(...proposal);
      await synced();
      return signed;
    },
  }),
}));
