/** Picture files on one side, a model's interleaved bytes on the other. A file may come from anywhere. */
import { inflateSync } from 'node:zlib';
import { decode as decodePng } from 'fast-png';
import { decode as decodeJpeg, encode as encodeJpeg } from 'jpeg-js';
import { concat } from '#core/bytes.ts';
import type { DescribedPicture } from '#wasm-modules/description.ts';
import { enlarged, pngOf } from '../client/picture.ts';
import { NODE_LIMITS } from '../limits.ts';
import { CliError } from './context.ts';

const FORMATS = { '.png': 'PNG', '.jpg': 'JPEG', '.jpeg': 'JPEG' } as const;
export type PictureFormat = (typeof FORMATS)[keyof typeof FORMATS];

/** What the ending of a file's name says. */
export function pictureFormat(name: string): PictureFormat | undefined {
  const ending = Object.keys(FORMATS).find((candidate) => name.toLowerCase().endsWith(candidate));
  return ending === undefined ? undefined : FORMATS[ending as keyof typeof FORMATS];
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/** Pixels of 8 bits: grey, grey and opacity, RGB or RGBA. */
export interface Pixels extends Size {
  readonly channels: number;
  readonly data: ArrayLike<number>;
}

/** Its sides are numbers of two bytes (ITU-T T.81, B.2.2). */
const MAX_JPEG_SIDE = 65_535;
/** Quality of a JPEG that is written: of 100. */
const QUALITY = 95;
/** What decoding a JPEG may take: over twice what an honest one needs, whatever it says of its components. */
const JPEG_MEGABYTES = { least: 16, perMegapixel: 64 } as const;

/**
 * The pixels of a picture of exactly the size that the model takes. The size is read from the file's head before anything is
 * decoded: a few bytes can claim to be a picture of gigabytes.
 * @throws CliError that names the file
 */
export function decodePicture(file: Uint8Array, name: string, format: PictureFormat, wanted: Size): Pixels {
  const { maxPictureBytes } = NODE_LIMITS;
  if (file.length > maxPictureBytes)
    throw new CliError(`${name} has ${file.length} bytes; a picture of at most ${maxPictureBytes} is read`);
  const size = format === 'PNG' ? pngSize(file) : jpegSize(file);
  if (size === undefined) throw new CliError(`${name} is no ${format}: its head says no size`);
  const fits = size.width === wanted.width && size.height === wanted.height;
  const pixels = fits ? orRefuse(name, format, () => decodeWhole(file, format, size)) : { ...size, depth: 8 };
  if (pixels.width !== wanted.width || pixels.height !== wanted.height || pixels.depth !== 8 || !('data' in pixels))
    throw new CliError(
      `${name} has ${pixels.width} x ${pixels.height} pixels of ${pixels.depth} bits; the model takes ${wanted.width} x ${wanted.height} of 8`,
    );
  return pixels;
}

function decodeWhole(file: Uint8Array, format: PictureFormat, size: Size): Pixels & { readonly depth: number } {
  if (format === 'PNG') return decodePng(essentialPng(file, size));
  const scans = countScans(file);
  if (scans > NODE_LIMITS.maxJpegScans)
    throw new Error(`${scans} scans; at most ${NODE_LIMITS.maxJpegScans} are decoded`);
  const megapixels = (size.width * size.height) / 1e6;
  const { width, height, data } = decodeJpeg(file, {
    useTArray: true,
    formatAsRGBA: false,
    tolerantDecoding: false,
    maxResolutionInMP: megapixels,
    maxMemoryUsageInMB: JPEG_MEGABYTES.least + JPEG_MEGABYTES.perMegapixel * megapixels,
  });
  return { width, height, depth: 8, channels: 3, data };
}

/** Chunks without which the pixels are not to be had. Others may hold compressed texts and profiles of any size. */
const ESSENTIAL: ReadonlySet<string> = new Set(['IHDR', 'PLTE', 'tRNS', 'IDAT', 'IEND']);
const SIGNATURE_BYTES = 8;

/**
 * The file without what does not make its pixels, once it is known that those inflate to what a picture of that size has at
 * most: 16 bits each of four channels, a byte a row and some for interlacing.
 */
function essentialPng(file: Uint8Array, { width, height }: Size): Uint8Array {
  const parts = [file.subarray(0, SIGNATURE_BYTES)];
  const pixels: Uint8Array[] = [];
  for (let at = SIGNATURE_BYTES; at + 12 <= file.length; ) {
    const end = at + 12 + u32(file, at);
    const type = String.fromCharCode(...file.subarray(at + 4, at + 8));
    if (end > file.length) throw new Error(`chunk ${JSON.stringify(type)} reaches beyond the file`);
    // The decoder would go by the last head; what was looked at is the first.
    if (type === 'IHDR' && at !== SIGNATURE_BYTES) throw new Error('a second chunk "IHDR"');
    if (ESSENTIAL.has(type)) parts.push(file.subarray(at, end));
    if (type === 'IDAT') pixels.push(file.subarray(at + 8, end - 4));
    at = end;
  }
  inflateSync(concat(...pixels), { maxOutputLength: (width * 8 + 8) * (height + 8) });
  return concat(...parts);
}

/** A progressive JPEG passes over the whole picture once a scan, and a scan may have a dozen bytes. */
function countScans(file: Uint8Array): number {
  let scans = 0;
  for (let at = file.indexOf(0xff); at >= 0; at = file.indexOf(0xff, at + 1)) scans += Number(file[at + 1] === 0xda);
  return scans;
}

function orRefuse<T>(name: string, format: PictureFormat, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    throw new CliError(`${name} is no ${format}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const u16 = (file: Uint8Array, at: number): number => ((file[at] ?? 0) << 8) | (file[at + 1] ?? 0);
const u32 = (file: Uint8Array, at: number): number => u16(file, at) * 65_536 + u16(file, at + 2);

/** Width and height of the first chunk (PNG specification, 11.2.1). */
function pngSize(file: Uint8Array): Size | undefined {
  const head = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
  if (file.length < 24 || head.some((byte, i) => file[i] !== byte)) return undefined;
  return { width: u32(file, 16), height: u32(file, 20) };
}

/** Width and height of the first frame (ITU-T T.81, B.2.2): segments follow each other, each with its length. */
function jpegSize(file: Uint8Array): Size | undefined {
  if (u16(file, 0) !== 0xffd8) return undefined;
  for (let at = 2; at + 9 <= file.length && file[at] === 0xff; ) {
    const marker = file[at + 1] ?? 0;
    // Any number of 0xff may stand before a marker.
    if (marker === 0xff) {
      at++;
      continue;
    }
    const frame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (frame) return { height: u16(file, at + 5), width: u16(file, at + 7) };
    const length = u16(file, at + 2);
    if (length < 2) return undefined;
    at += 2 + length;
  }
  return undefined;
}

/** The file of a picture, each pixel a square of `scale` pixels. */
export function encodePicture(picture: DescribedPicture, format: PictureFormat, scale: number): Uint8Array {
  const [wide, high] = [picture.width * scale, picture.height * scale];
  if (wide * high > NODE_LIMITS.maxPicturePixels)
    throw new CliError(
      `a picture of ${wide} × ${high}: at most ${NODE_LIMITS.maxPicturePixels} pixels; give a smaller --scale`,
    );
  if (format === 'JPEG' && Math.max(wide, high) > MAX_JPEG_SIDE)
    throw new CliError(
      `a picture of ${wide} × ${high}: a JPEG has at most ${MAX_JPEG_SIDE} on a side; write a PNG instead`,
    );
  if (format === 'PNG') return pngOf(picture, scale);
  const { width, height, channels, data } = enlarged(picture, scale);
  const rgba = new Uint8Array(width * height * 4).fill(255);
  for (let i = 0; i < width * height; i++)
    for (let c = 0; c < 3; c++) rgba[i * 4 + c] = data[i * channels + Math.min(c, channels - 1)] ?? 0;
  return new Uint8Array(encodeJpeg({ width, height, data: rgba }, QUALITY).data);
}
