import { SECTION } from '#vm/wasm/parse.ts';
import type { Module } from '#vm/wasm/types.ts';
import { put, putBytes, putSized, putU32, writer, written } from '#vm/wasm/writer.ts';

const I32_CONST = 0x41;
const END = 0x0b;

/**
 * The module with all its data segments empty and without custom sections. The component tools make the same of it, and
 * need not be given tens of megabytes of weights.
 */
export function withoutData(module: Module): Uint8Array {
  const out = writer(64 << 10);
  putBytes(out, module.bytes.subarray(0, 8));
  for (const [id, range] of module.sections) {
    put(out, id);
    if (id === SECTION.data) {
      const w = writer();
      putU32(w, module.data.length);
      // An active segment at 0 of memory 0, or a passive one; of no bytes.
      for (const { active } of module.data) put(w, ...(active === undefined ? [1, 0] : [0, I32_CONST, 0, END, 0]));
      putSized(out, written(w));
    } else putSized(out, module.bytes.subarray(range.start, range.end));
  }
  return written(out).slice();
}
