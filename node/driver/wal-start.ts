/** What a start makes of the log. */
import type { Input } from '#consensus/input.ts';
import { decodeWal, encodeWalRecord, tailOfWal } from '#consensus/wal-codec.ts';
import type { Logger } from '#core/ports/logger.ts';
import type { Height } from '#core/types/brand.ts';
import type { Wal } from './ports.ts';

interface WalDeps {
  readonly wal: Wal;
  readonly logger: Logger;
}

/** The inputs logged since the last ended height. Mends a torn tail and a mark that was lost. */
export async function openWal(deps: WalDeps, lastBlockHeight: Height): Promise<readonly Input[]> {
  const bytes = await deps.wal.read();
  const content = decodeWal(bytes);
  if (!content.ok) throw new Error(content.error);
  if (content.value.length < bytes.length) {
    deps.logger.warn('the WAL ends in a torn record, cut off', { bytes: bytes.length - content.value.length });
    await deps.wal.truncate(content.value.length);
  }
  const { lastEnded, inputs } = tailOfWal(content.value.records);
  if (lastEnded !== undefined && lastEnded > lastBlockHeight)
    throw new Error(`the WAL has ended height ${lastEnded}, the chain is only at ${lastBlockHeight}: a store was lost`);
  if (lastBlockHeight === 0n || lastEnded === lastBlockHeight) return inputs;
  await markEnd(deps.wal, lastBlockHeight);
  await deps.wal.sync();
  return [];
}

/** Not synced: nothing of the next height is in the log without it, and {@link openWal} makes up for a lost one. */
export async function markEnd(wal: Wal, height: Height): Promise<void> {
  await wal.append(encodeWalRecord({ kind: 'end-height', height }));
}
