/** What a person gives a model, and what he gets of it: files and JSON on one side, a request's and an answer's bytes on the other. */
import { decode } from 'fast-png';
import { fromHex } from '#core/bytes.ts';
import { type Description, decodeAnswer, encodeRequest, pictureOf } from '#wasm-modules/description.ts';
import { pngOf } from '../client/picture.ts';
import { CliError, orFail } from './context.ts';
import { readBytes } from './read-bytes.ts';

export const INPUT_HELP = 'a file, a .png, a .json file or {…} with the model’s inputs, or hex:…';

/**
 * `hex:04e8…`, a .png of the shape that the model's one input has, a .json file or text with a property for each input of
 * the model, or any other file as it is.
 */
export async function readModelInput(text: string, describe: () => Promise<Description>): Promise<Uint8Array> {
  if (text.startsWith('hex:')) {
    try {
      return fromHex(text.slice(4), '--input');
    } catch (error) {
      throw new CliError(error instanceof Error ? error.message : String(error));
    }
  }
  if (text.endsWith('.png')) return pixelsOf(await readBytes(text), text, await describe());
  const inline = text.trimStart().startsWith('{');
  if (!inline && !text.endsWith('.json')) return readBytes(text);
  const source = inline ? text : new TextDecoder().decode(await readBytes(text));
  let request: unknown;
  try {
    request = JSON.parse(source);
  } catch {
    throw new CliError(`--input: ${inline ? 'what begins with {' : text} is not JSON`);
  }
  return orFail(encodeRequest(await describe(), request), '--input');
}

/** A picture's bytes, for a model whose only input is a picture of bytes of that size. */
function pixelsOf(file: Uint8Array, name: string, { inputs }: Description): Uint8Array {
  const [only] = inputs;
  const [height, width, channels = 0] = only?.shape ?? [];
  if (only?.dtype !== 'uint8' || inputs.length !== 1 || only.shape.length !== 3 || ![1, 3, 4].includes(channels))
    throw new CliError(
      `--input: the model does not take a picture but ${inputs.map((input) => input.name).join(', ')}`,
    );
  let png: ReturnType<typeof decode>;
  try {
    png = decode(file);
  } catch (error) {
    throw new CliError(`${name} is no PNG: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (png.width !== width || png.height !== height || png.depth !== 8)
    throw new CliError(
      `${name} has ${png.width} x ${png.height} pixels of ${png.depth} bits; the model takes ${width} x ${height} of 8`,
    );
  const out = new Uint8Array(width * height * channels);
  for (let i = 0; i < width * height; i++)
    for (let c = 0; c < channels; c++) out[i * channels + c] = channelOf(png, i, c);
  return out;
}

/** Grey counts for every colour; what is not transparent says nothing of it. */
function channelOf({ data, channels }: ReturnType<typeof decode>, pixel: number, channel: number): number {
  const colours = channels < 3 ? 1 : 3;
  if (channel === 3) return channels === 2 || channels === 4 ? (data[(pixel + 1) * channels - 1] ?? 0) : 255;
  return data[pixel * channels + Math.min(channel, colours - 1)] ?? 0;
}

/** The answer as the file's ending asks: .png, .json, else the bytes. */
export function answerFile(
  path: string,
  answer: Uint8Array,
  description: Description,
  scale: number,
): Uint8Array | string {
  if (path.endsWith('.json')) {
    const value = orFail(decodeAnswer(description, answer), 'the model’s answer');
    return `${JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? String(item) : item))}\n`;
  }
  if (!path.endsWith('.png')) return answer;
  const picture = pictureOf(description, answer);
  if (picture === undefined) throw new CliError('the model’s output is no picture: give --out another ending');
  return pngOf(picture, scale);
}
