/**
 * The steps of `kernels/assembly/runtime.ts`; the operands of each stand beside its kernel. What 7, 12 and 15 were is now done
 * by `product`, `copy` and `typedFill`.
 */
export const OPCODE = {
  inputBytes: 1,
  inputScaledBytes: 2,
  inputOneHot: 3,
  inputNormal: 4,
  outputBytes: 5,
  outputImage: 6,
  columnsToImage: 8,
  imageToColumns: 9,
  unary: 10,
  binary: 11,
  reduce: 13,
  pool: 14,
  cast: 16,
  typedUnary: 17,
  typedBinary: 18,
  copy: 19,
  typedFill: 20,
  where: 21,
  gather: 22,
  argument: 23,
  reduceInts: 24,
  product: 25,
  integerProduct: 26,
  frame: 27,
  quantize: 28,
  dequantize: 29,
  dynamicQuantize: 30,
} as const;

/** `unaryOf` in `kernels/assembly/elementwise.ts`, by the operator's ONNX name. */
export const UNARY = {
  Relu: 1,
  Sigmoid: 2,
  Tanh: 3,
  LeakyRelu: 4,
  Exp: 5,
  Neg: 6,
  Abs: 7,
  Sqrt: 8,
  Reciprocal: 9,
  Floor: 10,
  Ceil: 11,
  Round: 12,
  Clip: 13,
  Sign: 14,
  Log: 15,
  Erf: 16,
  Elu: 17,
  HardSigmoid: 18,
  HardSwish: 19,
  Softplus: 20,
  Softsign: 21,
  Gelu: 22,
  Selu: 23,
} as const;

/** `binaryOf` in `kernels/assembly/elementwise.ts`, by the operator's ONNX name. */
export const BINARY = { Add: 1, Sub: 2, Mul: 3, Div: 4, Max: 5, Min: 6, Pow: 7, PRelu: 8 } as const;

/** `typedUnary` in `kernels/assembly/typed.ts`. */
export const TYPED_UNARY = { Neg: 1, Abs: 2, Sign: 3, Not: 4 } as const;

/** `typedBinary` in `kernels/assembly/typed.ts`; the first ones are those of {@link BINARY}. */
export const TYPED_BINARY = {
  Add: 1,
  Sub: 2,
  Mul: 3,
  Div: 4,
  Max: 5,
  Min: 6,
  Pow: 7,
  Mod: 9,
  Fmod: 10,
  And: 16,
  Or: 17,
  Xor: 18,
  Equal: 20,
  Less: 21,
  Greater: 22,
  LessOrEqual: 23,
  GreaterOrEqual: 24,
} as const;

/** `gather` in `kernels/assembly/elementwise.ts`. */
export const REDUCE = { sum: 1, mean: 2, max: 3, min: 4, product: 5, squares: 6, absolutes: 7 } as const;

/** `pool` in `kernels/assembly/window.ts`. */
export const POOL = { max: 1, inside: 2, padded: 3 } as const;
