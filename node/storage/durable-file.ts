import { writeSync } from 'node:fs';
import { type FileHandle, mkdir, open, readFile, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Makes a folder's entries (a created, renamed or removed file) durable. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Replaces a file's content so that after a crash it is the old or the new one, and is on disk when this resolves. */
export async function replaceFileDurably(path: string, content: Uint8Array | string, mode = 0o600): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true });
  const temporary = join(folder, `.${basename(path)}.tmp`);
  const handle = await open(temporary, 'w', mode);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, path);
  await syncFolder(folder);
}

/** `undefined` when there is no such file. @throws RangeError when it is larger than `maxBytes`. */
export async function readFileBounded(path: string, maxBytes: number): Promise<Uint8Array | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { size } = await handle.stat();
    if (size > maxBytes) throw new RangeError(`${path}: ${size} bytes exceed the limit of ${maxBytes}`);
    return new Uint8Array(await readFile(handle));
  } finally {
    await handle.close();
  }
}

/** Up to so many bytes the kernel takes faster than another thread is woken to hand them over. */
const HANDED_OVER_BYTES = 65_536;

/**
 * Writes to the end of a file opened for appending, or at `position`. It is not on disk before a sync, whose waiting is
 * left to another thread; what is copied to the kernel meanwhile need not wait for one.
 */
export async function writeWhole(handle: FileHandle, bytes: Uint8Array, position: number | null): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const at = position === null ? null : position + done;
    const left = bytes.length - done;
    done +=
      left <= HANDED_OVER_BYTES
        ? writeSync(handle.fd, bytes, done, left, at)
        : (await handle.write(bytes, done, left, at)).bytesWritten;
  }
}
