/** ASCII armor of OpenPGP (RFC 4880 section 6), in which the Cosmos SDK hands keys on: headers, base64, CRC-24. */
import { fromBase64, toBase64 } from '#core/bytes.ts';
import { err, ok, type Result } from '#core/result.ts';
import { NODE_LIMITS } from '../limits.ts';

export interface Armor {
  /** Such as `TENDERMINT PRIVATE KEY`. */
  readonly type: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

const LINE_CHARACTERS = 64;
/** A longer line is no armor's (RFC 4880 says 76). */
const MAX_LINE_CHARACTERS = 96;

export function encodeArmor({ type, headers, body }: Armor): string {
  const text = toBase64(body);
  const lines: string[] = [];
  for (let at = 0; at < text.length; at += LINE_CHARACTERS) lines.push(text.slice(at, at + LINE_CHARACTERS));
  return [
    `-----BEGIN ${type}-----`,
    ...[...headers].map(([name, value]) => `${name}: ${value}`),
    '',
    ...lines,
    `=${toBase64(crc24(body))}`,
    `-----END ${type}-----`,
  ].join('\n');
}

/** What stands before the armor and behind it is left alone. The error says which part of it is wrong. */
export function decodeArmor(text: string): Result<Armor, string> {
  if (text.length > NODE_LIMITS.maxArmorCharacters)
    return err(`armor: ${text.length} characters exceed the limit of ${NODE_LIMITS.maxArmorCharacters}`);
  const lines = text.split('\n').map((line) => line.trim());
  const begin = lines.findIndex((line) => /^-----BEGIN [A-Z ]+-----$/.test(line));
  if (begin < 0) return err('armor: expected a line -----BEGIN …-----');
  const type = (lines[begin] as string).slice('-----BEGIN '.length, -'-----'.length);
  const end = lines.indexOf(`-----END ${type}-----`, begin);
  if (end < 0) return err(`armor: expected a line -----END ${type}-----`);
  const empty = lines.indexOf('', begin);
  if (empty < 0 || empty > end) return err('armor: expected an empty line between headers and content');
  const headers = new Map<string, string>();
  for (const line of lines.slice(begin + 1, empty)) {
    const at = line.indexOf(': ');
    if (at < 1) return err(`armor: expected headers such as kdf: argon2, got ${JSON.stringify(line.slice(0, 40))}`);
    headers.set(line.slice(0, at), line.slice(at + 2));
  }
  const content = lines.slice(empty + 1, end).filter((line) => line !== '');
  const long = content.find((line) => line.length > MAX_LINE_CHARACTERS);
  if (long !== undefined)
    return err(`armor: a line of ${long.length} characters, expected at most ${MAX_LINE_CHARACTERS}`);
  const last = content.at(-1);
  const checksum = last?.length === 5 && last.startsWith('=') ? content.pop()?.slice(1) : undefined;
  try {
    const body = fromBase64(content.join(''), 'armor');
    if (checksum !== undefined && checksum !== toBase64(crc24(body)))
      return err('armor: its checksum is not that of its content: a character was changed or lost');
    return ok({ type, headers, body });
  } catch (error) {
    return err(error instanceof Error ? error.message : String(error));
  }
}

const CRC24_INIT = 0xb704ce;
const CRC24_POLYNOMIAL = 0x1864cfb;

function crc24(bytes: Uint8Array): Uint8Array {
  let crc = CRC24_INIT;
  for (const byte of bytes) {
    crc ^= byte << 16;
    for (let bit = 0; bit < 8; bit++) {
      crc <<= 1;
      if ((crc & 0x1000000) !== 0) crc ^= CRC24_POLYNOMIAL;
    }
  }
  return Uint8Array.of((crc >>> 16) & 255, (crc >>> 8) & 255, crc & 255);
}
