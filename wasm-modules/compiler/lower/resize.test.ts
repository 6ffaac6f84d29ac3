import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compare, longs, normal, singles } from '#test/onnx/compare.ts';
import type { Attribute } from '../../onnx/model.ts';
import { float, int, ints, singleNode } from '../../testing/graph.ts';
import { compileOnnx } from '../compile.ts';

const RUNS = 40;
const text = (value: string): Attribute => ({ kind: 'string', value });
const side = fc.integer({ min: 1, max: 7 });
const seeds = fc.integer({ min: 0, max: 1 << 30 });
const transformation = fc.constantFrom('half_pixel', 'pytorch_half_pixel', 'align_corners', 'asymmetric');
const none = undefined;

test('Resize by sizes, linear and cubic, agrees with ONNX Runtime', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('linear', 'cubic'),
      transformation,
      side,
      side,
      side,
      side,
      fc.boolean(),
      seeds,
      async (mode, way, h, w, height, width, exclude, seed) => {
        const attributes = {
          mode: text(mode),
          coordinate_transformation_mode: text(way),
          ...(mode === 'cubic' ? { cubic_coeff_a: float(-0.5), exclude_outside: int(Number(exclude)) } : {}),
        };
        const inputs = [normal([1, 2, h, w], seed), none, none, longs(1, 2, height, width)];
        await compare({ op: 'Resize', inputs, attributes });
      },
    ),
    { numRuns: RUNS },
  );
});

test('Resize to the nearest by whole scales agrees with ONNX Runtime', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'),
      fc.constantFrom('half_pixel', 'pytorch_half_pixel', 'asymmetric'),
      side,
      side,
      fc.constantFrom(0.5, 1, 2, 4),
      seeds,
      async (nearest, way, h, w, scale, seed) => {
        fc.pre(scale * h >= 1);
        const attributes = {
          mode: text('nearest'),
          nearest_mode: text(nearest),
          coordinate_transformation_mode: text(way),
        };
        const inputs = [normal([1, 2, h, w], seed), none, singles(1, 1, scale, 2)];
        await compare({ op: 'Resize', inputs, attributes });
      },
    ),
    { numRuns: RUNS },
  );
});

test('Resize to one element by a scale that makes more than one takes the first, as with ONNX Runtime', async () => {
  for (const nearest of ['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil']) {
    const attributes = {
      mode: text('nearest'),
      nearest_mode: text(nearest),
      coordinate_transformation_mode: text('pytorch_half_pixel'),
    };
    await compare({ op: 'Resize', inputs: [normal([1, 2, 3, 1], 0), none, singles(1, 1, 0.5, 2)], attributes });
  }
});

test('Resize to the nearest by any sizes agrees with ONNX Runtime, or is refused where precision decides', async () => {
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'),
      transformation,
      side,
      side,
      seeds,
      async (nearest, way, from, to, seed) => {
        const attributes = {
          mode: text('nearest'),
          nearest_mode: text(nearest),
          coordinate_transformation_mode: text(way),
        };
        const inputs = [normal([1, 2, from, 2], seed), none, none, longs(1, 2, to, 2)];
        await compare({ op: 'Resize', inputs, attributes }).catch((error: Error) => {
          if (!error.message.includes('depends on the precision')) throw error;
          refused++;
        });
      },
    ),
    { numRuns: RUNS },
  );
  expect(refused).toBeLessThan(RUNS / 4);
});

test('Resize with antialiasing, to the larger and the smaller, agrees with ONNX Runtime', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('linear', 'cubic'),
      side,
      side,
      side,
      side,
      fc.boolean(),
      seeds,
      async (mode, h, w, height, width, exclude, seed) => {
        const attributes = { mode: text(mode), antialias: int(1), exclude_outside: int(Number(exclude)) };
        const inputs = [normal([1, 1, h, w], seed), none, none, longs(1, 1, height, width)];
        await compare({ op: 'Resize', inputs, attributes });
      },
    ),
    { numRuns: RUNS },
  );
});

test('Resize of some axes, with a kept aspect ratio, of a region and of integers agrees with ONNX Runtime', async () => {
  const x = normal([2, 3, 4, 6], 5);
  for (const policy of ['not_larger', 'not_smaller']) {
    const attributes = { axes: ints(3, 2), keep_aspect_ratio_policy: text(policy), mode: text('nearest') };
    await compare({ op: 'Resize', inputs: [x, none, none, longs(9, 8)], attributes });
  }
  const crop = {
    mode: text('linear'),
    coordinate_transformation_mode: text('tf_crop_and_resize'),
    extrapolation_value: float(10),
  };
  const region = singles(0, 0, 0.2, 0.4, 1, 1, 0.7, 1.25);
  await compare({ op: 'Resize', inputs: [x, region, none, longs(2, 3, 5, 5)], attributes: crop });
  const bytes = { dtype: 'uint8', dims: [1, 1, 2, 2], data: Uint8Array.of(1, 2, 3, 4) } as const;
  const nearest = { mode: text('nearest'), coordinate_transformation_mode: text('asymmetric') };
  await compare({ op: 'Resize', inputs: [bytes, none, singles(1, 1, 2, 3)], attributes: nearest, outputs: ['uint8'] });
});

test('Upsample and the early Resize agree with ONNX Runtime', async () => {
  for (const mode of ['nearest', 'linear']) {
    const x = normal([1, 2, 3, 4], 6);
    const attributes = { mode: text(mode) };
    await compare({ op: 'Upsample', inputs: [x, singles(1, 1, 2, 3)], attributes, opset: 9 });
    await compare({ op: 'Resize', inputs: [x, singles(1, 1, 2, 3)], attributes, opset: 10 });
  }
});

test('a size that depends on the precision of the arithmetic is refused', () => {
  const inputs = [{ dims: [10] }, { floats: [] }, { floats: [0.7] }];
  const compiled = compileOnnx(singleNode({ op: 'Resize', inputs, opset: 13 }));
  expect(compiled).toMatchObject({ ok: false, error: { op: 'Resize', kind: 'unsupported' } });
});

test('an axis as long as may be compiles', () => {
  const inputs = [{ dims: [10] }, { floats: [] }, { floats: [100_000] }];
  const attributes = { mode: text('linear') };
  expect(compileOnnx(singleNode({ op: 'Resize', inputs, attributes, opset: 13 }))).toMatchObject({ ok: true });
});
