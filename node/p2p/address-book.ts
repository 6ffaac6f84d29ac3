import { isIP } from 'node:net';
import { peerIdFromString } from '@libp2p/peer-id';
import type { PeerAddress } from '../config/address.ts';
import { NODE_LIMITS } from '../limits.ts';

export interface BookEntry extends PeerAddress {
  /** The peer that told of it; its own id when it came by itself. */
  readonly source: string;
  /** Whether a connection to it has ever succeeded. */
  readonly tried: boolean;
  readonly failures: number;
  /** Unix milliseconds of the last attempt; 0: none. */
  readonly attemptedMs: number;
}

export interface AddressBookOptions {
  /** Never kept, never told: this node, and the peers that it hides. */
  readonly hidden: ReadonlySet<string>;
  /** Loopback and private addresses are refused: outside, they lead nowhere or to the wrong place. */
  readonly strict: boolean;
}

export interface AddressBookDeps {
  readonly now: () => number;
  /** From 0 inclusive to 1 exclusive. */
  readonly random: () => number;
}

/**
 * The peers that this node has heard of. What others tell is bounded three ways, so that nobody can fill the book with
 * himself: in all, by teller, and by network; and what was connected once gives way to nothing that is merely told.
 */
export class AddressBook {
  readonly #options: AddressBookOptions;
  readonly #deps: AddressBookDeps;
  readonly #entries = new Map<string, BookEntry>();
  #changed = false;

