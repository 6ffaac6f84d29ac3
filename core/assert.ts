/** A broken assertion is a bug in this program, never a consequence of input: the node stops on it. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Ends an exhaustive `switch`; a new kind that is not handled fails to compile. */
export function assertNever(value: never, what: string): never {
  throw new AssertionError(`${what}: unhandled kind ${JSON.stringify(value)}`);
}

/** Narrows away `undefined` where the caller has proven presence. */
export function defined<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw new AssertionError(`${what} is missing`);
  return value;
}
