/** Bounds on what is read from a model file; beyond them it is refused as too large. */
export const MAX_MODEL_BYTES = 256 * 1024 * 1024;
export const MAX_NODES = 20_000;
export const MAX_RANK = 8;
/** Elements of one tensor. */
export const MAX_ELEMENTS = 64 * 1024 * 1024;
/** Entries of one repeated field other than tensor data. */
export const MAX_LIST = 65_536;
/** Bytes of one name. */
export const MAX_NAME_BYTES = 4_096;
/** Elements of a tensor that stand one by one instead of packed or raw. */
export const MAX_UNPACKED = 1 << 20;
