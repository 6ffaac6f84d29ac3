/**
 * Validators and the rotation of proposers, as CometBFT types/validator_set.go. Sets are immutable values: each
 * operation answers a new one. All priorities are int64 with Go's clipping.
 */
import { assert, defined } from '../assert.ts';
import { compare, toHex } from '../bytes.ts';
import { asInt64, asMessage, DecodeError, readFields } from '../codec/proto-reader.ts';
import { ProtoWriter } from '../codec/proto-writer.ts';
import { consensusAddress, encodePublicKey, type PublicKey, readPublicKey } from '../crypto/pubkey.ts';
import { divFloor, divTrunc, MAX_INT64, MIN_INT64 } from '../int.ts';
import { LIMITS } from '../limits.ts';
import { merkleRoot } from '../merkle.ts';
import { err, ok, type Result } from '../result.ts';
import { type Address, toAddress } from './brand.ts';

export interface Validator {
  readonly address: Address;
  readonly publicKey: PublicKey;
  /** 1 … 2^60 − 1. */
  readonly power: bigint;
  readonly priority: bigint;
}

export interface ValidatorSet {
  /** By power descending, then address ascending. */
  readonly validators: readonly Validator[];
  readonly totalPower: bigint;
  /** Who proposes next; absent only in the empty set. */
  readonly proposer: Validator | undefined;
}

/** A change of one validator's power; 0 removes it. */
export interface ValidatorUpdate {
  readonly publicKey: PublicKey;
  readonly power: bigint;
}

/** Priorities differ by at most this many times the total power. */
const PRIORITY_WINDOW = 2n;

export const EMPTY_SET: ValidatorSet = { validators: [], totalPower: 0n, proposer: undefined };

export function toValidator(update: ValidatorUpdate): Validator {
  return {
    address: consensusAddress(update.publicKey),
    publicKey: update.publicKey,
    power: update.power,
    priority: 0n,
  };
}

/** A new set with its first proposer chosen. The empty list gives the empty set. */
export function createValidatorSet(updates: readonly ValidatorUpdate[]): Result<ValidatorSet, string> {
  if (updates.length === 0) return ok(EMPTY_SET);
  const changed = changeValidators(EMPTY_SET, updates.map(toValidator), false);
  return changed.ok ? ok(incrementPriority(changed.value, 1)) : changed;
}

/** Applies updates (power 0 removes). The caller increments the priority once afterwards, as the block executor does. */
export function updateValidators(set: ValidatorSet, updates: readonly ValidatorUpdate[]): Result<ValidatorSet, string> {
  return changeValidators(set, updates.map(toValidator), true);
}

export function changeValidators(
  set: ValidatorSet,
  changes: readonly Validator[],
  allowRemoval: boolean,
): Result<ValidatorSet, string> {
  if (changes.length === 0) return ok(set);
  const byAddress = indexByAddress(set);
  const checked = checkChanges(changes, byAddress, allowRemoval);
  if (!checked.ok) return checked;
  const { updates, removals } = checked.value;
  const added = updates.filter((update) => !byAddress.has(toHex(update.address))).length;
  if (added === 0 && set.validators.length === removals.length) return err('the changes would leave no validator');
  if (set.validators.length + added - removals.length > LIMITS.maxValidators)
    return err(`the changes would leave more than ${LIMITS.maxValidators} validators`);
  let removedPower = 0n;
  for (const removal of removals)
    removedPower += defined(byAddress.get(toHex(removal.address)), 'removed validator').power;
  const delta = (update: Validator) => update.power - (byAddress.get(toHex(update.address))?.power ?? 0n);
  // The running total is checked smallest change first, so that no order of the changes can overflow on the way.
  const deltas = updates.map(delta).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  let running = set.totalPower - removedPower;
  for (const change of deltas) {
    running += change;
    if (running > LIMITS.maxTotalVotingPower)
      return err(`total voting power would exceed ${LIMITS.maxTotalVotingPower}`);
  }
  const totalBeforeRemovals = running + removedPower;
  const newcomerPriority = -(totalBeforeRemovals + (totalBeforeRemovals >> 3n));
  const merged = new Map(byAddress);
  for (const update of updates) {
    const known = byAddress.get(toHex(update.address));
    merged.set(toHex(update.address), { ...update, priority: known?.priority ?? newcomerPriority });
  }
  for (const removal of removals) merged.delete(toHex(removal.address));
  // Priorities are rescaled and centred before sorting; both are independent of the order.
  const validators = [...merged.values()];
  const totalPower = sumPower(validators);
  const settled = shiftByAverage(rescale(validators, PRIORITY_WINDOW * totalPower));
  return ok({ validators: settled.sort(byPowerThenAddress), totalPower, proposer: set.proposer });
}

