import type { Logger } from '#core/ports/logger.ts';
import type { RuntimeApplication } from '#runtime/app.ts';
import { IGNORE, type Verdict } from '../driver/intake.ts';
import type { PeerId } from '../driver/ports.ts';
import { NODE_LIMITS } from '../limits.ts';
import type { SnapshotFiles } from './archive.ts';
import { decodeSnapshotMessage, encodeSnapshotMessage, type SnapshotMessage } from './messages.ts';

export interface SnapshotServiceOptions {
  /** Blocks between snapshots; 0: none are taken. */
  readonly interval: bigint;
  /** How many are kept. */
  readonly keepRecent: number;
}

/** Takes snapshots as the chain goes on, and serves them. */
export interface SnapshotService {
  /** A message about snapshots. Answers only requests: nothing was asked of anybody. */
  receive(peer: PeerId, bytes: Uint8Array): Verdict;
  /** After each commit: takes a snapshot when one is due and none is being taken. */
  committed(height: bigint): void;
  /** Resolves when nothing is being taken. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

export function createSnapshotService(
  options: SnapshotServiceOptions,
  dependencies: {
    readonly app: Pick<RuntimeApplication, 'listSnapshots' | 'loadSnapshotChunk' | 'exportSnapshot'>;
    readonly files: SnapshotFiles;
    readonly send: (peer: PeerId, bytes: Uint8Array) => void;
    readonly pause: () => Promise<void>;
    readonly logger: Logger;
  },
): SnapshotService {
  const { app, files, send, pause, logger } = dependencies;
  /** Requests that are being answered, by peer. */
  const busy = new Map<PeerId, number>();
  let taking: Promise<void> | undefined;
  let closed = false;

  async function answer(peer: PeerId, message: Extract<SnapshotMessage, { kind: `${string}-request` }>): Promise<void> {
    if (message.kind === 'snapshots-request') {
      const snapshots = (await app.listSnapshots()).slice(0, NODE_LIMITS.maxSnapshotsPerPeer);
      let bytes = encodeSnapshotMessage({ kind: 'snapshots-response', snapshots });
      while (bytes.length > NODE_LIMITS.maxSnapshotsMessageBytes && snapshots.length > 0) {
        snapshots.pop();
        bytes = encodeSnapshotMessage({ kind: 'snapshots-response', snapshots });
      }
      send(peer, bytes);
      return;
    }
    const { height, format, index } = message;
    const chunk = await app.loadSnapshotChunk({ height, format, chunk: index });
    const found = chunk.length === 0 ? undefined : chunk;
    send(peer, encodeSnapshotMessage({ kind: 'chunk-response', height, format, index, chunk: found }));
  }

  async function take(height: bigint): Promise<void> {
    try {
      const taken = await files.add(height, (sink) => app.exportSnapshot(height, sink, pause));
      if (taken.ok) {
        logger.info('took a snapshot', { height, chunks: taken.value.chunks });
        await files.keepNewest(options.keepRecent);
      } else logger.error('a snapshot could not be taken', { height, reason: taken.error });
    } catch (error) {
      logger.error('a snapshot could not be taken', { height, error });
    } finally {
      taking = undefined;
    }
  }

  return {
    receive(peer, bytes) {
      const message = decodeSnapshotMessage(bytes);
      if (!message.ok) return { kind: 'reject', reason: message.error };
      const { value } = message;
      if (value.kind !== 'snapshots-request' && value.kind !== 'chunk-request') return IGNORE;
      const open = busy.get(peer) ?? 0;
      if (open >= NODE_LIMITS.snapshotRequestsPerPeer) return IGNORE;
      busy.set(peer, open + 1);
      answer(peer, value)
        .catch((error: unknown) => logger.error('a snapshot could not be served', { peer, error }))
        .finally(() => {
          const left = (busy.get(peer) ?? 1) - 1;
          if (left === 0) busy.delete(peer);
          else busy.set(peer, left);
        });
      return IGNORE;
    },
    committed(height) {
      if (options.interval === 0n || height % options.interval !== 0n) return;
      if (!closed) taking ??= take(height);
    },
    async settled() {
      await taking;
    },
    async close() {
      closed = true;
      await taking;
    },
  };
}