  constructor(options: AddressBookOptions, deps: AddressBookDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(id: string): BookEntry | undefined {
    return this.#entries.get(id);
  }

  /** Something that somebody told. False: not kept. */
  add(address: PeerAddress, source: string): boolean {
    const { id } = address;
    if (!this.#isWorthKeeping(address)) return false;
    const before = this.#entries.get(id);
    // What is known by experience is not changed by hearsay; the peer itself may move.
    if (before !== undefined && (before.tried || before.source !== source)) return false;
    if (before === undefined && !this.#hasRoom(address, source)) return false;
    this.#put({ ...pick(address), source, tried: false, failures: 0, attemptedMs: 0 });
    return true;
  }

  /** A connection to this address has succeeded. */
  succeeded(address: PeerAddress): void {
    if (!this.#isWorthKeeping(address)) return;
    if (!this.#entries.has(address.id) && this.#entries.size >= NODE_LIMITS.maxBookAddresses && !this.#evict()) return;
    const source = this.#entries.get(address.id)?.source ?? address.id;
    this.#put({ ...pick(address), source, tried: true, failures: 0, attemptedMs: this.#deps.now() });
  }

  /** An attempt has failed. Who fails too often is forgotten. */
  failed(id: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    const failures = entry.failures + 1;
    this.#changed = true;
    if (failures >= (entry.tried ? NODE_LIMITS.bookFailuresOfTried : NODE_LIMITS.bookFailuresOfNew))
      this.#entries.delete(id);
    else this.#entries.set(id, { ...entry, failures, attemptedMs: this.#deps.now() });
  }

  /** Misbehaved: forgotten. */
  remove(id: string): void {
    if (this.#entries.delete(id)) this.#changed = true;
  }

  /** One to dial, not among `except`; tried ones and new ones with even chances. */
  choose(except: (id: string) => boolean): BookEntry | undefined {
    const now = this.#deps.now();
    const ready = [...this.#entries.values()].filter((entry) => !except(entry.id) && now >= nextAttemptMs(entry));
    const tried = ready.filter((entry) => entry.tried);
    const fresh = ready.filter((entry) => !entry.tried);
    const preferTried = this.#deps.random() < 0.5;
    const from = (preferTried && tried.length > 0) || fresh.length === 0 ? tried : fresh;
    return from[Math.floor(this.#deps.random() * from.length)];
  }

  /** At most `count` of them, drawn at random, for a peer that asks; none that fails. */
  sample(count: number, except: (id: string) => boolean): readonly PeerAddress[] {
    const good = [...this.#entries.values()].filter((entry) => entry.failures === 0 && !except(entry.id));
    for (let i = 0; i < Math.min(count, good.length); i++) {
      const j = i + Math.floor(this.#deps.random() * (good.length - i));
      [good[i], good[j]] = [good[j] as BookEntry, good[i] as BookEntry];
    }
    return good.slice(0, count).map(pick);
  }

  /** The text of the file, when it has changed since this was asked last. */
  render(): string | undefined {
    if (!this.#changed) return undefined;
    this.#changed = false;
    return `${JSON.stringify({ version: 1, addresses: [...this.#entries.values()] }, undefined, 2)}\n`;
  }

  /** Takes over a file's content. False: it is not one; what could be read of it is not kept either. */
  load(text: string): boolean {
    let entries: readonly BookEntry[] | undefined;
    try {
      entries = readEntries(JSON.parse(text));
    } catch {
      return false;
    }
    if (entries === undefined) return false;
    for (const entry of entries.slice(0, NODE_LIMITS.maxBookAddresses)) {
      if (this.#isWorthKeeping(entry)) this.#entries.set(entry.id, entry);
    }
    return true;
  }

  #isWorthKeeping({ id, host, port }: PeerAddress): boolean {
    if (this.#options.hidden.has(id) || port < 1 || port > 65_535 || isIP(host) === 0) return false;
    try {
      peerIdFromString(id);
    } catch {
      return false;
    }
    return !this.#options.strict || isRoutable(host);
  }

  #hasRoom({ host }: PeerAddress, source: string): boolean {
    let bySource = 0;
    let byNetwork = 0;
    for (const entry of this.#entries.values()) {
      if (entry.tried) continue;
      if (entry.source === source) bySource += 1;
      if (networkOf(entry.host) === networkOf(host)) byNetwork += 1;
    }
    if (bySource >= NODE_LIMITS.maxBookAddressesPerSource || byNetwork >= NODE_LIMITS.maxBookAddressesPerNetwork)
      return false;
    return this.#entries.size < NODE_LIMITS.maxBookAddresses || this.#evict();
  }

  /** Drops the worst that was never connected. */
  #evict(): boolean {
    let worst: BookEntry | undefined;
    for (const entry of this.#entries.values())
      if (!entry.tried && (worst === undefined || entry.failures > worst.failures)) worst = entry;
    return worst !== undefined && this.#entries.delete(worst.id);
  }

  #put(entry: BookEntry): void {
    this.#entries.set(entry.id, entry);
    this.#changed = true;
  }
}

const pick = ({ id, host, port }: PeerAddress): PeerAddress => ({ id, host, port });

function nextAttemptMs({ attemptedMs, failures }: BookEntry): number {
  if (failures === 0) return 0;
  return attemptedMs + Math.min(NODE_LIMITS.bookRetryMinMs * 2 ** (failures - 1), NODE_LIMITS.bookRetryMaxMs);
}

/** The /16 of an IPv4 address, the /32 of an IPv6 one: what one operator is likely to hold. */
function networkOf(host: string): string {
  return host.includes(':') ? host.split(':').slice(0, 2).join(':') : host.split('.').slice(0, 2).join('.');
}

/** Not loopback, private, link-local, unspecified or multicast (RFC 6890). */
export function isRoutable(host: string): boolean {
  if (host.includes(':')) return /^[23]/.test(host) && !/^2001:0?db8:/i.test(host);
  const [a = 0, b = 0] = host.split('.').map(Number);
  if (a === 0 || a === 10 || a === 127 || a >= 224) return false;
  return (
    !((a === 100 && b >= 64 && b < 128) || (a === 169 && b === 254) || (a === 172 && b >= 16 && b < 32)) &&
    !(a === 192 && b === 168)
  );
}

function readEntries(file: unknown): readonly BookEntry[] | undefined {
  if (typeof file !== 'object' || file === null || !('version' in file) || file.version !== 1) return undefined;
  if (!('addresses' in file) || !Array.isArray(file.addresses)) return undefined;
  const entries: BookEntry[] = [];
  for (const item of file.addresses as readonly Partial<Record<keyof BookEntry, unknown>>[]) {
    if (typeof item !== 'object' || item === null) return undefined;
    const { id, host, port, source, tried, failures, attemptedMs } = item;
    if (typeof id !== 'string' || typeof host !== 'string' || typeof source !== 'string') return undefined;
    if (!isCount(port) || !isCount(failures) || !isCount(attemptedMs) || typeof tried !== 'boolean') return undefined;
    entries.push({ id, host, port, source, tried, failures, attemptedMs });
  }
  return entries;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
