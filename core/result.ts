/** Expected failure is a value. `E` is usually {@link Failure}. */
export type Result<T, E = Failure> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: E };

/**
 * Why something was refused. `codespace` and `code` stand in the registered table (`core/errors.ts`);
 * `message` says what was wrong and what was expected.
 */
export interface Failure {
  readonly codespace: string;
  readonly code: number;
  readonly message: string;
}

export function ok<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

export function err<E>(error: E): { readonly ok: false; readonly error: E } {
  return { ok: false, error };
}
