// Patches of an image: adding them up is what a transposed convolution does after its product, gathering them what a pooling
// of its own kind needs. A convolution reads them where they are (`patches.ts`).
import { operand } from './header';

/**
 * Operands: columns, y, bias (0: none), channels, y's height and width, kernel height and width, the grid's height and
 * width, stride (2), dilation (2), padding before (2). columns[channels * kh * kw, gh * gw] are added into
 * y[channels, h, w], which starts as the bias.
 */
export function columnsToImage(step: usize): void {
  const channels = operand(step, 3);
  const h = operand(step, 4);
  const w = operand(step, 5);
  const kh = operand(step, 6);
  const kw = operand(step, 7);
  const grid = operand(step, 8) * operand(step, 9);
  const bias: usize = operand(step, 2);
  let columns: usize = operand(step, 0);
  let y: usize = operand(step, 1);
  for (let c: u32 = 0; c < channels; c++) {
    const start = bias == 0 ? <f32>0 : load<f32>(bias + ((<usize>c) << 2));
    const end = y + ((<usize>(h * w)) << 2);
    for (let p = y; p < end; p += 4) store<f32>(p, start);
    for (let ky: u32 = 0; ky < kh; ky++) {
      for (let kx: u32 = 0; kx < kw; kx++) {
        shift(step, y, columns, ky, kx, true);
        columns += (<usize>grid) << 2;
      }
    }
    y = end;
  }
}

/** Operands as {@link columnsToImage}, with the image read and the columns written; positions outside are 0. */
export function imageToColumns(step: usize): void {
  const channels = operand(step, 3);
  const kh = operand(step, 6);
  const kw = operand(step, 7);
  const grid = operand(step, 8) * operand(step, 9);
  let columns: usize = operand(step, 0);
  let x: usize = operand(step, 1);
  memory.fill(columns, 0, (<usize>(channels * kh * kw * grid)) << 2);
  for (let c: u32 = 0; c < channels; c++) {
    for (let ky: u32 = 0; ky < kh; ky++) {
      for (let kx: u32 = 0; kx < kw; kx++) {
        shift(step, x, columns, ky, kx, false);
        columns += (<usize>grid) << 2;
      }
    }
    x += (<usize>(operand(step, 4) * operand(step, 5))) << 2;
  }
}

/** One channel and one kernel position: adds the grid into the image (`add`), or copies the image into the grid. */
function shift(step: usize, image: usize, grid: usize, ky: u32, kx: u32, add: bool): void {
  const h = <i32>operand(step, 4);
  const w = <i32>operand(step, 5);
  const gh = <i32>operand(step, 8);
  const gw = <i32>operand(step, 9);
  const strideX = <i32>operand(step, 11);
  const y0 = <i32>(ky * operand(step, 12)) - <i32>operand(step, 14);
  const x0 = <i32>(kx * operand(step, 13)) - <i32>operand(step, 15);
  for (let gy = 0; gy < gh; gy++) {
    const y = gy * <i32>operand(step, 10) + y0;
    if (y < 0 || y >= h) {
      grid += (<usize>gw) << 2;
      continue;
    }
    const row = image + ((<usize>(y * w)) << 2);
    let x = x0;
    for (let gx = 0; gx < gw; gx++) {
      if (x >= 0 && x < w) {
        const at = row + ((<usize>x) << 2);
        if (add) store<f32>(at, load<f32>(at) + load<f32>(grid));
        else store<f32>(grid, load<f32>(at));
      }
      x += strideX;
      grid += 4;
    }
  }
}

/**
 * Operands: kind (1 greatest, 2 mean of what lies inside, 3 mean with the padding as 0), x, y, planes, x's height and
 * width, kernel (2), y's height and width, stride (2), dilation (2), padding before (2), padding after (2).
 */
export function pool(step: usize): void {
  const planes = operand(step, 3);
  const size = (<usize>(operand(step, 4) * operand(step, 5))) << 2;
  const oh = operand(step, 8);
  const ow = operand(step, 9);
  let x: usize = operand(step, 1);
  let y: usize = operand(step, 2);
  for (let p: u32 = 0; p < planes; p++) {
    for (let oy: u32 = 0; oy < oh; oy++) {
      for (let ox: u32 = 0; ox < ow; ox++) {
        store<f32>(y, poolAt(step, x, oy, ox));
        y += 4;
      }
    }
    x += size;
  }
}

function poolAt(step: usize, x: usize, oy: u32, ox: u32): f32 {
  const kind = operand(step, 0);
  const h = <i32>operand(step, 4);
  const w = <i32>operand(step, 5);
  const kh = operand(step, 6);
  const kw = operand(step, 7);
  const y0 = <i32>(oy * operand(step, 10)) - <i32>operand(step, 14);
  const x0 = <i32>(ox * operand(step, 11)) - <i32>operand(step, 15);
  const bottom = h + <i32>operand(step, 16);
  const right = w + <i32>operand(step, 17);
  let best: f32 = -Infinity;
  let sum: f64 = 0;
  let count: u32 = 0;
  for (let ky: u32 = 0; ky < kh; ky++) {
    const iy = y0 + <i32>(ky * operand(step, 12));
    for (let kx: u32 = 0; kx < kw; kx++) {
      const ix = x0 + <i32>(kx * operand(step, 13));
      if (iy >= 0 && iy < h && ix >= 0 && ix < w) {
        const v = load<f32>(x + ((<usize>(iy * w + ix)) << 2));
        best = max<f32>(best, v);
        sum += <f64>v;
        count++;
      } else if (kind == 3 && iy < bottom && ix < right) {
        count++;
      }
    }
  }
  return kind == 1 ? best : <f32>(sum / <f64>count);
}
