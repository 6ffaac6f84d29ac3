/** Texts in a request and in an answer (docs/model-abi.md, "Texts"). */
import { err, ok, type Result } from './result.ts';

/** What a field of bytes says of itself when it is a text; a charset other than UTF-8 is not read. */
export const TEXT_TYPE = 'text/plain; charset=utf-8';

/** The bytes of a field of `size`: the text in UTF-8, byte 0 before it as often as it is shorter. */
export function encodeText(name: string, text: string, size: number): Result<Uint8Array, string> {
  if (!text.isWellFormed()) return err(`${name}: the text has half a character (a surrogate without its other half)`);
  if (text.includes('\0')) return err(`${name}: the text has the character U+0000, which stands for nothing here`);
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > size)
    return err(`${name}: the text has ${bytes.length} bytes in UTF-8; the model reads at most ${size}`);
  const out = new Uint8Array(size);
  out.set(bytes, size - bytes.length);
  return ok(out);
}

/** Bytes of a text in an answer: what stands before the zeros at its end. */
export function textBytes(field: Uint8Array): Uint8Array {
  let end = field.length;
  while (end > 0 && field[end - 1] === 0) end--;
  return field.subarray(0, end);
}

/** Control characters but line break and tab, invisible ones, those that turn the direction, and what is not assigned. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]/u;

/**
 * A text of an answer for a person to read on a terminal, whoever made it. A byte that is no UTF-8 becomes `\xNN`, a character
 * that could steer the terminal or is not seen `\u{N}`, and a backslash is doubled, so that none of it can be mistaken.
 */
export function showText(field: Uint8Array): string {
  const bytes = textBytes(field);
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let shown = '';
  for (let at = 0; at < bytes.length; ) {
    const lead = bytes[at] ?? 0;
    const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    try {
      shown += seen(strict.decode(bytes.subarray(at, at + length)));
      at += length;
    } catch {
      shown += `\\x${lead.toString(16).padStart(2, '0')}`;
      at++;
    }
  }
  return shown;
}

function seen(character: string): string {
  return character === '\\' ? '\\\\' : escaped(character);
}

function escaped(character: string): string {
  const open = character === '\n' || character === '\t' || !HIDDEN.test(character);
  return open ? character : `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

/** A sentence with names in it that others may have chosen, for a terminal: nothing in it steers one, or hides. */
export function plainText(text: string): string {
  return HIDDEN.test(text) ? Array.from(text, escaped).join('') : text;
}
