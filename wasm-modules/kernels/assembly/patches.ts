// A convolution is a product with patches of the image, which are never written out: the image gets a frame of padding, so
// that every patch lies inside it, and a number of a patch stands where its position begins plus an offset of its own.
import { operand, optional } from './header';

/** Operands: x, y, bytes of an element, planes, x's height and width, its row and column in the frame, the frame's height and width, where a byte of padding stands (0: zeros). */
export function frame(step: usize): void {
  const width: usize = operand(step, 2);
  const planes = operand(step, 3);
  const h = operand(step, 4);
  const row = <usize>operand(step, 5) * width;
  const outer = <usize>operand(step, 9) * width;
  const plane = <usize>operand(step, 8) * outer;
  const fill: usize = operand(step, 10);
  let x: usize = operand(step, 0);
  let y: usize = operand(step, 1);
  memory.fill(y, fill == 0 ? 0 : load<u8>(fill), <usize>planes * plane);
  y += <usize>operand(step, 6) * outer + <usize>operand(step, 7) * width;
  for (let p: u32 = 0; p < planes; p++) {
    let to = y;
    for (let i: u32 = 0; i < h; i++) {
      memory.copy(to, x, row);
      x += row;
      to += outer;
    }
    y += plane;
  }
}

/** For each number of a patch, in the order of k, its bytes from where a position begins. */
export function offsetTable(step: usize, table: usize, width: usize): void {
  const kh = optional(step, 22);
  const kw = optional(step, 23);
  const rowBytes = <usize>optional(step, 30) * width;
  const plane = <usize>optional(step, 29) * rowBytes;
  const down = <usize>optional(step, 27) * rowBytes;
  const right = <usize>optional(step, 28) * width;
  const end = table + ((<usize>operand(step, 6)) << 2);
  let channel: usize = 0;
  while (table < end) {
    let line = channel;
    for (let y: u32 = 0; y < kh; y++) {
      let at = line;
      for (let x: u32 = 0; x < kw; x++) {
        store<u32>(table, at);
        table += 4;
        at += right;
      }
      line += down;
    }
    channel += plane;
  }
}

/**
 * Writes where the positions j to j + 7 of the grid begin, as addresses, into `to`; positions that do not exist repeat the
 * last. Whether all eight lie side by side in memory.
 */
export function positions(step: usize, to: usize, j: u32, width: usize): bool {
  const n = operand(step, 5);
  const grid = optional(step, 24);
  const down = <usize>optional(step, 25) * optional(step, 30) * width;
  const right = <usize>optional(step, 26) * width;
  const image: usize = operand(step, 1);
  let row = j / grid;
  let column = j % grid;
  const together = right == width && column + 8 <= grid;
  let at: usize = 0;
  for (let i: u32 = 0; i < 8; i++) {
    if (j + i < n) at = image + <usize>row * down + <usize>column * right;
    store<u32>(to, at);
    to += 4;
    column++;
    if (column == grid) {
      column = 0;
      row++;
    }
  }
  return together;
}
