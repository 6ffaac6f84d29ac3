import { DATA_START, type Image } from './layout.ts';
import { SPARE_PAGES } from './limits.ts';

const SECTION = { memory: 5, data: 11 } as const;
/** Sections of the kernel runtime; it has no others, so that data and memory are all a model adds. */
const KERNEL_SECTIONS: ReadonlySet<number> = new Set([1, 3, 5, 6, 7, 10]);
const HEADER_BYTES = 8;
const PAGE = 65536;

/** The kernel runtime with a model's memory size and data: every other section stays as it is, byte for byte. */
export function assembleModule(kernel: Uint8Array, image: Image): Uint8Array {
  const pages = Math.ceil(image.memoryBytes / PAGE);
  const parts: Uint8Array[] = [kernel.subarray(0, HEADER_BYTES)];
  for (const { id, whole } of sectionsOf(kernel)) {
    if (!KERNEL_SECTIONS.has(id)) throw new Error(`the kernel runtime has a section ${id}`);
    if (id !== SECTION.memory) parts.push(whole);
    // One memory with minimum and maximum (WebAssembly core specification, 5.5.8 and 5.3.7).
    else parts.push(section(SECTION.memory, [Uint8Array.of(1, 1), leb(pages), leb(pages + SPARE_PAGES)]));
  }
  // One active segment: flag 0, i32.const start, end, bytes (5.5.14).
  const place = [Uint8Array.of(1, 0, 0x41), signedLeb(DATA_START), Uint8Array.of(0x0b), leb(image.data.length)];
  parts.push(section(SECTION.data, [...place, image.data]));
  return concat(parts);
}

function* sectionsOf(module: Uint8Array): Generator<{ readonly id: number; readonly whole: Uint8Array }> {
  let at = HEADER_BYTES;
  while (at < module.length) {
    let size = 0;
    let body = at + 1;
    for (let shift = 0; ; shift += 7) {
      const byte = module[body++] ?? 0;
      size += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    yield { id: module[at] ?? 0, whole: module.subarray(at, body + size) };
    at = body + size;
  }
}

function section(id: number, parts: readonly Uint8Array[]): Uint8Array {
  const body = concat(parts);
  return concat([Uint8Array.of(id), leb(body.length), body]);
}

function leb(value: number): Uint8Array {
  const out: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    out.push((rest & 0x7f) | 0x80);
    rest = Math.floor(rest / 128);
  }
  return Uint8Array.from([...out, rest]);
}

/** Small non-negative numbers only: one byte while bit 6 is clear, two otherwise. */
function signedLeb(value: number): Uint8Array {
  return value < 64 ? Uint8Array.of(value) : Uint8Array.of((value & 0x7f) | 0x80, value >> 7);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
