/** The committee, and what its members have committed to and opened. */
import type { PublicKey } from '#core/crypto/pubkey.ts';
import {
  type Validator,
  ValidatorSchema,
  ValidatorSetSchema,
  type Verdict,
  VerdictSchema,
} from '#proto/gen/autonomy/poi/v1/poi_pb.ts';
import { bytesKey, pairKey, u64Key, u64Value } from '../../state/codecs.ts';
import { item, map, storeLayout } from '../../state/collections.ts';
import type { KvReader } from '../../state/kv-view.ts';
import { protoValue } from '../../state/proto-value.ts';

export const POI_STORE = 'poi';

const layout = storeLayout(POI_STORE, { extensionsFrom: 0x01, validators: 0x02, verdicts: 0x03, scheduled: 0x04 });

/** First height whose precommits carry extensions; 0: never. */
export const extensionsFrom = item(layout.extensionsFrom, u64Value);
/** By consensus address. Former ones stay, with power 0: what they recorded is theirs. */
export const validators = map(layout.validators, bytesKey, protoValue(ValidatorSchema));
/** By the height of the block whose end chose them. */
export const scheduled = map(layout.scheduled, u64Key, protoValue(ValidatorSetSchema));
const verdictKey = pairKey(u64Key, bytesKey);
/** By job and consensus address; a record begins with the commitment. */
export const verdicts = map(layout.verdicts, verdictKey, protoValue(VerdictSchema));

export function committee(store: KvReader): readonly Validator[] {
  return [...validators.entries(store)].map(([, validator]) => validator).filter(({ power }) => power > 0n);
}

export function isMember(store: KvReader, address: Uint8Array): boolean {
  return (validators.get(store, address)?.power ?? 0n) > 0n;
}

/** In the order of the validators' addresses. */
export function verdictsOf(store: KvReader, job: bigint): readonly Verdict[] {
  return [...verdicts.entries(store, { under: verdictKey.prefix(job) })].map(([, verdict]) => verdict);
}

export function publicKeyOf(validator: Validator): PublicKey {
  return { type: validator.keyType === 'secp256k1' ? 'secp256k1' : 'ed25519', bytes: validator.publicKey };
}

export function powerOf(members: readonly Validator[]): bigint {
  return members.reduce((sum, { power }) => sum + power, 0n);
}

/** A result as validators compare it: everything but the salt. */
export interface ComparedResult {
  readonly kind: number;
  readonly outputRoot: Uint8Array;
  readonly traceRoot: Uint8Array;
  readonly gasUsed: bigint;
}
