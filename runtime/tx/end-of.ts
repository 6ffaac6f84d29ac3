/**
 * The last 30 bits of these bytes, to look them up by: they end with a signature, or are one, so that few of those that are
 * known at a time have the same. Whoever looks one up compares it. A map finds a small number without hashing a text.
 */
export function endOf(bytes: Uint8Array): number {
  let end = 0;
  for (let i = Math.max(0, bytes.length - 4); i < bytes.length; i++) end = (end << 8) | (bytes[i] as number);
  return end & 0x3fff_ffff;
}
