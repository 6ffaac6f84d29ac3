/**
 * The committee follows the stake. What the end of block h chooses signs block h + 2 for the first time, and what is signed
 * for a block is judged one block later: so it waits two blocks here.
 */
import { toHex } from '#core/bytes.ts';
import { consensusAddress } from '#core/crypto/pubkey.ts';
import { type Validator, ValidatorSchema, ValidatorSetSchema } from '#proto/gen/autonomy/poi/v1/poi_pb.ts';
import { create } from '#proto/message.ts';
import { formatAddress } from '../../address.ts';
import type { BlockContext, ChainParams } from '../../context.ts';
import type { KvReader, KvWriter } from '../../state/kv-view.ts';
import { activeValidators, isActive, lastChange, STAKING_STORE } from '../staking/state.ts';
import { committee, POI_STORE, scheduled, validators } from './state.ts';

/** Blocks until a choice is the committee. */
const DELAY = 2n;

/** The operators of staked validators are paid; undefined on a chain without staking. */
export function stakedCommittee(staking: KvReader, chain: ChainParams): readonly Validator[] | undefined {
  if (!isActive(staking)) return undefined;
  return activeValidators(staking).map(({ operator, key, power }) =>
    create(ValidatorSchema, {
      address: consensusAddress(key),
      keyType: key.type,
      publicKey: key.bytes,
      power,
      operator: formatAddress(chain, operator),
    }),
  );
}

function replaceCommittee(store: KvWriter, members: readonly Validator[]): void {
  const staying = new Set(members.map(({ address }) => toHex(address)));
  for (const former of committee(store))
    if (!staying.has(toHex(former.address))) validators.set(store, former.address, { ...former, power: 0n });
  for (const member of members) validators.set(store, member.address, member);
}

/** After staking in the table. */
export function followStake({ state, chain, block }: BlockContext): void {
  const staking = state.store(STAKING_STORE);
  if (!isActive(staking)) return;
  const store = state.store(POI_STORE);
  if (lastChange.get(staking) === block.height)
    scheduled.set(
      store,
      block.height,
      create(ValidatorSetSchema, { validators: [...(stakedCommittee(staking, chain) ?? [])] }),
    );
  if (block.height < DELAY) return;
  for (const [height, set] of [...scheduled.entries(store, { lt: block.height - DELAY + 1n })]) {
    replaceCommittee(store, set.validators);
    scheduled.delete(store, height);
  }
}
