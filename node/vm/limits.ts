/** Limits of the pool of child processes. None of them can change a result, only whether this host has one in time. */
export const VM_LIMITS = {
  /** Compiled models that a child keeps. */
  cachedModels: 16,
  /** Tasks waiting for a child. */
  queuedTasks: 1_024,
  /** Times that a task is tried anew after its child ended under it. */
  retries: 1,
  /** V8's heap in a child, MiB; models' memories are outside it, bounded by their page limit. */
  heapMiB: 512,
  /** V8's stack in a child, KiB: far more than the stack weight limit can need. */
  stackKiB: 3_072,
  /** Of a component that is handed to a child in one turn of the event loop, bytes: a fraction of a millisecond. */
  partBytes: 1 << 20,
  /** To admit, rewrite and compile a model, ms. */
  loadTimeoutMs: 120_000,
  /** A call may take this, ms … */
  callTimeoutMs: 10_000,
  /** … and this for each 10⁹ gas of its limit, ms: ten times what the worst program takes on the reference core. */
  callTimeoutMsPerGigagas: 60_000,
} as const;
