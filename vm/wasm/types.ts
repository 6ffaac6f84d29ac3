/** Value types by their binary code (WebAssembly core specification 2.0, 5.3). */
export const I32 = 0x7f;
export const I64 = 0x7e;
export const F32 = 0x7d;
export const F64 = 0x7c;
export const V128 = 0x7b;
export const FUNCREF = 0x70;
export const EXTERNREF = 0x6f;

/** One of the codes above. */
export type ValType = number;

export function isNumberOrVector(type: number): boolean {
  return type >= V128 && type <= I32;
}

/** Machine words that a value of this type takes in a frame. */
export function slotsOf(type: ValType): number {
  return type === V128 ? 2 : 1;
}

const NAMES: Readonly<Record<number, string>> = {
  [I32]: 'i32',
  [I64]: 'i64',
  [F32]: 'f32',
  [F64]: 'f64',
  [V128]: 'v128',
  [FUNCREF]: 'funcref',
  [EXTERNREF]: 'externref',
  0: 'any',
};

export function typeName(type: number): string {
  return NAMES[type] ?? `0x${type.toString(16)}`;
}

export interface FuncType {
  readonly params: readonly ValType[];
  readonly results: readonly ValType[];
}

export function showFuncType(type: FuncType): string {
  return `(${type.params.map(typeName).join(', ')}) -> (${type.results.map(typeName).join(', ')})`;
}

export function sameFuncType(a: FuncType, b: FuncType): boolean {
  return sameTypes(a.params, b.params) && sameTypes(a.results, b.results);
}

function sameTypes(a: readonly ValType[], b: readonly ValType[]): boolean {
  return a.length === b.length && a.every((type, i) => type === b[i]);
}

export interface Limits {
  readonly min: number;
  readonly max: number | undefined;
}

export interface GlobalType {
  readonly type: ValType;
  readonly mutable: boolean;
}

/** Half-open range of offsets in the module's bytes. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

export type ExternKind = 'func' | 'table' | 'memory' | 'global';

export type ImportDesc =
  | { readonly kind: 'func'; readonly type: number }
  | { readonly kind: 'table'; readonly limits: Limits }
  | { readonly kind: 'memory'; readonly limits: Limits }
  | { readonly kind: 'global'; readonly global: GlobalType };

export interface Import {
  readonly module: string;
  readonly name: string;
  readonly desc: ImportDesc;
}

export interface Export {
  readonly name: string;
  readonly kind: ExternKind;
  readonly index: number;
}

export interface Global {
  readonly global: GlobalType;
  /** The constant expression with its end byte. */
  readonly init: Range;
}

/** Where an active segment goes; `undefined` when its offset is the value of an imported global. */
export interface Placement {
  readonly index: number;
  readonly offset: number | undefined;
}

export interface ElementSegment {
  /** Passive and declarative segments have none. */
  readonly active: Placement | undefined;
  readonly length: number;
}

export interface DataSegment {
  readonly active: Placement | undefined;
  readonly length: number;
}

export interface FunctionBody {
  /** The instructions, after the locals' declaration, with the end byte. */
  readonly code: Range;
  /** The locals' declaration. */
  readonly localsRange: Range;
  /** Declared locals, parameters excluded. */
  readonly locals: readonly ValType[];
}

/** A module that has parsed. Index spaces hold imports first. Nothing in it has been type-checked. */
export interface Module {
  readonly bytes: Uint8Array;
  readonly types: readonly FuncType[];
  readonly imports: readonly Import[];
  /** Type index of each function. */
  readonly functions: readonly number[];
  readonly tables: readonly Limits[];
  readonly memories: readonly Limits[];
  readonly globalTypes: readonly GlobalType[];
  readonly importedFunctions: number;
  readonly importedGlobals: number;
  readonly importedTables: number;
  readonly importedMemories: number;
  /** Defined globals. */
  readonly globals: readonly Global[];
  readonly exports: readonly Export[];
  readonly elements: readonly ElementSegment[];
  readonly dataCount: number | undefined;
  readonly bodies: readonly FunctionBody[];
  readonly data: readonly DataSegment[];
  /** Contents of the sections that stay as they are, by section id. */
  readonly sections: ReadonlyMap<number, Range>;
}
