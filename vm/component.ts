/**
 * The component around a core module. A model's component is the template of its world and nothing else: the bytes before
 * and after the core module are pinned, so there is no second parser of a second format to attack, and nothing for two
 * readers to disagree about.
 */
import { concat, equal, fromHex } from '#core/bytes.ts';
import { vmError } from '#core/errors.ts';
import { err, ok, type Result } from '#core/result.ts';
import { MODULE_LIMITS, type ModuleLimits } from './limits.ts';
import { parseModule, SECTION } from './wasm/parse.ts';
import { reader, refusals, u32 } from './wasm/reader.ts';
import { type Export, type FuncType, I32, I64, type Module, sameFuncType, showFuncType } from './wasm/types.ts';
import { put, putBytes, putName, putSized, putU32, writer, written } from './wasm/writer.ts';

export const MODEL_WIT = `package autonomy:model@1.0.0;

world model {
  export describe: func() -> string;
  export infer: func(input: list<u8>, seed: u64) -> result<list<u8>, string>;
}

world trainable-model {
  include model;
  export train-step: func(weights: list<u8>, data: list<u8>, seed: u64) -> result<list<u8>, string>;
}
`;

/** What a component offers: inference alone, or a step of training too. */
export type World = 'model' | 'trainable-model';
export const WORLDS: readonly World[] = ['model', 'trainable-model'];

/** Component preamble ("\0asm", version 0d, layer 1) and the id of the core module section. */
const HEAD = fromHex('0061736d0d00010001');

/**
 * What follows the core module, one section a line. wit-component 0.259 makes it from {@link MODEL_WIT}, then adds two
 * custom sections, which the template leaves out; a test makes it again and compares.
 */
const MODEL_TAIL = fromHex(
  [
    '020401000000', // instantiate the core module, without imports
    '060c0100020100066d656d6f7279', // alias its export "memory"
    '07050140000073', // type: func() -> string
    '060e0100000100086465736372696265', // alias "describe"
    '0809010000000203000000', // lift it, with memory 0, UTF-8
    '0b0e0100086465736372696265010000', // export "describe"
    '071903707d6a01010173400205696e707574010473656564770002', // types: list<u8>, result<list<u8>, string>, func
    '061c020000010005696e666572000001000c636162695f7265616c6c6f63', // alias "infer" and "cabi_realloc"
    '080b0100000103030004020003', // lift it, with memory 0, realloc, UTF-8
    '0b0b010005696e666572010200', // export "infer"
  ].join(''),
);

const TRAINABLE_TAIL = fromHex(
  [
    '020401000000', // instantiate the core module, without imports
    '060c0100020100066d656d6f7279', // alias its export "memory"
    '072103707d6a0100017340030777656967687473000464617461000473656564770001', // types: list<u8>, result<list<u8>, string>, func
    '062102000001000a747261696e2d73746570000001000c636162695f7265616c6c6f63', // alias "train-step" and "cabi_realloc"
    '080b0100000003030004010002', // lift it, with memory 0, realloc, UTF-8
    '0b1001000a747261696e2d73746570010000', // export "train-step"
    '07050140000073', // type: func() -> string
    '060e0100000100086465736372696265', // alias "describe"
    '0809010000020203000003', // lift it
    '0b0e0100086465736372696265010200', // export "describe"
    '071201400205696e707574000473656564770001', // type: func(input, seed)
    '060b010000010005696e666572', // alias "infer"
    '080b0100000303030004010004', // lift it
    '0b0b010005696e666572010400', // export "infer"
  ].join(''),
);

const TAILS: Readonly<Record<World, Uint8Array>> = { model: MODEL_TAIL, 'trainable-model': TRAINABLE_TAIL };

/** Functions that the core module exports, with their types in core WebAssembly: see `docs/model-abi.md`. */
const MODEL_FUNCTIONS: Readonly<Record<string, FuncType>> = {
  cabi_realloc: { params: [I32, I32, I32, I32], results: [I32] },
  describe: { params: [], results: [I32] },
  infer: { params: [I32, I32, I64], results: [I32] },
};

export const TRAIN_STEP = 'train-step';

const FUNCTIONS: Readonly<Record<World, Readonly<Record<string, FuncType>>>> = {
  model: MODEL_FUNCTIONS,
  'trainable-model': { ...MODEL_FUNCTIONS, [TRAIN_STEP]: { params: [I32, I32, I32, I32, I64], results: [I32] } },
};

const MEMORY = 'memory';
const exportsOf = (world: World): readonly string[] => [MEMORY, ...Object.keys(FUNCTIONS[world])];

function putLength(length: number): Uint8Array {
  const w = writer(8);
  putU32(w, length);
  return written(w);
}

/** The component around a core module, which is taken as it is. */
export function wrapComponent(coreModule: Uint8Array, world: World = 'model'): Uint8Array {
  return concat(HEAD, putLength(coreModule.length), coreModule, TAILS[world]);
}

