/** What the machine's benchmarks run: products and convolutions of the shipped kernels, and loops written for the purpose. */
import { concat } from '#core/bytes.ts';
import { packageModel } from '#vm/component.ts';
import { compileOnnx } from '#wasm-modules/compiler/compile.ts';
import { ints, modelOf, node } from '#wasm-modules/testing/graph.ts';

export interface Workload {
  readonly name: string;
  /** A core module of the model ABI. */
  readonly core: Uint8Array;
  readonly input: Uint8Array;
  /** Multiplications and additions of one call; 0 where it is not about them. */
  readonly operations: number;
}

/** The ONNX model behind a workload, for other runtimes. */
export interface OnnxWorkload extends Workload {
  readonly onnx: Uint8Array;
  readonly feeds: Readonly<Record<string, { readonly dims: readonly number[]; readonly data: Float32Array }>>;
}

/** Numbers between −1 and 1, always the same. */
export function numbers(count: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return state / 2 ** 31;
  });
}

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function compiled(onnx: Uint8Array): Uint8Array {
  const model = compileOnnx(onnx);
  if (!model.ok) throw new Error(JSON.stringify(model.error));
  return model.value.module;
}

function size(dims: readonly number[]): number {
  return dims.reduce((product, d) => product * d, 1);
}

/** A model of one node whose inputs are all in the request. */
function ofOneNode(
  name: string,
  operations: number,
  shapes: readonly (readonly number[])[],
  the: ReturnType<typeof node>,
): OnnxWorkload {
  const inputs = shapes.map((dims, i) => ({ name: `x${i}`, dtype: 1, dims }));
  const onnx = modelOf([the], { inputs });
  const data = shapes.map((dims, i) => numbers(size(dims), i + 1));
  const feeds = Object.fromEntries(shapes.map((dims, i) => [`x${i}`, { dims, data: data[i] as Float32Array }]));
  return { name, operations, onnx, feeds, core: compiled(onnx), input: concat(...data.map(bytesOf)) };
}

/** [m,k] times [k,n] of f32. */
export function product(m: number, n: number, k: number): OnnxWorkload {
  const shapes = [
    [m, k],
    [k, n],
  ];
  return ofOneNode('f32 gemm', 2 * m * n * k, shapes, node('MatMul', 'product', ['x0', 'x1'], ['y']));
}

/** A 3 × 3 convolution with padding. */
export function convolution(channels: number, filters: number, side: number): OnnxWorkload {
  const shapes = [
    [1, channels, side, side],
    [filters, channels, 3, 3],
  ];
  const conv = node('Conv', 'convolution', ['x0', 'x1'], ['y'], { pads: ints(1, 1, 1, 1) });
  return ofOneNode('f32 conv', 2 * filters * channels * 9 * side * side, shapes, conv);
}

const UINT8 = 2;
const INT8 = 3;

/** [m,k] of uint8 times [k,n] of int8, as MatMulInteger; `undefined` where the compiler does not know it. */
function integerProduct(m: number, n: number, k: number): Workload | undefined {
  const onnx = modelOf([node('MatMulInteger', 'product', ['x0', 'x1'], ['y'])], {
    inputs: [
      { name: 'x0', dtype: UINT8, dims: [m, k] },
      { name: 'x1', dtype: INT8, dims: [k, n] },
    ],
    outputs: [{ name: 'y', dtype: 6, dims: [m, n] }],
  });
  const model = compileOnnx(onnx);
  if (!model.ok) return undefined;
  const input = Uint8Array.from({ length: m * k + k * n }, (_, i) => Math.imul(i, 2_654_435_761) >>> 24);
  return { name: 'int8 gemm', core: model.value.module, input, operations: 2 * m * n * k };
}

/** What a guest in AssemblyScript has besides its `work`. */
const ABI = `
  let heap: usize = 1048576;
  export function cabi_realloc(old: usize, oldSize: u32, align: u32, size: u32): usize {
    const at = heap;
    heap += size;
    return at;
  }
  export function describe(): usize { return 16; }
  export function infer(input: usize, length: u32, seed: u64): usize {
    store<u32>(64, 0);
    store<u32>(68, 128);
    store<u32>(72, work(input, length));
    return 64;
  }`;

