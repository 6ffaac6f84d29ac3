/** What a rewritten module exports for its host. The prefix is reserved: no model's own export may begin with it. */
export const RESERVED_PREFIX = 'autonomy:';

export const RESERVED = {
  /** Mutable i64: gas left, set by the host before a call; negative after it ran out. */
  gas: 'autonomy:gas',
  /** Mutable i32: why the rewriter's own code trapped, see {@link TRAP}. */
  trap: 'autonomy:trap',
  /** Mutable i32: sum of the weights of the frames on the stack. */
  depth: 'autonomy:depth',
  /** The memory, where the module has one. */
  memory: 'autonomy:memory',
  /** `(i32) -> i64`: the n-th word of the module's own globals in index order; a v128 has two, the low half first. */
  global: 'autonomy:global',
} as const;

/** Values of the trap global. 0 after a trap: the engine trapped on a rule of WebAssembly. */
export const TRAP = {
  none: 0,
  outOfGas: 1,
  stackOverflow: 2,
  unreachable: 3,
  /** The engine refused a growth that the rules allow: never a result, always a host fault. */
  growthRefused: 4,
} as const;
