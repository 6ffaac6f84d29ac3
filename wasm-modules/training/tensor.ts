import { committedKernel } from '../kernels/committed.ts';

/** An address in the training module's memory, in bytes. */
export type Address = number;

/** The functions of `kernels/assembly/training.ts`; shapes and meaning stand there. */
export interface TrainingKernels {
  gemm(a: Address, b: Address, c: Address, m: number, n: number, k: number, accumulate: number): void;
  gemmTransposedA(a: Address, b: Address, c: Address, m: number, n: number, k: number): void;
  transpose(x: Address, y: Address, rows: number, cols: number): void;
  patches(
    x: Address,
    rows: Address,
    batch: number,
    h: number,
    w: number,
    c: number,
    k: number,
    stride: number,
    pad: number,
    oh: number,
    ow: number,
    scatter: number,
  ): void;
  biasActivate(y: Address, bias: Address, rows: number, n: number, slope: number): void;
  biasActivateGrad(y: Address, dy: Address, db: Address, rows: number, n: number, slope: number): void;
  imageLoss(logits: Address, target: Address, grad: Address, pixels: number, scale: number): number;
  adam(p: Address, g: Address, m: Address, v: Address, n: number, rate: number): void;
  expf(x: number): number;
  reserve(end: Address): void;
}

/** One memory with an allocator that only grows, and the kernels over it. */
export interface Tensors {
  readonly kernels: TrainingKernels;
  /** Room for `n` numbers, all 0, aligned to 16 bytes. */
  allocate(n: number): Address;
  /** A view of `n` numbers. It dies with the next `allocate`: take it when needed. */
  view(at: Address, n: number): Float32Array;
}

const PAGE = 65536;

export function createTensors(): Tensors {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(committedKernel('training'))));
  const { memory } = instance.exports;
  if (!(memory instanceof WebAssembly.Memory)) throw new Error('the training kernels export no memory');
  const kernels = instance.exports as unknown as TrainingKernels;
  let next = PAGE;
  return {
    kernels,
    allocate(n) {
      const at = next;
      next = (next + n * 4 + 15) & ~15;
      kernels.reserve(next);
      return at;
    },
    view: (at, n) => new Float32Array(memory.buffer, at, n),
  };
}
