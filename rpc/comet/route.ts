import type { Answer, Backend, BackendError } from '../backend.ts';
import type { Args, ParamTable } from './params.ts';

/** A method: what it takes, and how it answers. */
export interface Route {
  readonly params: ParamTable;
  /** `args` are what {@link params} reads. */
  readonly answer: (backend: Backend, args: Record<string, unknown>) => Answer<unknown> | Promise<Answer<unknown>>;
}

/** What a request calls itself. */
export type Id = string | number;

/** The request that a method answers. */
export interface Call {
  readonly id: Id;
}

/** A method that needs nothing more than its arguments. */
export interface Method {
  readonly params: ParamTable;
  readonly answer: (args: Record<string, unknown>, call: Call) => Answer<unknown> | Promise<Answer<unknown>>;
}

export type Methods = ReadonlyMap<string, Method>;

/** Ties a handler's arguments to its table of parameters, for a server that has no {@link Backend}. */
export function method<P extends ParamTable>(
  params: P,
  answer: (args: Args<P>, call: Call) => Answer<unknown> | Promise<Answer<unknown>>,
): Method {
  return { params, answer: (args, call) => answer(args as Args<P>, call) };
}

/** Ties a handler's arguments to its table of parameters. */
export function route<P extends ParamTable>(
  params: P,
  answer: (backend: Backend, args: Args<P>) => Answer<unknown> | Promise<Answer<unknown>>,
): Route {
  return { params, answer: (backend, args) => answer(backend, args as Args<P>) };
}

export function invalid(message: string): { readonly ok: false; readonly error: BackendError } {
  return { ok: false, error: { kind: 'invalid', message } };
}

/** Translates the value of an answer, and passes an error on. */
export function mapAnswer<T, U>(answer: Answer<T>, map: (value: T) => U): Answer<U> {
  return answer.ok ? { ok: true, value: map(answer.value) } : answer;
}
