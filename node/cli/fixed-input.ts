import { InvalidArgumentError } from 'commander';
import type { Tensor } from '#wasm-modules/onnx/model.ts';

/** `name=1,2,3`, an int64 tensor of one dimension (`name=1`: still one), added to what was given before. */
export function fixedInput(text: string, before?: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor> {
  const [, name, list] = /^([^=]+)=(-?\d{1,18}(?:,-?\d{1,18})*)$/.exec(text) ?? [];
  if (name === undefined || list === undefined)
    throw new InvalidArgumentError('expected the name of an input and whole numbers, such as axes=0,1');
  if (before?.has(name) === true) throw new InvalidArgumentError(`${name} is fixed twice`);
  const numbers = list.split(',').map(BigInt);
  const data = new Uint8Array(BigInt64Array.from(numbers).buffer);
  return new Map([...(before ?? []), [name, { name, dtype: 'int64', dims: [numbers.length], data }]]);
}
