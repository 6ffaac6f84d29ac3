/**
 * The conformance door: what an outside suite can call without knowing the project's insides. Each name is a thin line
 * over the product's code; a name, once here, stays. A refusal of something that is not supported throws an error with
 * `code: 'unsupported'`.
 */
export * from './subject-comet.ts';
export * from './subject-light.ts';
export * from './subject-onnx.ts';
export * from './subject-store.ts';
export * from './subject-tx.ts';
export * from './subject-vm.ts';
