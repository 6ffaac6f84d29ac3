import { isIP } from 'node:net';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import { identify } from '@libp2p/identify';
import type { Libp2p } from '@libp2p/interface';
import { noise } from '@libp2p/noise';
import { peerIdFromString } from '@libp2p/peer-id';
import { ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import type { Logger } from '#core/ports/logger.ts';
import { siteOf } from '#core/site.ts';
import type { ListenAddress, PeerAddress } from '../config/address.ts';
import type { PeerId, Transport } from '../driver/ports.ts';
import { NODE_LIMITS } from '../limits.ts';
import { readFileBounded, replaceFileDurably } from '../storage/durable-file.ts';
import { AddressBook } from './address-book.ts';
import { coalescing } from './coalesce.ts';
import { Flood } from './flood.ts';
import { MessageGate, type MessageJudges, TX_TAG } from './message-gate.ts';
import { type NetworkNames, networkNames } from './network-names.ts';
import { noiseCrypto } from './noise-crypto.ts';
import { PeerExchange } from './peer-exchange.ts';
import { PeerGuard } from './peer-guard.ts';
import { managePeers, type PeerManager } from './peer-manager.ts';
import { PeerTable } from './peer-table.ts';
import { PendingInbound } from './pending-inbound.ts';
import { keepDialing, type Redialer } from './redial.ts';

/** Where arriving messages go. */
export interface PeerHandlers extends MessageJudges {
  /** Messages can be sent to this peer from now on. */
  connected(peer: PeerId): void;
  disconnected(peer: PeerId): void;
}

export interface ConnectedPeer {
  readonly id: PeerId;
  readonly moniker: string;
  readonly listenAddress: string;
  readonly remoteIp: string;
  readonly outbound: boolean;
}

export interface P2pOptions {
  /** 32 bytes: seed of the node's ed25519 key. */
  readonly seed: Uint8Array;
  readonly moniker: string;
  readonly chainId: string;
  readonly genesisHash: Uint8Array;
  readonly listen: ListenAddress;
  readonly persistentPeers: readonly PeerAddress[];
  /** Peers that connect to this node, and peers that it looks for; persistent ones count for neither. */
  readonly maxInboundPeers: number;
  readonly maxOutboundPeers: number;
  /** Inbound connections from one IP address. */
  readonly maxPeersPerHost: number;
  /** Asked for addresses when there is nobody else to ask. */
  readonly seeds: readonly PeerAddress[];
  /** Ids of peers that nobody is told of. */
  readonly privatePeers: readonly PeerId[];
  /** Whether addresses are asked for and told. */
  readonly exchangeAddresses: boolean;
  /** Whether loopback and private addresses are refused. */
  readonly strictAddresses: boolean;
  /** Undefined: the address book is forgotten at the end. */
  readonly addressBookFile: string | undefined;
}

export interface P2pHost extends Transport {
  readonly id: PeerId;
  /** A transaction, to one peer. False: too much waits for him already; later, perhaps. */
  sendTx(peer: PeerId, bytes: Uint8Array): boolean;
  /** Whether both of these peers say that they are connected with the other. */
  areConnected(peer: PeerId, other: PeerId): boolean;
  peers(): readonly ConnectedPeer[];
  /** Addresses that are listened on, once started. */
  listenAddresses(): readonly ListenAddress[];
  /** @throws Error when the port is busy. */
  start(handlers: PeerHandlers): Promise<void>;
  close(): Promise<void>;
}

/**
 * The peer-to-peer network: libp2p over TCP with noise and yamux, and one direct stream to each peer. What is for
 * everybody is flooded, each receiver handing it on only after accepting it: see flood.ts.
 */
export async function createP2pHost(
  options: P2pOptions,
  dependencies: { readonly logger: Logger; readonly now: () => number },
): Promise<P2pHost> {
  const names = networkNames(options.chainId, options.genesisHash);
  const guard = new PeerGuard(dependencies.now);
  // The gater asks how many are connected; nobody is before `start`.
  let peers: PeerTable | undefined;
  const persistent = new Set(options.persistentPeers.map((peer) => peer.id));
  const hidden = new Set(options.privatePeers);
  const flood = new Flood({
    send: (peer, bytes) => peers?.send(peer, bytes),
    isPrivate: (peer) => hidden.has(peer),
  });
  const node = await createNode(options, {
    isBanned: (peer) => guard.isBanned(peer),
    admitsInbound: (peer, host) => persistent.has(peer) || hasRoomFor(host, options, node, persistent),
  });
  const id = node.peerId.toString();
  const { logger } = dependencies;
  const book = await openBook(options, id, dependencies);
  const exchange = new PeerExchange({
    book,
    send: (peer, bytes) => peers?.send(peer, bytes),
    now: dependencies.now,
    isBanned: (peer) => guard.isBanned(peer),
  });
  let manager: PeerManager | undefined;
  let gate: MessageGate | undefined;
  let redialer: Redialer | undefined;

  return {
    id,
    publish: (bytes) => flood.publish(bytes),
    send: (peer, bytes) => peers?.send(peer, bytes),
    fault: (peer, reason) => gate?.refuse(peer, reason),
    isBusy: (peer) => peers?.isBusy(peer) === true,
    sendTx: (peer, bytes) => peers?.sendUnlessBusy(peer, bytes, TX_TAG) ?? false,
    areConnected: (peer, other) => flood.areConnected(peer, other),
    peers: () => (peers === undefined ? [] : describePeers(node, peers)),
    listenAddresses: () =>
      node
        .getMultiaddrs()
        .map(hostAndPort)
        .filter((address) => address !== undefined),
    async start(handlers) {
      const known = { names, node, guard, book, logger };
      const { table, banned } = peerTable(known, {
        connected(peer) {
          flood.addPeer(peer);
          manager?.poke();
          handlers.connected(peer);
        },
        disconnected(peer) {
          flood.removePeer(peer);
          handlers.disconnected(peer);
        },
      });
      peers = table;
      const shared = options.exchangeAddresses ? exchange : undefined;
      gate = new MessageGate({ guard, judges: handlers, logger, hangUp: banned, flood, exchange: shared });
      await listen(node, names, gate, table);
      await startOrExplain(node, options.listen);
      const dial = async (peer: PeerAddress) => {
        await node.dial(toMultiaddr(peer, peer.id));
      };
      const others = options.persistentPeers.filter((peer) => peer.id !== id);
      redialer = keepDialing(others, { isConnected: (peer) => table.has(peer), dial, logger });
      if (!options.exchangeAddresses) return;
      manager = managePeers(options, {
        book,
        exchange,
        connected: () => [...table.all()].filter((peer) => peer.sender !== undefined).map((peer) => peer.id),
        outbound: () => countDirection(node, 'outbound', persistent),
        isExcluded: (peer) => peer === id || persistent.has(peer) || guard.isBanned(peer),
        dial,
        save: async (text) => {
          if (options.addressBookFile !== undefined) await replaceFileDurably(options.addressBookFile, text);
        },
        random: Math.random,
        logger,
      });
    },
    async close() {
      peers?.close();
      await manager?.stop();
      await redialer?.stop();
      await node.stop();
    },
  };
}

/** The table of the connected peers, and what becomes of one that is banned. */
function peerTable(
  known: {
    readonly names: NetworkNames;
    readonly node: Libp2p;
    readonly guard: PeerGuard;
    readonly book: AddressBook;
    readonly logger: Logger;
  },
  handlers: Pick<PeerHandlers, 'connected' | 'disconnected'>,
): { readonly table: PeerTable; banned(peer: PeerId): void } {
  const { names, node, guard, book, logger } = known;
  const banned = (peer: PeerId) => {
    book.remove(peer);
    node
      .hangUp(peerIdFromString(peer))
      .catch((error: unknown) => logger.debug('hang-up failed', { peer, error: String(error) }));
  };
  const table = new PeerTable({
    open: (peer) => node.dialProtocol(peerIdFromString(peer), names.directProtocol),
    foreign(peer) {
      logger.warn('peer is of another network: disconnected', { peer, expected: names.directProtocol });
      guard.ban(peer);
      banned(peer);
    },
    connected: (peer) => handlers.connected(peer),
    disconnected: (peer) => handlers.disconnected(peer),
    identified(peer, listen) {
      // The port is what he says, the host is where he is: nobody is sent to a third party.
      const connection = node.getConnections(peerIdFromString(peer))[0];
      const remote = connection?.direction === 'inbound' ? hostAndPort(connection.remoteAddr) : undefined;
      if (remote !== undefined) book.add({ id: peer, host: remote.host, port: listen.port }, peer);
    },
    logger,
  });
  return { table, banned };
}

/** Connects what arrives with who takes it. */
async function listen(node: Libp2p, names: NetworkNames, gate: MessageGate, peers: PeerTable): Promise<void> {
  const streams = { maxInboundStreams: 4, maxOutboundStreams: 4 };
  await node.handle(names.directProtocol, (stream, connection) => gate.read(stream, connection), streams);
  node.addEventListener('peer:connect', (event) => peers.onConnect(event.detail.toString()));
  node.addEventListener('peer:disconnect', (event) => peers.onDisconnect(event.detail.toString()));
  node.addEventListener('peer:identify', ({ detail }) =>
    peers.onIdentify(detail, detail.listenAddrs[0] && hostAndPort(detail.listenAddrs[0])),
  );
}

function describePeers(node: Libp2p, peers: PeerTable): ConnectedPeer[] {
  const described: ConnectedPeer[] = [];
  for (const { id, sender, moniker, listenAddress } of peers.all()) {
    const connection = node.getConnections(peerIdFromString(id))[0];
    if (connection === undefined || sender === undefined) continue;
    const remoteIp = hostAndPort(connection.remoteAddr)?.host ?? '';
    described.push({ id, moniker, listenAddress, remoteIp, outbound: connection.direction === 'outbound' });
  }
  return described;
}

/** Connected peers of that direction, persistent ones not counted; those at `host` when it is given. */
function countDirection(
  node: Libp2p,
  direction: 'inbound' | 'outbound',
  persistent: ReadonlySet<PeerId>,
  host?: string,
): number {
  const found = new Set<PeerId>();
  for (const connection of node.getConnections()) {
    const peer = connection.remotePeer.toString();
    if (connection.direction !== direction || persistent.has(peer)) continue;
    if (host === undefined || siteOf(hostAndPort(connection.remoteAddr)?.host ?? '') === siteOf(host)) found.add(peer);
  }
  return found.size;
}

function hasRoomFor(host: string, options: P2pOptions, node: Libp2p, persistent: ReadonlySet<PeerId>): boolean {
  return (
    countDirection(node, 'inbound', persistent) < options.maxInboundPeers &&
    countDirection(node, 'inbound', persistent, host) < options.maxPeersPerHost
  );
}

async function openBook(
  options: P2pOptions,
  id: PeerId,
  { logger, now }: { readonly logger: Logger; readonly now: () => number },
): Promise<AddressBook> {
  const hidden = new Set([id, ...options.privatePeers]);
  const book = new AddressBook({ hidden, strict: options.strictAddresses }, { now, random: Math.random });
  const path = options.addressBookFile;
  const bytes = path === undefined ? undefined : await readFileBounded(path, NODE_LIMITS.maxBookBytes);
  if (bytes !== undefined && !book.load(new TextDecoder().decode(bytes)))
    logger.warn('the address book is damaged: a new one begins', { path });
  return book;
}

interface Gate {
  isBanned(peer: PeerId): boolean;
  admitsInbound(peer: PeerId, host: string): boolean;
}

async function createNode(options: P2pOptions, gate: Gate): Promise<Libp2p> {
  const pending = new PendingInbound();
  return createLibp2p({
    start: false,
    privateKey: await generateKeyPairFromSeed('Ed25519', options.seed),
    nodeInfo: { userAgent: `autonomy/1 ${options.moniker}` },
    addresses: { listen: [toMultiaddr(options.listen).toString()] },
    transports: [tcp({ socketOptions: { noDelay: true } } as Parameters<typeof tcp>[0])],
    connectionEncrypters: [coalescing(noise({ crypto: noiseCrypto }))],
    streamMuxers: [yamux()],
    connectionManager: {
      maxConnections: 2 * (options.maxInboundPeers + options.maxOutboundPeers + options.persistentPeers.length),
      inboundConnectionThreshold: NODE_LIMITS.inboundConnectionsPerSecond,
      maxIncomingPendingConnections: NODE_LIMITS.maxPendingInbound,
      // Persistent peers are dialled by redial.ts, without end.
      reconnectRetries: 0,
    },
    connectionGater: {
      denyDialMultiaddr: () => false,
      denyDialPeer: (peer) => gate.isBanned(peer.toString()),
      denyInboundConnection: (connection) => {
        const address = connection.remoteAddr.toString();
        if (!pending.admit(address, hostAndPort(connection.remoteAddr)?.host ?? '')) return true;
        connection.addEventListener('close', () => pending.settle(address));
        return false;
      },
      denyInboundEncryptedConnection: (peer, { remoteAddr }) => {
        pending.settle(remoteAddr.toString());
        const host = hostAndPort(remoteAddr)?.host ?? '';
        return gate.isBanned(peer.toString()) || !gate.admitsInbound(peer.toString(), host);
      },
      denyOutboundEncryptedConnection: (peer) => gate.isBanned(peer.toString()),
    },
    services: {
      identify: identify({ protocolPrefix: 'autonomy' }),
      ping: ping({ protocolPrefix: 'autonomy' }),
    },
  });
}

async function startOrExplain(node: Libp2p, listen: ListenAddress): Promise<void> {
  try {
    await node.start();
  } catch (error) {
    const text =
      error instanceof Error ? `${error.message} ${'errors' in error ? String(error.errors) : ''}` : String(error);
    const busy = /EADDRINUSE|address already in use|could not listen|not.*listen/i.test(text);
    const where = `${listen.host}:${listen.port}`;
    throw new Error(
      busy
        ? `the p2p port ${where} is busy or cannot be bound: stop what holds it, or set p2p.laddr to another (${text.trim()})`
        : `the p2p network did not start on ${where}: ${text.trim()}`,
      { cause: error },
    );
  }
}

function toMultiaddr(address: ListenAddress, id?: string): Multiaddr {
  const version = isIP(address.host);
  const kind = version === 4 ? 'ip4' : version === 6 ? 'ip6' : 'dns';
  return multiaddr(`/${kind}/${address.host}/tcp/${address.port}${id === undefined ? '' : `/p2p/${id}`}`);
}

/** `undefined` unless the address names a host and a TCP port. */
function hostAndPort(address: Multiaddr): ListenAddress | undefined {
  let host: string | undefined;
  let port: string | undefined;
  for (const { name, value } of address.getComponents()) {
    if (name === 'ip4' || name === 'ip6' || name.startsWith('dns')) host ??= value;
    else if (name === 'tcp') port ??= value;
  }
  return host === undefined || port === undefined ? undefined : { host, port: Number(port) };
}
