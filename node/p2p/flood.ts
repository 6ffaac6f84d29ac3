import { hash } from 'node:crypto';
import { concat, fromHex, toHex } from '#core/bytes.ts';
import type { PeerId } from '../driver/ports.ts';
import { NODE_LIMITS } from '../limits.ts';

/** Before a message that its sender gives to all of its peers. No protobuf message begins so: there is no wire type 7. */
export const FLOOD_TAG = 0x07;
/** Before the names of the peers that the sender has. */
export const NEIGHBOURS_TAG = 0x0f;

const NAME_BYTES = 8;

/** What stands for a peer in a list of neighbours. Who finds another peer of one name has only made itself be passed over. */
const nameOfPeer = (peer: PeerId): string => hash('sha256', peer, 'hex').slice(0, 2 * NAME_BYTES);

export interface FloodPorts {
  /** Over the peer's direct stream; may be lost. */
  readonly send: (peer: PeerId, bytes: Uint8Array) => void;
  /** Of such a peer nobody is told; the price is a message twice, from whoever else reaches it. */
  readonly isPrivate: (peer: PeerId) => boolean;
}

/**
 * First delivery of proposals, parts and votes, over the direct streams. Whoever has a message new to it hands it to each
 * peer that cannot have got it from where it came: peers tell one another whom they are connected to, and what comes from
 * a peer is taken to go to all of that peer's neighbours. Where everybody is connected with everybody, a message goes
 * once to each; along a line it goes from hop to hop. At most {@link NODE_LIMITS.floodFanout} are handed what somebody
 * else has published. What a wrong or stale list of neighbours leaves out, the repair protocol brings.
 */
export class Flood {
  readonly #send: FloodPorts['send'];
  readonly #isPrivate: FloodPorts['isPrivate'];
  readonly #peers = new Map<PeerId, { readonly name: string; neighbours: ReadonlySet<string> }>();
  #recent = new Set<string>();
  #older = new Set<string>();
  #turn = 0;

  constructor(ports: FloodPorts) {
    this.#send = ports.send;
    this.#isPrivate = ports.isPrivate;
  }

  addPeer(peer: PeerId): void {
    this.#peers.set(peer, { name: nameOfPeer(peer), neighbours: new Set() });
    this.#announce();
  }

  removePeer(peer: PeerId): void {
    if (this.#peers.delete(peer)) this.#announce();
  }

  /** False: malformed. `names` stands after the tag. */
  onNeighbours(peer: PeerId, names: Uint8Array): boolean {
    const count = names.length / NAME_BYTES;
    if (!Number.isInteger(count) || count > NODE_LIMITS.maxNeighbours) return false;
    const entry = this.#peers.get(peer);
    if (entry !== undefined)
      entry.neighbours = new Set(
        Array.from({ length: count }, (_, i) => toHex(names.subarray(i * NAME_BYTES, (i + 1) * NAME_BYTES))),
      );
    return true;
  }

  /** Whether both of these peers say that they have the other; what only one says may be made up. */
  areConnected(a: PeerId, b: PeerId): boolean {
    const [one, other] = [this.#peers.get(a), this.#peers.get(b)];
    return one !== undefined && other !== undefined && one.neighbours.has(other.name) && other.neighbours.has(one.name);
  }

  publish(message: Uint8Array): void {
    this.accept(hash('sha256', message, 'base64'));
    const tagged = concat(Uint8Array.of(FLOOD_TAG), message);
    for (const peer of this.#peers.keys()) this.#send(peer, tagged);
  }

  /** The name of a message that came, to ask and tell by; `undefined`: it was accepted before. */
  nameOfNew(message: Uint8Array): string | undefined {
    const name = hash('sha256', message, 'base64');
    return this.#recent.has(name) || this.#older.has(name) ? undefined : name;
  }

  /** It need not be looked at again. Of what is not accepted nothing is remembered: it may be worth more later. */
  accept(name: string): void {
    if (this.#recent.size >= NODE_LIMITS.rememberedMessages) {
      this.#older = this.#recent;
      this.#recent = new Set();
    }
    this.#recent.add(name);
  }

  /** Hands on what came from a peer, `tagged` as it came. */
  forward(from: PeerId, tagged: Uint8Array): void {
    const reached = this.#peers.get(from)?.neighbours;
    const lacking = [...this.#peers].filter(([peer, { name }]) => peer !== from && reached?.has(name) !== true);
    const count = Math.min(lacking.length, NODE_LIMITS.floodFanout);
    // In turn, so that everybody of many is reached by somebody.
    for (let i = 0; i < count; i++) {
      const chosen = lacking[(this.#turn + i) % lacking.length];
      if (chosen !== undefined) this.#send(chosen[0], tagged);
    }
    this.#turn += count;
  }

  /** Tells everybody whom messages of this node reach. */
  #announce(): void {
    const names = [...this.#peers]
      .filter(([peer]) => !this.#isPrivate(peer))
      .slice(0, NODE_LIMITS.maxNeighbours)
      .map(([, { name }]) => fromHex(name));
    const list = concat(Uint8Array.of(NEIGHBOURS_TAG), ...names);
    for (const peer of this.#peers.keys()) this.#send(peer, list);
  }
}
