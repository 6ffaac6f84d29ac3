import * as ort from 'onnxruntime-web';

// One thread, so that no workers outlive a test.
ort.env.wasm.numThreads = 1;

export interface RuntimeTensor {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** What an independent runtime makes of a model with float32 inputs: its outputs in the graph's order. */
export async function runWithOnnxRuntime(
  model: Uint8Array,
  inputs: Readonly<Record<string, RuntimeTensor>>,
): Promise<RuntimeTensor[]> {
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ['wasm'],
    graphOptimizationLevel: 'disabled',
  });
  try {
    const feeds: Record<string, ort.Tensor> = {};
    for (const [name, { dims, data }] of Object.entries(inputs)) feeds[name] = new ort.Tensor('float32', data, dims);
    const results = await session.run(feeds);
    return session.outputNames.map((name) => {
      const tensor = results[name];
      if (tensor === undefined || !(tensor.data instanceof Float32Array)) throw new Error(`no float32 output ${name}`);
      return { dims: tensor.dims, data: tensor.data };
    });
  } finally {
    await session.release();
  }
}
