/**
 * Verification of ICS-23 proofs, as strict as cosmos/ics23 (Go) and stricter where its laxity serves nobody: an inner
 * operation must place the child at exactly one branch.
 */
import { compare, equal } from '../bytes.ts';
import { ICS23_LIMITS } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { applyInner, applyLeaf, checkInnerAgainstSpec, checkLeafAgainstSpec, doHash } from './ops.ts';
import {
  type CommitmentProof,
  type ExistenceProof,
  HASH_OP,
  type InnerOp,
  type InnerSpec,
  type NonExistenceProof,
  type ProofSpec,
  type SingleProof,
} from './types.ts';

type Check = Result<true, string>;

/** The root that an existence proof leads to. That proves nothing until it is compared with a trusted root. */
export function existenceRoot(proof: ExistenceProof): Result<Uint8Array, string> {
  if (proof.leaf === undefined) return err('existence proof needs a leaf operation');
  let hash = applyLeaf(proof.leaf, proof.key, proof.value);
  for (const step of proof.path) {
    if (!hash.ok) return hash;
    hash = applyInner(step, hash.value);
  }
  return hash;
}

/** Whether leaf, path and depth have the form that the spec allows. */
export function checkAgainstSpec(proof: ExistenceProof, spec: ProofSpec): Check {
  if (proof.leaf === undefined) return err('existence proof needs a leaf operation');
  const leaf = checkLeafAgainstSpec(proof.leaf, spec);
  if (!leaf.ok) return leaf;
  const depth = proof.path.length;
  const maxDepth = spec.maxDepth > 0 ? spec.maxDepth : ICS23_LIMITS.defaultDepth;
  if (depth < spec.minDepth) return err(`path of ${depth} inner operations is too short, at least ${spec.minDepth}`);
  if (depth > maxDepth) return err(`path of ${depth} inner operations is too long, at most ${maxDepth}`);
  for (const [index, step] of proof.path.entries()) {
    const checked = checkInnerAgainstSpec(step, spec, index + 1);
    if (!checked.ok) return err(`inner operation ${index}: ${checked.error}`);
  }
  return ok(true);
}

/** Whether `proof` shows that `key` has `value` under `root`. The error says what does not hold. */
function verifyExistence(
  spec: ProofSpec,
  proof: ExistenceProof,
  root: Uint8Array,
  key: Uint8Array,
  value: Uint8Array,
): Check {
  const form = checkAgainstSpec(proof, spec);
  if (!form.ok) return form;
  if (proof.path.some((step) => branchOf(spec.innerSpec, step) === undefined))
    return err('an inner operation does not place its child at one branch');
  if (!equal(proof.key, key)) return err('the proof is of another key');
  if (!equal(proof.value, value)) return err('the proof is of another value');
  const computed = existenceRoot(proof);
  if (!computed.ok) return computed;
  return equal(computed.value, root) ? ok(true) : err('the computed root differs from the expected root');
}

/** Whether `proof` shows that `key` has no value under `root`. The error says what does not hold. */
function verifyNonExistence(spec: ProofSpec, proof: NonExistenceProof, root: Uint8Array, key: Uint8Array): Check {
  const { left, right } = proof;
  if (key.length === 0) return err('a key must not be empty');
  for (const [side, neighbour] of [
    ['left', left],
    ['right', right],
  ] as const) {
    if (neighbour === undefined) continue;
    const verified = verifyExistence(spec, neighbour, root, neighbour.key, neighbour.value);
    if (!verified.ok) return err(`${side} neighbour: ${verified.error}`);
  }
  const order = comparer(spec);
  if (right !== undefined && order(key, right.key) >= 0) return err('the key is not below the right neighbour');
  if (left !== undefined && order(key, left.key) <= 0) return err('the key is not above the left neighbour');
  if (left !== undefined && right !== undefined)
    return isLeftNeighbor(spec.innerSpec, left.path, right.path)
      ? ok(true)
      : err('the left and right keys are not neighbours');
  if (right !== undefined)
    return isLeftMost(spec.innerSpec, right.path)
      ? ok(true)
      : err('no left neighbour, but the right key is not the first');
  if (left !== undefined)
    return isRightMost(spec.innerSpec, left.path)
      ? ok(true)
      : err('no right neighbour, but the left key is not the last');
  return err('a non-existence proof needs a neighbour');
}

/** A single existence proof, or the entry of a batch that is of `key`. */
export function verifyMembership(
  spec: ProofSpec,
  proof: CommitmentProof,
  root: Uint8Array,
  key: Uint8Array,
  value: Uint8Array,
): Check {
  for (const entry of entriesOf(proof))
    if (entry.kind === 'exist' && equal(entry.exist.key, key))
      return verifyExistence(spec, entry.exist, root, key, value);
  return err('the proof holds no existence proof of this key');
}

