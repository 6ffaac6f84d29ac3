import { assertNever } from '#core/assert.ts';
import { EMPTY } from '#core/bytes.ts';
import { asMessage, asString, asUint32, DecodeError, decode, readFields } from '#core/codec/proto-reader.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import type { Result } from '#core/result.ts';
import type { PeerAddress } from '../config/address.ts';
import { IGNORE, type Verdict } from '../driver/intake.ts';
import type { PeerId } from '../driver/ports.ts';
import { NODE_LIMITS } from '../limits.ts';
import type { AddressBook } from './address-book.ts';

export type ExchangeMessage =
  | { readonly kind: 'request' }
  | { readonly kind: 'addresses'; readonly addresses: readonly PeerAddress[] };

/** Fields of the oneof that all messages on direct streams share. */
const FIELD = { request: 16, addresses: 17 } as const;
/** First bytes of their tags, which no other message begins with. */
const FIRST_BYTES: readonly number[] = [0x82, 0x8a];
const MAX_HOST_BYTES = 45;
const MAX_ID_BYTES = 64;
const MAX_ADDRESS_BYTES = 128;

export function isPeerExchange(firstByte: number | undefined): boolean {
  return firstByte !== undefined && FIRST_BYTES.includes(firstByte);
}

/** Most bytes of such a message. */
export const MAX_EXCHANGE_BYTES = 8 + NODE_LIMITS.maxExchangedAddresses * MAX_ADDRESS_BYTES;

export function encodeExchange(message: ExchangeMessage): Uint8Array {
  switch (message.kind) {
    case 'request':
      return new ProtoWriter().message(FIELD.request, EMPTY).finish();
    case 'addresses': {
      const list = new ProtoWriter();
      for (const { id, host, port } of message.addresses)
        list.message(1, new ProtoWriter().string(1, id).string(2, host).varint(3, port).finish());
      return new ProtoWriter().message(FIELD.addresses, list.finish()).finish();
    }
    default:
      return assertNever(message, 'peer exchange message');
  }
}

/** Strict; more than `maxExchangedAddresses` are refused whole. */
export function decodeExchange(bytes: Uint8Array): Result<ExchangeMessage, string> {
  return decode(() => {
    const [field, second] = readFields('peer_exchange', bytes, { known: [FIELD.request, FIELD.addresses] });
    if (field === undefined || second !== undefined) throw new DecodeError('peer_exchange: expected one message');
    const content = asMessage('peer_exchange', field);
    if (field.number === FIELD.request) {
      if (content.length > 0) throw new DecodeError('peer_exchange.request: expected no fields');
      return { kind: 'request' };
    }
    const items = readFields('peer_exchange.addresses', content, { known: [1], repeated: [1] });
    if (items.length > NODE_LIMITS.maxExchangedAddresses)
      throw new DecodeError(
        `peer_exchange.addresses: ${items.length} exceed the limit of ${NODE_LIMITS.maxExchangedAddresses}`,
      );
    return {
      kind: 'addresses',
      addresses: items.map((item) => readAddress(asMessage('peer_exchange.addresses', item))),
    };
  });
}

function readAddress(bytes: Uint8Array): PeerAddress {
  let id = '';
  let host = '';
  let port = 0;
  for (const field of readFields('address', bytes, { known: [1, 2, 3] })) {
    if (field.number === 1) id = asString('address.id', field, MAX_ID_BYTES);
    else if (field.number === 2) host = asString('address.host', field, MAX_HOST_BYTES);
    else port = asUint32('address.port', field);
  }
  return { id, host, port };
}

export interface PeerExchangeDeps {
  readonly book: AddressBook;
  readonly send: (peer: PeerId, bytes: Uint8Array) => void;
  readonly now: () => number;
  /** Whom not to tell of, beside those that the book hides. */
  readonly isBanned: (peer: PeerId) => boolean;
}

/**
 * Asks peers for addresses and answers them (adversarial inputs of CometBFT's reactor): an answer that nobody has asked
 * for, or one with too many addresses, ends the acquaintance; requests may come so often and no more.
 */
export class PeerExchange {
  readonly #deps: PeerExchangeDeps;
  /** When a peer was asked last; negative: and it has answered. These outlive connections: reconnecting resets nothing. */
  readonly #asked = new Map<PeerId, number>();
  readonly #lastRequestMs = new Map<PeerId, number>();

  constructor(deps: PeerExchangeDeps) {
    this.#deps = deps;
  }

  /** Asks, unless the peer was asked lately. */
  ask(peer: PeerId): void {
    const now = this.#deps.now();
    const before = this.#asked.get(peer);
    if (before !== undefined && now - Math.abs(before) < NODE_LIMITS.exchangeIntervalMs) return;
    remember(this.#asked, peer, now);
    this.#deps.send(peer, encodeExchange({ kind: 'request' }));
  }

  receive(peer: PeerId, bytes: Uint8Array): Verdict & { readonly grave?: boolean } {
    const message = decodeExchange(bytes);
    if (!message.ok) return { kind: 'reject', reason: message.error, grave: true };
    const now = this.#deps.now();
    if (message.value.kind === 'addresses') return this.#onAddresses(peer, message.value.addresses, now);
    const last = this.#lastRequestMs.get(peer);
    if (last !== undefined && now - last < NODE_LIMITS.exchangeMinIntervalMs)
      return { kind: 'reject', reason: `asks for addresses again after ${now - last} ms` };
    remember(this.#lastRequestMs, peer, now);
    const addresses = this.#deps.book.sample(
      NODE_LIMITS.maxExchangedAddresses,
      (id) => id === peer || this.#deps.isBanned(id),
    );
    this.#deps.send(peer, encodeExchange({ kind: 'addresses', addresses }));
    return IGNORE;
  }

  #onAddresses(peer: PeerId, addresses: readonly PeerAddress[], now: number): Verdict & { readonly grave?: boolean } {
    const asked = this.#asked.get(peer);
    if (asked === undefined || asked < 0)
      return { kind: 'reject', reason: 'sends addresses that were not asked for', grave: true };
    remember(this.#asked, peer, -now);
    for (const address of addresses) if (!this.#deps.isBanned(address.id)) this.#deps.book.add(address, peer);
    return IGNORE;
  }
}

/** The one set longest ago goes when there are too many. */
function remember(times: Map<PeerId, number>, peer: PeerId, time: number): void {
  times.delete(peer);
  times.set(peer, time);
  for (const oldest of times.keys()) {
    if (times.size <= NODE_LIMITS.maxPeerRecords) break;
    times.delete(oldest);
  }
}
