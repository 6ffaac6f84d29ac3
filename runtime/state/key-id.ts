/** Keys as strings of one UTF-16 unit a byte, so that string order is byte order: V8 keeps and compares them as bytes. */

/** Longer keys are put together piece by piece: a call takes only so many arguments. */
const MAX_ARGUMENTS = 1024;

export function idOf(key: Uint8Array): string {
  let id = '';
  for (let at = 0; at < key.length; at += MAX_ARGUMENTS) {
    const piece = key.length <= MAX_ARGUMENTS ? key : key.subarray(at, at + MAX_ARGUMENTS);
    id += String.fromCharCode.apply(null, piece as unknown as number[]);
  }
  return id;
}

/** The bytes of `id`, written at `at`. */
export function putId(out: Uint8Array, at: number, id: string): void {
  for (let i = 0; i < id.length; i++) out[at + i] = id.charCodeAt(i);
}

export function keyOf(id: string): Uint8Array {
  const key = new Uint8Array(id.length);
  putId(key, 0, id);
  return key;
}
