import { EMPTY, utf8 } from '#core/bytes.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { toHeight } from '#core/types/brand.ts';
import type { Header } from '#core/types/header.ts';
import { queryResponseJson } from '#rpc/comet/json/results.ts';
import { MultiStore } from '#runtime/state/multistore.ts';
import { nextHeader, signers } from './light-chain.ts';

export interface ProvenAnswer {
  /** As `abci_query` with `prove` answers for `key` in the store `bank`. */
  readonly answer: unknown;
  readonly key: Uint8Array;
  /** Empty when the key is absent. */
  readonly value: Uint8Array;
  /** An ICS-23 existence proof of any other key that is in the store. */
  readonly proofOf: (key: string) => Uint8Array;
  /** The header that commits to the state. */
  readonly next: Header;
}

/** A key of a real store with its proof, or the proof that it is not there. */
export async function openTestStore(which: 'present' | 'absent'): Promise<ProvenAnswer> {
  const store = MultiStore.open(new MemoryKv(), ['auth', 'bank', 'poi']);
  const branch = store.workingBranch().branch();
  for (let i = 0; i < 20; i++) {
    branch.store('bank').set(utf8(`key ${i}`), utf8(`value ${i}`));
    branch.store('auth').set(utf8(`account ${i}`), utf8(`number ${i}`));
  }
  branch.write();
  const { version, appHash } = await store.commit();
  const key = utf8(which === 'present' ? 'key 7' : 'key 7x');
  const proven = store.proveAt(version, 'bank', key);
  if (!proven.ok) throw new Error(proven.error);
  const [ofKey, ofStore] = proven.value.commitmentProofs;
  const value = proven.value.value ?? EMPTY;
  const response = {
    code: 0,
    codespace: '',
    log: '',
    info: '',
    index: 0n,
    key,
    value,
    proofOps: [
      { type: 'ics23:iavl', key, data: ofKey },
      { type: 'ics23:simple', key: utf8('bank'), data: ofStore },
    ],
    height: toHeight(version),
  };
  const members = signers(0, 1);
  const next = { ...nextHeader(undefined, members, members, ''), height: toHeight(version + 1n), appHash };
  const proofOf = (other: string): Uint8Array => {
    const proof = store.proveAt(version, 'bank', utf8(other));
    if (!proof.ok) throw new Error(proof.error);
    return proof.value.commitmentProofs[0];
  };
  return { proofOf, answer: { response: queryResponseJson(response) }, key, value, next };
}
