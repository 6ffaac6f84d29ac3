/** Balances, supply, metadata of denominations. Keys and amounts are stored as the Cosmos SDK's x/bank stores them. */
import { defined } from '#core/assert.ts';
import { MetadataSchema } from '#proto/gen/cosmos/bank/v1beta1/bank_pb.ts';
import { decodeStrict, encode, type MessageInitShape, type MessageShape } from '#proto/message.ts';
import type { Coin } from '../../coins.ts';
import { bytesKey, intValue, pairKey, stringKey, type ValueCodec } from '../../state/codecs.ts';
import { type Item, item, keySet, map, storeLayout } from '../../state/collections.ts';
import type { KvReader, KvWriter } from '../../state/kv-view.ts';

export const BANK_STORE = 'bank';

const layout = storeLayout(BANK_STORE, {
  supply: 0x00,
  metadata: 0x01,
  balances: 0x02,
  owners: 0x03,
  sendEnabled: 0x04,
  params: 0x05,
});

const flagValue: ValueCodec<boolean> = {
  encode: (flag) => Uint8Array.of(flag ? 1 : 0),
  decode: (bytes) => bytes[0] === 1,
};

export type Metadata = MessageShape<typeof MetadataSchema>;

const metadataValue: ValueCodec<MessageInitShape<typeof MetadataSchema>> = {
  encode: (metadata) => encode(MetadataSchema, metadata),
  decode: (bytes) => readMetadata(bytes),
};

export function readMetadata(bytes: Uint8Array): Metadata {
  const decoded = decodeStrict(MetadataSchema, bytes);
  return defined(decoded.ok ? decoded.value : undefined, 'stored denomination metadata');
}

const balanceKey = pairKey(bytesKey, stringKey);
const ownerKey = pairKey(stringKey, bytesKey);

/** Read only: {@link Balance} writes them. */
export const balances = map(layout.balances, balanceKey, intValue);
/** By denomination and address: who has some. {@link Balance} writes them. */
export const owners = keySet(layout.owners, ownerKey);
export const supply = map(layout.supply, stringKey, intValue);
export const metadata = map(layout.metadata, stringKey, metadataValue);
export const sendEnabled = map(layout.sendEnabled, stringKey, flagValue);
export const defaultSendEnabled = item(layout.params, flagValue);

export const BANK_PREFIX = layout;

/** What the store keys of one account's balances begin with, after the collection's own prefix. */
export function balancesUnder(address: Uint8Array): Uint8Array {
  return balanceKey.prefix(address);
}

/** What the store keys of a denomination's owners begin with, after the collection's own prefix. */
export function ownersUnder(denom: string): Uint8Array {
  return ownerKey.prefix(denom);
}

/** What an account has of one denomination: for who reads it and then writes it, since its store key is made once. */
export class Balance {
  readonly #address: Uint8Array;
  readonly #denom: string;
  readonly #entry: Item<bigint>;

  constructor(address: Uint8Array, denom: string) {
    this.#address = address;
    this.#denom = denom;
    this.#entry = balances.at([address, denom]);
  }

  get(store: KvReader): bigint {
    return this.#entry.get(store) ?? 0n;
  }

  /** @param before what the account has; its owner is listed under the denomination while it has some. */
  set(store: KvWriter, amount: bigint, before: bigint): void {
    if (amount === 0n) {
      this.#entry.delete(store);
      owners.delete(store, [this.#denom, this.#address]);
      return;
    }
    this.#entry.set(store, amount);
    if (before === 0n) owners.add(store, [this.#denom, this.#address]);
  }
}

/** {@link Balance.set} */
export function setBalance(store: KvWriter, address: Uint8Array, denom: string, amount: bigint, before: bigint): void {
  new Balance(address, denom).set(store, amount, before);
}

export function balanceOf(store: KvReader, address: Uint8Array, denom: string): bigint {
  return balances.get(store, [address, denom]) ?? 0n;
}

/** All balances of an account, by denomination. */
export function allBalances(store: KvReader, address: Uint8Array): readonly Coin[] {
  const coins: Coin[] = [];
  for (const [[, denom], amount] of balances.entries(store, { under: balanceKey.prefix(address) }))
    coins.push({ denom, amount });
  return coins;
}

export function supplyOf(store: KvReader, denom: string): bigint {
  return supply.get(store, denom) ?? 0n;
}

export function isSendEnabled(store: KvReader, denom: string): boolean {
  return sendEnabled.get(store, denom) ?? defaultSendEnabled.get(store) ?? true;
}