async function assembled(work: string): Promise<Uint8Array> {
  // Not loaded for those who measure something else.
  const { default: asc } = await import('assemblyscript/asc');
  let built: Uint8Array | undefined;
  const messages: string[] = [];
  const options = ['-O3', '--converge', '--noAssert', '--runtime', 'stub', '--use', 'abort=', '--enable', 'simd'];
  const { error } = await asc.main(
    ['guest.ts', '-o', 'guest.wasm', ...options, '--initialMemory', '32', '--maximumMemory', '64'],
    {
      readFile: (name) => (name === 'guest.ts' ? work + ABI : null),
      writeFile: (_, contents) => {
        built = typeof contents === 'string' ? undefined : contents;
      },
      listFiles: () => [],
      stderr: { write: (text) => messages.push(String(text)) },
    },
  );
  if (error !== null || built === undefined) throw new Error(messages.join(''));
  return built;
}

/** FIPS 180-4, 6.2, as a compiler of any language would leave it: a schedule in memory, 64 rounds in a loop. */
const SHA256 = `
  const K: usize = memory.data<u32>([${roundConstants().join(',')}]);
  const H: usize = memory.data<u32>([0x6a09e667,0xbb67ae85,0x3c6ef372,0xa54ff53a,0x510e527f,0x9b05688c,0x1f83d9ab,0x5be0cd19]);
  function block(at: usize, w: usize, digest: usize): void {
    for (let i: usize = 0; i < 64; i += 4) store<u32>(w + i, bswap<u32>(load<u32>(at + i)));
    for (let i: usize = 64; i < 256; i += 4) {
      const x = load<u32>(w + i - 60);
      const y = load<u32>(w + i - 8);
      const s0 = rotr<u32>(x, 7) ^ rotr<u32>(x, 18) ^ (x >> 3);
      const s1 = rotr<u32>(y, 17) ^ rotr<u32>(y, 19) ^ (y >> 10);
      store<u32>(w + i, load<u32>(w + i - 64) + s0 + load<u32>(w + i - 28) + s1);
    }
    let a = load<u32>(digest), b = load<u32>(digest, 4), c = load<u32>(digest, 8), d = load<u32>(digest, 12);
    let e = load<u32>(digest, 16), f = load<u32>(digest, 20), g = load<u32>(digest, 24), h = load<u32>(digest, 28);
    for (let i: usize = 0; i < 256; i += 4) {
      const t1 = h + (rotr<u32>(e, 6) ^ rotr<u32>(e, 11) ^ rotr<u32>(e, 25)) + ((e & f) ^ (~e & g)) +
        load<u32>(K + i) + load<u32>(w + i);
      const t2 = (rotr<u32>(a, 2) ^ rotr<u32>(a, 13) ^ rotr<u32>(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g; g = f; f = e; e = d + t1; d = c; c = b; b = a; a = t1 + t2;
    }
    store<u32>(digest, load<u32>(digest) + a);
    store<u32>(digest, load<u32>(digest, 4) + b, 4);
    store<u32>(digest, load<u32>(digest, 8) + c, 8);
    store<u32>(digest, load<u32>(digest, 12) + d, 12);
    store<u32>(digest, load<u32>(digest, 16) + e, 16);
    store<u32>(digest, load<u32>(digest, 20) + f, 20);
    store<u32>(digest, load<u32>(digest, 24) + g, 24);
    store<u32>(digest, load<u32>(digest, 28) + h, 28);
  }
  // Whole blocks only: what is measured does not depend on the padding.
  function work(input: usize, length: u32): u32 {
    memory.copy(128, H, 32);
    for (let at: u32 = 0; at + 64 <= length; at += 64) block(input + at, 524288, 128);
    return 32;
  }`;

function roundConstants(): readonly number[] {
  const primes: number[] = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p !== 0)) primes.push(n);
  return primes.map((p) => Math.floor((Math.cbrt(p) % 1) * 2 ** 32));
}

