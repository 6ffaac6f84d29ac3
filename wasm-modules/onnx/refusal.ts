import { err, ok, type Result } from '../result.ts';

/**
 * Why a model was refused. malformed: not a protobuf of ONNX; invalid: breaks a rule of ONNX; unsupported: fine, but not
 * for this compiler; not-constant: it would compile if an input that decides a shape were fixed when it is compiled;
 * too-large: beyond a named limit. `node` and `op` are empty where no node is to blame.
 */
export interface ModelError {
  readonly kind: 'malformed' | 'invalid' | 'unsupported' | 'not-constant' | 'too-large';
  readonly node: string;
  readonly op: string;
  readonly reason: string;
}

/** Carries a {@link ModelError} up to {@link refusing}; it never leaves this layer. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly error: ModelError;

  constructor(kind: ModelError['kind'], reason: string, node = '', op = '') {
    super(reason);
    this.error = { kind, node, op, reason };
  }
}

/** Runs `body`; a refusal inside becomes a value, anything else is a bug and goes on up. */
export function refusing<T>(body: () => T): Result<T, ModelError> {
  try {
    return ok(body());
  } catch (error) {
    if (error instanceof Refusal) return err(error.error);
    throw error;
  }
}

/** One line for people: what, where, why. */
export function describeError(error: ModelError): string {
  const where = error.op === '' ? '' : ` at node ${JSON.stringify(error.node)} (${error.op})`;
  return `${error.kind}${where}: ${error.reason}`;
}
