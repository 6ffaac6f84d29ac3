import { readFileSync } from 'node:fs';

/** The two modules written in AssemblyScript: what a compiled model runs, and what a training script runs. */
export type KernelName = 'runtime' | 'training';

/** The committed module, byte for byte what `buildKernel` makes (a test rebuilds it). */
export function committedKernel(name: KernelName): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`${name}.wasm`, import.meta.url)));
}