/** XXH32's inner loop: four accumulators, 16 bytes a turn. */
const XXHASH = `
  function round(sum: u32, at: usize): u32 { return rotl<u32>(sum + load<u32>(at) * 2246822519, 13) * 2654435761; }
  function work(input: usize, length: u32): u32 {
    let a: u32 = 606290984, b: u32 = 2246822519, c: u32 = 0, d: u32 = 1640531535;
    const end = input + (length & ~15);
    for (let at = input; at < end; at += 16) {
      a = round(a, at); b = round(b, at + 4); c = round(c, at + 8); d = round(d, at + 12);
    }
    store<u32>(128, rotl<u32>(a, 1) + rotl<u32>(b, 7) + rotl<u32>(c, 12) + rotl<u32>(d, 18));
    return 4;
  }`;

/** FNV-1a byte by byte: a loop of so few instructions that its accounting weighs most. */
const FNV = `
  function work(input: usize, length: u32): u32 {
    let hash: u32 = 2166136261;
    for (let at: u32 = 0; at < length; at++) hash = (hash ^ load<u8>(input + at)) * 16777619;
    store<u32>(128, hash);
    return 4;
  }`;

const INT8_SIDE = 192;

/** Products of int8 into i32, rows of a times rows of b, in SIMD: what the kernels do, where they do not yet. */
const INT8_GEMM = `
  const SIDE: usize = ${INT8_SIDE};
  @inline
  function dot(sum: v128, u: v128, v: v128): v128 {
    sum = i32x4.add(sum, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(u), i16x8.extend_low_i8x16_s(v)));
    return i32x4.add(sum, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(u), i16x8.extend_high_i8x16_s(v)));
  }
  @inline
  function sum(v: v128): i32 {
    return i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) + i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3);
  }
  function tile(a: usize, b: usize, y: usize): void {
    let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
    for (let k: usize = 0; k < SIDE; k += 16) {
      const u = v128.load(a + k);
      s0 = dot(s0, u, v128.load(b + k));
      s1 = dot(s1, u, v128.load(b + k, ${INT8_SIDE}));
      s2 = dot(s2, u, v128.load(b + k, ${2 * INT8_SIDE}));
      s3 = dot(s3, u, v128.load(b + k, ${3 * INT8_SIDE}));
    }
    store<i32>(y, sum(s0)); store<i32>(y, sum(s1), 4); store<i32>(y, sum(s2), 8); store<i32>(y, sum(s3), 12);
  }
  function work(input: usize, length: u32): u32 {
    const b = input + SIDE * SIDE;
    for (let i: usize = 0; i < SIDE; i++)
      for (let j: usize = 0; j < SIDE; j += 4) tile(input + i * SIDE, b + j * SIDE, 128 + (i * SIDE + j) * 4);
    return 4;
  }`;

async function hash(name: string, work: string, bytes: number): Promise<Workload> {
  const input = Uint8Array.from({ length: bytes }, (_, i) => Math.imul(i, 2_654_435_761) >>> 24);
  return { name, core: await assembled(work), input, operations: 0 };
}

/** The kernels' own product of int8, or one in AssemblyScript where the compiler has none. */
export async function int8Product(): Promise<Workload> {
  const shipped = integerProduct(INT8_SIDE, INT8_SIDE, INT8_SIDE);
  if (shipped !== undefined) return shipped;
  const side = INT8_SIDE;
  return { ...(await hash('int8 gemm', INT8_GEMM, 2 * side * side)), operations: 2 * side ** 3 };
}

export function hashes(): Promise<readonly Workload[]> {
  return Promise.all([
    hash('sha256', SHA256, 128 << 10),
    hash('xxhash32', XXHASH, 256 << 10),
    hash('fnv-1a', FNV, 64 << 10),
  ]);
}

/** The component around a workload's module. */
export function componentOf(core: Uint8Array): Uint8Array {
  const packaged = packageModel(core);
  if (!packaged.ok) throw new Error(packaged.error.message);
  return packaged.value;
}