function checkChanges(
  changes: readonly Validator[],
  byAddress: ReadonlyMap<string, Validator>,
  allowRemoval: boolean,
): Result<{ updates: Validator[]; removals: Validator[] }, string> {
  const seen = new Set<string>();
  const updates: Validator[] = [];
  const removals: Validator[] = [];
  for (const change of changes) {
    const key = toHex(change.address);
    if (seen.has(key)) return err(`validator ${key} is changed twice`);
    seen.add(key);
    if (change.power < 0n) return err(`validator ${key}: power ${change.power} is negative`);
    if (change.power > LIMITS.maxTotalVotingPower)
      return err(`validator ${key}: power ${change.power} exceeds ${LIMITS.maxTotalVotingPower}`);
    if (change.power > 0n) updates.push(change);
    else if (!allowRemoval) return err(`validator ${key}: power 0 in a new set`);
    else if (!byAddress.has(key)) return err(`validator ${key} is removed but not in the set`);
    else removals.push(change);
  }
  return ok({ updates, removals });
}

/** Advances the rotation `times` ≥ 1 steps. */
export function incrementPriority(set: ValidatorSet, times: number): ValidatorSet {
  assert(set.validators.length > 0, 'proposer rotation of an empty validator set');
  assert(Number.isInteger(times) && times >= 1, `proposer rotation by ${times} steps`);
  const priorities = shiftByAverage(rescale(set.validators, PRIORITY_WINDOW * set.totalPower)).map((v) => v.priority);
  let chosen = 0;
  for (let step = 0; step < times; step++) {
    for (let i = 0; i < priorities.length; i++)
      priorities[i] = clip((priorities[i] as bigint) + (set.validators[i] as Validator).power);
    chosen = 0;
    for (let i = 1; i < priorities.length; i++) {
      const ahead = (priorities[i] as bigint) - (priorities[chosen] as bigint);
      const tieWon =
        compare((set.validators[i] as Validator).address, (set.validators[chosen] as Validator).address) < 0;
      if (ahead > 0n || (ahead === 0n && tieWon)) chosen = i;
    }
    priorities[chosen] = clip((priorities[chosen] as bigint) - set.totalPower);
  }
  const validators = set.validators.map((validator, i) => ({ ...validator, priority: priorities[i] as bigint }));
  // Priorities are no part of the hash.
  const hash = hashes.get(set.validators);
  if (hash !== undefined) hashes.set(validators, hash);
  return { validators, totalPower: set.totalPower, proposer: validators[chosen] };
}

/**
 * The set as it stands `rounds` ≥ 0 rounds later. Round by round: one {@link incrementPriority} over several steps
 * rescales priorities once, several over one step each time, and after a loss of power the two may name different
 * proposers. All nodes must name the same one, whether they went through the rounds or skipped them.
 */
export function rotateRounds(set: ValidatorSet, rounds: number): ValidatorSet {
  let rotated = set;
  for (let i = 0; i < rounds; i++) rotated = incrementPriority(rotated, 1);
  return rotated;
}

/** The proposer of `round` at the height for which `set` is the set of round 0. */
export function proposerOf(set: ValidatorSet, round: number): Validator {
  return defined(rotateRounds(set, round).proposer, 'proposer');
}

function rescale(validators: readonly Validator[], window: bigint): Validator[] {
  if (window <= 0n) return [...validators];
  let max = MIN_INT64;
  let min = MAX_INT64;
  for (const { priority } of validators) {
    if (priority > max) max = priority;
    if (priority < min) min = priority;
  }
  let spread = BigInt.asIntN(64, max - min);
  if (spread < 0n) spread = BigInt.asIntN(64, -spread);
  if (spread <= window) return [...validators];
  const ratio = divTrunc(BigInt.asIntN(64, spread + window - 1n), window);
  return validators.map((validator) => ({ ...validator, priority: divTrunc(validator.priority, ratio) }));
}

function shiftByAverage(validators: readonly Validator[]): Validator[] {
  let sum = 0n;
  for (const { priority } of validators) sum += priority;
  const average = divFloor(sum, BigInt(validators.length));
  return validators.map((validator) => ({ ...validator, priority: clip(validator.priority - average) }));
}

function clip(value: bigint): bigint {
  return value > MAX_INT64 ? MAX_INT64 : value < MIN_INT64 ? MIN_INT64 : value;
}

/** The order of a set: by power descending, then address ascending. */
export function byPowerThenAddress(a: Validator, b: Validator): number {
  if (a.power !== b.power) return a.power > b.power ? -1 : 1;
  return compare(a.address, b.address);
}

function sumPower(validators: readonly Validator[]): bigint {
  let sum = 0n;
  for (const { power } of validators) sum += power;
  return sum;
}

function indexByAddress(set: ValidatorSet): Map<string, Validator> {
  return new Map(set.validators.map((validator) => [toHex(validator.address), validator]));
}

/** Place of a validator in the set, or −1. */
export function indexOfValidator(set: ValidatorSet, address: Uint8Array): number {
  return set.validators.findIndex((validator) => compare(validator.address, address) === 0);
}

/** Hashes of sets, by their lists, which nobody changes: each block asks for the same two several times. */
const hashes = new WeakMap<readonly Validator[], Uint8Array>();

/** Merkle root over SimpleValidator{pub_key, voting_power}. */
export function validatorSetHash({ validators }: Pick<ValidatorSet, 'validators'>): Uint8Array {
  const known = hashes.get(validators);
  if (known !== undefined) return known;
  const hash = merkleRoot(
    validators.map(({ publicKey, power }) =>
      new ProtoWriter().message(1, encodePublicKey(publicKey)).varint(2, power).finish(),
    ),
  );
  hashes.set(validators, hash);
  return hash;
}