/** A single non-existence proof, or the entry of a batch whose neighbours enclose `key`. */
export function verifyNonMembership(spec: ProofSpec, proof: CommitmentProof, root: Uint8Array, key: Uint8Array): Check {
  const order = comparer(spec);
  for (const entry of entriesOf(proof)) {
    if (entry.kind !== 'nonexist') continue;
    const { left, right } = entry.nonexist;
    if (left !== undefined && order(left.key, key) >= 0) continue;
    if (right !== undefined && order(right.key, key) <= 0) continue;
    return verifyNonExistence(spec, entry.nonexist, root, key);
  }
  return err('the proof holds no non-existence proof that encloses this key');
}

function entriesOf(proof: CommitmentProof): readonly SingleProof[] {
  return proof.kind === 'batch' ? proof.entries : [proof];
}

function comparer(spec: ProofSpec): (a: Uint8Array, b: Uint8Array) => number {
  const op = spec.leafSpec.prehashKey;
  if (!spec.prehashKeyBeforeComparison || op === HASH_OP.noHash) return compare;
  const hashed = (key: Uint8Array) => {
    const hash = doHash(op, key);
    return hash.ok ? hash.value : key;
  };
  return (a, b) => compare(hashed(a), hashed(b));
}

/** Every step takes the first branch, or those before it are empty. */
function isLeftMost(spec: InnerSpec, path: readonly InnerOp[]): boolean {
  return path.every((step) => branchOf(spec, step) === 0 || leftBranchesAreEmpty(spec, step));
}

/** Every step takes the last branch, or those after it are empty. */
function isRightMost(spec: InnerSpec, path: readonly InnerOp[]): boolean {
  const last = spec.childOrder.length - 1;
  return path.every((step) => branchOf(spec, step) === last || rightBranchesAreEmpty(spec, step));
}

/** Below their common steps near the root, `left` goes one branch left of `right`, then rightmost, `right` leftmost. */
function isLeftNeighbor(spec: InnerSpec, left: readonly InnerOp[], right: readonly InnerOp[]): boolean {
  let l = left.length - 1;
  let r = right.length - 1;
  while (l >= 0 && r >= 0 && sameStep(left[l], right[r])) {
    l--;
    r--;
  }
  const topLeft = left[l];
  const topRight = right[r];
  if (topLeft === undefined || topRight === undefined) return false;
  const leftBranch = branchOf(spec, topLeft);
  const rightBranch = branchOf(spec, topRight);
  if (leftBranch === undefined || rightBranch !== leftBranch + 1) return false;
  return isRightMost(spec, left.slice(0, l)) && isLeftMost(spec, right.slice(0, r));
}

function sameStep(a: InnerOp | undefined, b: InnerOp | undefined): boolean {
  return a !== undefined && b !== undefined && equal(a.prefix, b.prefix) && equal(a.suffix, b.suffix);
}

/** The branch whose padding the operation has; undefined when it fits none. */
function branchOf(spec: InnerSpec, step: InnerOp): number | undefined {
  const count = spec.childOrder.length;
  for (let branch = 0; branch < count; branch++) {
    const position = spec.childOrder.indexOf(branch);
    if (position < 0) return undefined;
    const before = position * spec.childSize;
    const after = (count - 1 - position) * spec.childSize;
    const length = step.prefix.length - before;
    if (length >= spec.minPrefixLength && length <= spec.maxPrefixLength && step.suffix.length === after) return branch;
  }
  return undefined;
}

/** Whether there are branches before the child's, all of them placeholders. */
export function leftBranchesAreEmpty(spec: InnerSpec, step: InnerOp): boolean {
  const branch = branchOf(spec, step);
  if (branch === undefined || branch === 0) return false;
  const position = spec.childOrder.indexOf(branch);
  const start = step.prefix.length - position * spec.childSize;
  return everyChildIsEmpty(spec, step.prefix, start, position);
}

/** Whether there are branches after the child's, all of them placeholders. */
export function rightBranchesAreEmpty(spec: InnerSpec, step: InnerOp): boolean {
  const branch = branchOf(spec, step);
  if (branch === undefined) return false;
  const after = spec.childOrder.length - 1 - spec.childOrder.indexOf(branch);
  return after > 0 && everyChildIsEmpty(spec, step.suffix, 0, after);
}

function everyChildIsEmpty(spec: InnerSpec, bytes: Uint8Array, start: number, count: number): boolean {
  for (let i = 0; i < count; i++) {
    const from = start + i * spec.childSize;
    if (from < 0 || !equal(spec.emptyChild, bytes.subarray(from, from + spec.childSize))) return false;
  }
  return true;
}
