/** What a module may be. The verdict of admission depends on these numbers: to change one is to fork the chain. */
export interface ModuleLimits {
  /** Bytes of the core module. */
  readonly moduleBytes: number;
  readonly types: number;
  readonly functions: number;
  /** Bytes of one function body, locals' declaration included. */
  readonly functionBytes: number;
  /** Bytes of all code; rewriting makes up to about sixteen times of it. Weights are data, not code. */
  readonly codeBytes: number;
  readonly params: number;
  readonly results: number;
  /** Parameters and declared locals of one function. */
  readonly locals: number;
  /** Declared locals of all functions: a few bytes can declare thousands. */
  readonly totalLocals: number;
  /** Blocks inside blocks in one function. */
  readonly nesting: number;
  /** Labels of one br_table, the default label excluded. */
  readonly brTableLabels: number;
  readonly globals: number;
  readonly exports: number;
  readonly tables: number;
  /** Entries of one table, also as its declared maximum bounds growth. */
  readonly tableEntries: number;
  readonly elementSegments: number;
  /** Entries of one element segment. */
  readonly elementEntries: number;
  readonly dataSegments: number;
  readonly customSections: number;
  /** Bytes of an import or export name. */
  readonly nameBytes: number;
  /** 64 KiB pages: the declared minimum may not exceed it, growth beyond it fails. */
  readonly memoryPages: number;
}

export const MODULE_LIMITS: ModuleLimits = {
  moduleBytes: 64 << 20,
  types: 1_000,
  functions: 10_000,
  functionBytes: 256 << 10,
  codeBytes: 8 << 20,
  params: 64,
  results: 16,
  locals: 2_000,
  totalLocals: 200_000,
  nesting: 1_000,
  brTableLabels: 8_192,
  globals: 500,
  exports: 64,
  tables: 4,
  tableEntries: 65_536,
  elementSegments: 1_000,
  elementEntries: 65_536,
  dataSegments: 10_000,
  customSections: 64,
  nameBytes: 256,
  memoryPages: 4_096,
};

/** What one call may do. */
export interface CallLimits {
  /** Bytes of the input. */
  readonly inputBytes: number;
  /** Bytes of an `ok` output; a longer one is a guest error. */
  readonly outputBytes: number;
  /** 64 KiB pages that the memory may reach. */
  readonly memoryPages: number;
}

export const CALL_LIMITS: CallLimits = { inputBytes: 16 << 20, outputBytes: 16 << 20, memoryPages: 4_096 };

/** Bytes of the message of `err(string)`; a longer one is a guest error of its own. */
export const MAX_ERROR_BYTES = 4_096;

/** Bytes of the JSON that `describe` returns. */
export const MAX_DESCRIBE_BYTES = 64 << 10;

/** Gas that `describe` may use. */
export const DESCRIBE_GAS = 1_000_000_000n;

/** Far above any block's gas, far below where a signed 64-bit counter could wrap around. */
export const MAX_GAS_LIMIT = 1_000_000_000_000_000n;

/** Sum of the weights of the frames on the stack (units: about one machine word each). */
export const MAX_STACK_WEIGHT = 32_768;

/** What every frame weighs before its locals, operands and loads: return address, saved registers, instance pointer. */
export const FRAME_WEIGHT = 8;

/** Bytes of a memory page (WebAssembly core specification 2.0, 4.2.8). */
export const PAGE_BYTES = 65_536;

/** Pages of a memory of 32-bit addresses. */
export const MAX_PAGES = 65_536;