/** More than 2/3 of the total, without overflow. */
export function isQuorum(power: bigint, total: bigint): boolean {
  return power * 3n > total * 2n;
}

/** tendermint.types.Validator. */
export function encodeValidator(validator: Validator): Uint8Array {
  return new ProtoWriter()
    .bytes(1, validator.address)
    .message(2, encodePublicKey(validator.publicKey))
    .varint(3, validator.power)
    .varint(4, validator.priority)
    .finish();
}

/** @throws DecodeError */
export function readValidator(title: string, bytes: Uint8Array): Validator {
  let address: Uint8Array | undefined;
  let publicKey: PublicKey | undefined;
  let power = 0n;
  let priority = 0n;
  for (const field of readFields(title, bytes, { known: [1, 2, 3, 4] })) {
    if (field.number === 1) address = asMessage(`${title}.address`, field);
    else if (field.number === 2) publicKey = readPublicKey(`${title}.pub_key`, asMessage(`${title}.pub_key`, field));
    else if (field.number === 3) power = asInt64(`${title}.voting_power`, field);
    else priority = asInt64(`${title}.proposer_priority`, field);
  }
  if (publicKey === undefined) throw new DecodeError(`${title}.pub_key: missing`);
  const expected = consensusAddress(publicKey);
  if (address === undefined || compare(address, expected) !== 0)
    throw new DecodeError(`${title}.address: expected ${toHex(expected)}, the address of pub_key`);
  if (power < 0n) throw new DecodeError(`${title}.voting_power: ${power} is negative`);
  return { address: toAddress(expected), publicKey, power, priority };
}

/** tendermint.types.ValidatorSet{validators, proposer}; total power is derived. */
export function encodeValidatorSet(set: ValidatorSet): Uint8Array {
  const writer = new ProtoWriter();
  for (const validator of set.validators) writer.message(1, encodeValidator(validator));
  return writer.optional(2, set.proposer && encodeValidator(set.proposer)).finish();
}

/** @throws DecodeError on unsorted or duplicate validators, powers out of range, or a proposer that is not a member. */
export function readValidatorSet(title: string, bytes: Uint8Array): ValidatorSet {
  const validators: Validator[] = [];
  let proposer: Validator | undefined;
  for (const field of readFields(title, bytes, { known: [1, 2], repeated: [1] })) {
    const inner = asMessage(title, field);
    if (field.number === 2) proposer = readValidator(`${title}.proposer`, inner);
    else if (validators.length >= LIMITS.maxValidators)
      throw new DecodeError(`${title}: more than ${LIMITS.maxValidators} validators`);
    else validators.push(readValidator(`${title}.validators[${validators.length}]`, inner));
  }
  const checked = checkMembers(validators);
  if (!checked.ok) throw new DecodeError(`${title}${checked.error}`);
  const totalPower = checked.value;
  const member =
    proposer && validators.find((validator) => compare(validator.address, (proposer as Validator).address) === 0);
  if (validators.length > 0 && member === undefined)
    throw new DecodeError(`${title}.proposer: not a member of the set`);
  return { validators, totalPower, proposer: member };
}

/** The total power of a well-formed list of members; else what is wrong with it, to stand behind the set's name. */
function checkMembers(validators: readonly Validator[]): Result<bigint, string> {
  for (let i = 0; i < validators.length; i++) {
    const here = validators[i] as Validator;
    if (here.power <= 0n) return err(`.validators[${i}]: power must be positive`);
    if (i > 0 && byPowerThenAddress(validators[i - 1] as Validator, here) >= 0)
      return err(`.validators[${i}]: out of order, expected power descending then address ascending`);
  }
  if (new Set(validators.map((validator) => toHex(validator.address))).size !== validators.length)
    return err(': a validator occurs twice');
  const totalPower = sumPower(validators);
  if (totalPower > LIMITS.maxTotalVotingPower)
    return err(`: total power ${totalPower} exceeds ${LIMITS.maxTotalVotingPower}`);
  return ok(totalPower);
}

/**
 * The set of validators that an RPC lists. Its proposer is the one of the least priority, who has just been chosen
 * (types/validator_set.go ValidatorSetFromExistingValidators); no hash covers it. The error says what is wrong with the list.
 */
export function validatorSetFrom(validators: readonly Validator[]): Result<ValidatorSet, string> {
  if (validators.length > LIMITS.maxValidators)
    return err(`validators: ${validators.length} exceed the limit of ${LIMITS.maxValidators}`);
  const totalPower = checkMembers(validators);
  if (!totalPower.ok) return err(`validators${totalPower.error}`);
  let proposer = validators[0];
  for (const validator of validators) {
    if (proposer === undefined || validator.priority < proposer.priority) proposer = validator;
    else if (validator.priority === proposer.priority && compare(validator.address, proposer.address) > 0)
      proposer = validator;
  }
  return ok({ validators, totalPower: totalPower.value, proposer });
}
