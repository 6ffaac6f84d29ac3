/** Bounds on a compiled model. Beyond them compilation is refused. */
export const MAX_PLAN_STEPS = 16_384;
/** Memory for constants, intermediate tensors and the answer, in bytes. */
export const MAX_MEMORY_BYTES = 512 * 1024 * 1024;
/** All constants that are there while a model is compiled, in bytes: a few bytes of a file can ask for millions. */
export const MAX_CONSTANT_BYTES = 2 * MAX_MEMORY_BYTES;
/** Pages (64 KiB) a model may grow by, beyond what its plan needs, for a request that is longer than expected. */
export const SPARE_PAGES = 16;
/** Bytes of what a node of constants gives, up to which it is computed when the model is compiled. */
export const MAX_FOLDED_BYTES = 64 * 1024;
/** Numbers of a constant that steers a node (axes, bounds, a shape). */
export const MAX_PARAMETERS = 1_024;
/** Numbers of a constant that names elements one by one (indices, a range, a mask). */
export const MAX_INDICES = 1 << 20;
/** The k of TopK: each takes a round over the tensor. */
export const MAX_TOP = 512;
/** Pairs of a place and an update that are compared where indices are not constant. */
export const MAX_SCATTER = 1 << 22;
