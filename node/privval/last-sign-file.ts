import type { LastSignStore } from '../driver/ports.ts';
import { NODE_LIMITS } from '../limits.ts';
import { readFileBounded, replaceFileDurably } from '../storage/durable-file.ts';

/** The validator's last-sign state as a file of its own: replaced atomically, on disk before `save` resolves. */
export function lastSignFile(path: string): LastSignStore {
  return {
    load: () => readFileBounded(path, NODE_LIMITS.maxConfigFileBytes),
    save: (bytes) => replaceFileDurably(path, bytes),
  };
}
