import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { concat, equal, readU64be, u32be, u64be } from '#core/bytes.ts';
import type { LastSignStore } from '../driver/ports.ts';
import { syncFolder, writeWhole } from '../storage/durable-file.ts';

/** Two slots of one disk page each; a state takes a few hundred bytes. */
const SLOT_BYTES = 4_096;
const SLOTS = 2;
/** Serial, length. */
const HEAD_BYTES = 12;
const DIGEST_BYTES = 32;

/**
 * The validator's last-sign state in a file of fixed size with two slots that are written in turn: each holds a serial,
 * the state and their SHA-256. A crash in the middle of a write spoils the slot that is being written and never the one
 * before, and since the file does not grow, one fdatasync makes a write durable. This stands before every signature of
 * a validator, which is why it is not a file replaced by renaming (three times the waiting for the disk).
 */
export function lastSignFile(path: string): LastSignStore & { close(): Promise<void> } {
  let handle: FileHandle | undefined;
  let serial = 0n;

  async function opened(): Promise<FileHandle> {
    if (handle !== undefined) return handle;
    await mkdir(dirname(path), { recursive: true });
    const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    const { size } = await file.stat();
    if (size < SLOTS * SLOT_BYTES) {
      // A file that is being made holds zeros at most; what is left of one that was cut must not be taken for new.
      const { bytesRead, buffer } = await file.read(new Uint8Array(SLOTS * SLOT_BYTES), 0, size, 0);
      if (buffer.subarray(0, bytesRead).some((byte) => byte !== 0)) {
        await file.close();
        throw damagedError(path);
      }
      await file.write(new Uint8Array(SLOTS * SLOT_BYTES), 0, SLOTS * SLOT_BYTES, 0);
      await file.sync();
      await syncFolder(dirname(path));
    }
    handle = file;
    return file;
  }

  return {
    async load() {
      const file = await opened();
      const bytes = new Uint8Array(SLOTS * SLOT_BYTES);
      await file.read(bytes, 0, bytes.length, 0);
      let newest: { readonly serial: bigint; readonly state: Uint8Array } | undefined;
      let damaged = 0;
      for (let slot = 0; slot < SLOTS; slot++) {
        const read = readSlot(bytes.subarray(slot * SLOT_BYTES, (slot + 1) * SLOT_BYTES));
        if (read === 'damaged') damaged += 1;
        else if (read !== undefined && (newest === undefined || read.serial > newest.serial)) newest = read;
      }
      // One spoilt slot beside a good one is a write that a power failure cut: its signature was never released.
      if (damaged > 0 && newest === undefined) throw damagedError(path);
      serial = newest?.serial ?? 0n;
      return newest?.state;
    },
    async save(state) {
      const room = SLOT_BYTES - HEAD_BYTES - DIGEST_BYTES;
      if (state.length > room) throw new RangeError(`last-sign state: ${state.length} bytes exceed the slot's ${room}`);
      const file = await opened();
      serial += 1n;
      const content = concat(u64be(serial), u32be(state.length), state);
      const slot = concat(content, digest(content));
      await writeWhole(file, slot, Number(serial % BigInt(SLOTS)) * SLOT_BYTES);
      await file.datasync();
    },
    async close() {
      await handle?.close();
      handle = undefined;
    },
  };
}

function digest(content: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(content).digest());
}

/** `undefined`: never written. */
function readSlot(slot: Uint8Array): { readonly serial: bigint; readonly state: Uint8Array } | undefined | 'damaged' {
  if (slot.every((byte) => byte === 0)) return undefined;
  const length = new DataView(slot.buffer, slot.byteOffset).getUint32(8);
  const end = HEAD_BYTES + length;
  if (end + DIGEST_BYTES > slot.length) return 'damaged';
  if (!equal(digest(slot.subarray(0, end)), slot.subarray(end, end + DIGEST_BYTES))) return 'damaged';
  return { serial: readU64be(slot), state: slot.slice(HEAD_BYTES, end) };
}

function damagedError(path: string): Error {
  return new Error(`${path} is damaged: signing without it could sign twice. Restore it, or use a new validator key`);
}
