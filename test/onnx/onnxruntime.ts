import * as ort from 'onnxruntime-web';

// One thread, so that no workers outlive a test.
ort.env.wasm.numThreads = 1;

export interface RuntimeTensor {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** Elements in row-major order; bool as bytes of 0 and 1. */
export interface TypedTensor {
  readonly dtype: 'float32' | 'int32' | 'int64' | 'uint8' | 'int8' | 'bool';
  readonly dims: readonly number[];
  readonly data: Float32Array | Int32Array | BigInt64Array | Uint8Array | Int8Array;
}

/** What an independent runtime makes of a model: its outputs in the graph's order. */
export async function runTyped(
  model: Uint8Array,
  inputs: Readonly<Record<string, TypedTensor>>,
): Promise<readonly Omit<TypedTensor, 'dtype'>[]> {
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ['wasm'],
    graphOptimizationLevel: 'disabled',
  });
  try {
    const feeds: Record<string, ort.Tensor> = {};
    for (const [name, { dtype, dims, data }] of Object.entries(inputs)) feeds[name] = new ort.Tensor(dtype, data, dims);
    const results = await session.run(feeds);
    return session.outputNames.map((name) => {
      const tensor = results[name];
      if (tensor === undefined) throw new Error(`no output ${name}`);
      return { dims: tensor.dims, data: tensor.data as TypedTensor['data'] };
    });
  } finally {
    await session.release();
  }
}

/** The same for a model of float32 alone. */
export async function runWithOnnxRuntime(
  model: Uint8Array,
  inputs: Readonly<Record<string, RuntimeTensor>>,
): Promise<RuntimeTensor[]> {
  const typed = Object.entries(inputs).map(([name, tensor]) => [name, { dtype: 'float32', ...tensor }] as const);
  const results = await runTyped(model, Object.fromEntries(typed));
  return results.map(({ dims, data }) => {
    if (!(data instanceof Float32Array)) throw new Error('an output is not of float32');
    return { dims, data };
  });
}
