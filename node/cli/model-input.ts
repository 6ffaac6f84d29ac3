/** What a person gives a model, and what he gets of it: files and JSON on one side, a request's and an answer's bytes on the other. */
import { fromHex } from '#core/bytes.ts';
import {
  type Description,
  decodeAnswer,
  encodeRequest,
  pictureOf,
  textInput,
  textOf,
} from '#wasm-modules/description.ts';
import { showText, textBytes } from '#wasm-modules/text.ts';
import { CliError, orFail } from './context.ts';
import { decodePicture, encodePicture, type PictureFormat, type Pixels, pictureFormat } from './pictures.ts';
import { readBytes } from './read-bytes.ts';

export const INPUT_HELP =
  'a file, a .png or .jpg, a .json file or {…} with the model’s inputs, hex:…, or for a model of texts the text (a .txt file, text:…)';
export const OUT_HELP =
  'where the output goes: a .png or .jpg of a picture, a .json of tensors, a .txt, else the bytes';

/**
 * `hex:04e8…`, a .png or .jpg of the shape that the model's one input has, a .json file or text with a property for each
 * input of the model; for a model that takes a text, `text:…`, a .txt file, or whatever begins with none of these; for any
 * other, any other file as it is.
 */
export async function readModelInput(text: string, describe: () => Promise<Description>): Promise<Uint8Array> {
  if (text.startsWith('hex:')) return hexInput(text, '--input');
  const bare = text.startsWith('text:');
  const format = bare ? undefined : pictureFormat(text);
  if (format !== undefined) return pixelsOf(await readBytes(text), text, format, await describe());
  const inline = text.trimStart().startsWith('{');
  if (bare || (!inline && !text.endsWith('.json'))) return textOrFile(text, bare, await describe());
  const source = inline ? text : new TextDecoder().decode(await readBytes(text));
  let request: unknown;
  try {
    request = JSON.parse(source);
  } catch {
    throw new CliError(`--input: ${inline ? 'what begins with {' : text} is not JSON`);
  }
  return orFail(encodeRequest(await describe(), request), '--input');
}

function hexInput(text: string, flag: string): Uint8Array {
  try {
    return fromHex(text.slice('hex:'.length), flag);
  } catch (error) {
    throw new CliError(error instanceof Error ? error.message : String(error));
  }
}

/** `hex:04e8…`, or a file as it is. */
export async function bytesInput(text: string, flag: string): Promise<Uint8Array> {
  return text.startsWith('hex:') ? hexInput(text, flag) : readBytes(text);
}

async function textOrFile(given: string, bare: boolean, description: Description): Promise<Uint8Array> {
  const field = textInput(description);
  if (field === undefined) {
    if (!bare) return readBytes(given);
    const names = description.inputs.map(({ name }) => name).join(', ');
    throw new CliError(`--input: the model does not take a text alone but ${names}`);
  }
  const text = bare ? given.slice('text:'.length) : given.endsWith('.txt') ? await readText(given) : given;
  return orFail(encodeRequest(description, { [field.name]: text }), '--input');
}

async function readText(path: string): Promise<string> {
  const bytes = await readBytes(path);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new CliError(`${path} is no text in UTF-8`);
  }
}

/** A picture's bytes, for a model whose only input is a picture of bytes of that size. */
function pixelsOf(file: Uint8Array, name: string, format: PictureFormat, { inputs }: Description): Uint8Array {
  const [only] = inputs;
  const [height = 0, width = 0, channels = 0] = only?.shape ?? [];
  if (only?.dtype !== 'uint8' || inputs.length !== 1 || only.shape.length !== 3 || ![1, 3, 4].includes(channels))
    throw new CliError(
      `${name}: a picture goes to a model whose one input is uint8 of height, width and 1, 3 or 4 channels; this one takes ${inputs.map(shapeText).join(', ')}`,
    );
  const pixels = decodePicture(file, name, format, { width, height });
  const out = new Uint8Array(width * height * channels);
  for (let i = 0; i < width * height; i++)
    for (let c = 0; c < channels; c++) out[i * channels + c] = channelOf(pixels, i, c);
  return out;
}

/** `photo (float32 of 1 x 3 x 32 x 32)`. */
function shapeText({ name, dtype, shape }: Description['inputs'][number]): string {
  return `${name} (${dtype} of ${shape.join(' x ')})`;
}

/** Grey counts for every colour; what is not transparent says nothing of it. */
function channelOf({ data, channels }: Pixels, pixel: number, channel: number): number {
  const colours = channels < 3 ? 1 : 3;
  if (channel === 3) return channels === 2 || channels === 4 ? (data[(pixel + 1) * channels - 1] ?? 0) : 255;
  return data[pixel * channels + Math.min(channel, colours - 1)] ?? 0;
}

/** The answer as the file's ending asks: .png, .jpg, .json, .txt (without the zeros behind it), else the bytes. */
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
  if (path.endsWith('.txt')) {
    const text = textOf(description, answer);
    if (text === undefined) throw new CliError('the model’s output is no text: give --out another ending');
    return textBytes(text);
  }
  const format = pictureFormat(path);
  if (format === undefined) return answer;
  const picture = pictureOf(description, answer);
  if (picture === undefined) throw new CliError('the model’s output is no picture: give --out another ending');
  return encodePicture(picture, format, scale);
}

/** The answer of a model whose output is a text, for a terminal. */
export function answerText(answer: Uint8Array, description: Description): string | undefined {
  const text = textOf(description, answer);
  return text === undefined ? undefined : showText(text);
}