/** The core module inside a component, if the rest is the template of a world. */
export function unwrapComponent(
  component: Uint8Array,
): Result<{ readonly coreModule: Uint8Array; readonly world: World }> {
  const refused = (at: number, what: string): Result<never> =>
    err(vmError('template', `offset ${at}: ${what}; only the component of "autond model package" is accepted`));
  if (!equal(component.subarray(0, HEAD.length), HEAD))
    return refused(0, 'expected a component (preamble 0061736d 0d000100) that begins with a core module');
  const r = reader(component, HEAD.length, component.length);
  const length = refusals(() => u32(r, 'the length of the core module'));
  if (!length.ok) return length;
  const start = HEAD.length + putLength(length.value).length;
  if (r.at !== start) return refused(HEAD.length, 'the length of the core module expected in its shortest form');
  const end = start + length.value;
  if (end > component.length)
    return refused(start, `core module of ${length.value} bytes, found ${component.length - start}`);
  const world = WORLDS.find((candidate) => equal(component.subarray(end), TAILS[candidate]));
  if (world === undefined) {
    const templates = WORLDS.map((name) => `the ${TAILS[name].length} bytes of the template of world ${name}`);
    return refused(end, `expected ${templates.join(' or ')}`);
  }
  return ok({ coreModule: component.subarray(start, end), world });
}

function functionType(module: Module, item: Export): FuncType | undefined {
  return item.kind === 'func' ? module.types[module.functions[item.index] ?? -1] : undefined;
}

function checkExport(module: Module, world: World, wanted: string): Result<Export> {
  const refused = (message: string): Result<never> => err(vmError('interface', `export "${wanted}": ${message}`));
  const item = module.exports.find((candidate) => candidate.name === wanted);
  if (item === undefined) return refused('expected, found none of that name');
  const expected = FUNCTIONS[world][wanted];
  if (expected === undefined)
    return item.kind === 'memory' ? ok(item) : refused(`expected a memory, found a ${item.kind}`);
  const found = functionType(module, item);
  if (found === undefined) return refused(`expected a function, found a ${item.kind}`);
  if (!sameFuncType(found, expected))
    return refused(`expected type ${showFuncType(expected)}, found ${showFuncType(found)}`);
  return ok(item);
}

/** Whether the module's exports are exactly those of the world; answers them in the ABI's order. */
export function checkInterface(module: Module, world: World): Result<readonly Export[]> {
  const wanted = exportsOf(world);
  const extra = module.exports.find((item) => !wanted.includes(item.name));
  if (extra !== undefined)
    return err(vmError('interface', `export ${JSON.stringify(extra.name)}: expected only ${wanted.join(', ')}`));
  return abiExports(module, world);
}

function abiExports(module: Module, world: World): Result<readonly Export[]> {
  const found: Export[] = [];
  for (const wanted of exportsOf(world)) {
    const item = checkExport(module, world, wanted);
    if (!item.ok) return item;
    found.push(item.value);
  }
  return ok(found);
}

/** The same module without custom sections and with these exports alone. */
function slim(module: Module, exports: readonly Export[]): Uint8Array {
  const out = writer(module.bytes.length + 64);
  putBytes(out, module.bytes.subarray(0, 8));
  for (const [id, range] of module.sections) {
    put(out, id);
    if (id === SECTION.export) {
      const w = writer();
      putU32(w, exports.length);
      for (const item of exports) {
        putName(w, item.name);
        put(w, item.kind === 'memory' ? 2 : 0);
        putU32(w, item.index);
      }
      putSized(out, written(w));
    } else putSized(out, module.bytes.subarray(range.start, range.end));
  }
  return written(out).slice();
}

/**
 * Makes a model's component of a core module from any toolchain: drops custom sections and exports that the ABI does
 * not have (`cabi_post_*`, `_start`, allocator symbols …). A module that must be initialised by a call is refused; one that
 * exports `train-step` becomes a trainable model. The result still has to pass admission.
 */
export function packageModel(coreModule: Uint8Array, limits: ModuleLimits = MODULE_LIMITS): Result<Uint8Array> {
  const parsed = parseModule(coreModule, { limits: { ...limits, exports: 10_000, customSections: 10_000 } });
  if (!parsed.ok) return parsed;
  if (parsed.value.exports.some((item) => item.name === '_initialize'))
    return err(
      vmError(
        'interface',
        'export "_initialize": a model is never initialised by a call; build it as a reactor without it',
      ),
    );
  const world = parsed.value.exports.some((item) => item.name === TRAIN_STEP) ? 'trainable-model' : 'model';
  const exports = abiExports(parsed.value, world);
  return exports.ok ? ok(wrapComponent(slim(parsed.value, exports.value), world)) : exports;
}
