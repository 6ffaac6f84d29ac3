/** A picture of interleaved RGB bytes. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** Every pixel becomes a square of `factor` pixels. */
export function enlarge({ width, height, data }: Picture, factor: number): Picture {
  const out = new Uint8Array(width * height * factor * factor * 3);
  for (let y = 0; y < height * factor; y++) {
    for (let x = 0; x < width * factor; x++) {
      const from = (Math.floor(y / factor) * width + Math.floor(x / factor)) * 3;
      out.set(data.subarray(from, from + 3), (y * width * factor + x) * 3);
    }
  }
  return { width: width * factor, height: height * factor, data: out };
}

/** Pictures of one size side by side, `columns` in a row. */
export function contactSheet(pictures: readonly Picture[], columns: number): Picture {
  const [{ width, height }] = pictures as readonly [Picture];
  const rows = Math.ceil(pictures.length / columns);
  const out = new Uint8Array(width * columns * height * rows * 3);
  pictures.forEach(({ data }, i) => {
    const left = (i % columns) * width;
    const top = Math.floor(i / columns) * height;
    for (let y = 0; y < height; y++) {
      out.set(data.subarray(y * width * 3, (y + 1) * width * 3), ((top + y) * width * columns + left) * 3);
    }
  });
  return { width: width * columns, height: height * rows, data: out };
}

interface Point {
  readonly step: number;
  readonly loss: number;
}

/** The loss over the steps as an SVG, the loss on a logarithmic scale. */
export function lossCurveSvg(curve: readonly Point[], title: string): string {
  const [width, height, left, top, bottom] = [720, 360, 64, 32, 36];
  const last = curve.at(-1)?.step ?? 1;
  const exponents = curve.map((point) => Math.log10(point.loss));
  const low = Math.floor(Math.min(...exponents) * 4) / 4;
  const high = Math.ceil(Math.max(...exponents) * 4) / 4;
  const x = (step: number): number => left + (step / last) * (width - left - 16);
  const y = (exponent: number): number => top + ((high - exponent) / (high - low)) * (height - top - bottom);
  const line = curve.map((point, i) => `${x(point.step).toFixed(1)},${y(exponents[i] ?? 0).toFixed(1)}`).join(' ');
  const marks: string[] = [];
  for (let e = low; e <= high + 1e-9; e += 0.25) {
    marks.push(
      `<line x1="${left}" x2="${width - 16}" y1="${y(e).toFixed(1)}" y2="${y(e).toFixed(1)}" stroke="#ddd"/>`,
      `<text x="${left - 6}" y="${(y(e) + 4).toFixed(1)}" text-anchor="end">${(10 ** e).toPrecision(2)}</text>`,
    );
  }
  for (let i = 0; i <= 4; i++) {
    const step = Math.round((last * i) / 4);
    marks.push(`<text x="${x(step).toFixed(1)}" y="${height - 12}" text-anchor="middle">${step}</text>`);
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="#333">`,
    `<title>${title}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="${left}" y="20" font-size="14">${title}</text>`,
    ...marks,
    `<polyline points="${line}" fill="none" stroke="#2563eb" stroke-width="2"/>`,
    '</svg>',
    '',
  ].join('\n');
}
