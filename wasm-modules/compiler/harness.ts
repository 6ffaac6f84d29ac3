/** Runs core modules of the model ABI without the chain's machine: for training scripts and tests. */
export interface CoreModel {
  describe(): string;
  /** The answer's bytes, or the model's own message. */
  infer(
    input: Uint8Array,
    seed: bigint,
  ): { readonly ok: true; readonly value: Uint8Array } | { readonly ok: false; readonly error: string };
}

interface Exports {
  readonly memory: WebAssembly.Memory;
  cabi_realloc(old: number, oldSize: number, align: number, size: number): number;
  describe(): number;
  infer(pointer: number, length: number, seed: bigint): number;
}

/** Every call runs in a fresh instance, as on the chain. */
export function openCore(bytes: Uint8Array): CoreModel {
  const module = new WebAssembly.Module(new Uint8Array(bytes));
  const open = (): Exports => new WebAssembly.Instance(module).exports as unknown as Exports;
  const listAt = (memory: WebAssembly.Memory, at: number): Uint8Array => {
    const view = new DataView(memory.buffer);
    return new Uint8Array(memory.buffer, view.getUint32(at, true), view.getUint32(at + 4, true)).slice();
  };
  return {
    describe() {
      const { memory, describe } = open();
      return new TextDecoder().decode(listAt(memory, describe()));
    },
    infer(input, seed) {
      const { memory, cabi_realloc, infer } = open();
      const at = cabi_realloc(0, 0, 1, input.length);
      new Uint8Array(memory.buffer, at, input.length).set(input);
      const result = infer(at, input.length, BigInt.asIntN(64, seed));
      const list = listAt(memory, result + 4);
      const failed = new DataView(memory.buffer).getUint8(result) !== 0;
      return failed ? { ok: false, error: new TextDecoder().decode(list) } : { ok: true, value: list };
    },
  };
}
