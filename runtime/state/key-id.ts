/** Keys as strings of one UTF-16 unit a byte, so that string order is byte order: V8 keeps and compares them as bytes. */

/** A store's key: its bytes, or their id, which whoever has it need not make again. */
export type StoreKey = Uint8Array | string;

/** Longer keys are put together piece by piece: a call takes only so many arguments. */
const MAX_ARGUMENTS = 1024;
/** An address: most keys are made of one. */
const ADDRESS_BYTES = 20;

/** @param under the id of what comes before these bytes */
export function idOf(bytes: Uint8Array, under = ''): string {
  if (bytes.length === ADDRESS_BYTES && under.length < 2) return idOfAddress(bytes as unknown as Address, under);
  let id = under;
  for (let at = 0; at < bytes.length; at += MAX_ARGUMENTS) {
    const piece = bytes.length <= MAX_ARGUMENTS ? bytes : bytes.subarray(at, at + MAX_ARGUMENTS);
    id += String.fromCharCode.apply(null, piece as unknown as number[]);
  }
  return id;
}

/** That many bytes. */
// biome-ignore format: four lines of five
type Address = readonly [
  number, number, number, number, number,
  number, number, number, number, number,
  number, number, number, number, number,
  number, number, number, number, number,
];

/** Written out, since it is several times as fast as a call whose arguments first have to be made a list. */
function idOfAddress(b: Address, under: string): string {
  // biome-ignore format: in the order of the bytes
  return under === ''
    ? String.fromCharCode(
        b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9],
        b[10], b[11], b[12], b[13], b[14], b[15], b[16], b[17], b[18], b[19],
      )
    : String.fromCharCode(
        under.charCodeAt(0), b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9],
        b[10], b[11], b[12], b[13], b[14], b[15], b[16], b[17], b[18], b[19],
      );
}

export function toId(key: StoreKey): string {
  return typeof key === 'string' ? key : idOf(key);
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
