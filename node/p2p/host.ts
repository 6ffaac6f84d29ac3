import { isIP } from 'node:net';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import { type GossipSub, gossipsub, TopicValidatorResult } from '@libp2p/gossipsub';
import { identify } from '@libp2p/identify';
import type { Connection, IdentifyResult, Libp2p, PeerId as Libp2pPeerId, Stream } from '@libp2p/interface';
import { noise } from '@libp2p/noise';
import { peerIdFromString } from '@libp2p/peer-id';
import { ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { CONSENSUS_LIMITS } from '#consensus/limits.ts';
import { concat } from '#core/bytes.ts';
import { sha256Truncated } from '#core/crypto/hash.ts';
import type { Logger } from '#core/ports/logger.ts';
import { formatListenAddress, type ListenAddress, type PeerAddress } from '../config/address.ts';
import { IGNORE, type Verdict } from '../driver/intake.ts';
import type { PeerId, Transport } from '../driver/ports.ts';
import { NODE_LIMITS } from '../limits.ts';
import { DirectSender } from './direct-stream.ts';
import { FrameReader } from './framing.ts';
import { type NetworkNames, networkNames } from './network-names.ts';
import { PeerGuard } from './peer-guard.ts';
import { keepDialing, type Redialer } from './redial.ts';

/** Where arriving messages go. */
export interface PeerHandlers {
  /** A consensus message, by gossip or by direct stream; gossip forwards it only when the verdict is `accept`. */
  message(peer: PeerId, bytes: Uint8Array): Promise<Verdict> | Verdict;
  /** A gossiped transaction. */
  tx(peer: PeerId, bytes: Uint8Array): Promise<Verdict>;
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
  readonly maxPeers: number;
}

export interface P2pHost extends Transport {
  readonly id: PeerId;
  /** Gossip to everybody. */
  publishTx(bytes: Uint8Array): void;
  /** To one peer, who gossips it on when it is new to him. */
  sendTx(peer: PeerId, bytes: Uint8Array): void;
  peers(): readonly ConnectedPeer[];
  /** Addresses that are listened on, once started. */
  listenAddresses(): readonly ListenAddress[];
  /** @throws Error when the port is busy. */
  start(handlers: PeerHandlers): Promise<void>;
  close(): Promise<void>;
}

type Node = Libp2p<{ pubsub: GossipSub }>;

interface PeerEntry {
  sender: DirectSender | undefined;
  opening: boolean;
  moniker: string;
  listenAddress: string;
}

/** The field tag of a block response, the one message that may be as large as a block. */
const BLOCK_RESPONSE_TAG = (6 << 3) | 2;
/** Before a transaction on a direct stream: no consensus message begins with it. */
const TX_TAG = (15 << 3) | 2;

function frameLimit(firstByte: number): number {
  if (firstByte === BLOCK_RESPONSE_TAG) return CONSENSUS_LIMITS.maxBlockResponseBytes;
  return firstByte === TX_TAG ? NODE_LIMITS.maxGossipTxBytes + 1 : CONSENSUS_LIMITS.maxMessageBytes;
}

/**
 * The peer-to-peer network: libp2p over TCP with noise and yamux. First delivery goes by gossipsub, whose messages are
 * forwarded only after their receiver has accepted them; everything else by one direct stream to each peer.
 */
export async function createP2pHost(
  options: P2pOptions,
  dependencies: { readonly logger: Logger; readonly now: () => number },
): Promise<P2pHost> {
  const { logger, now } = dependencies;
  const names = networkNames(options.chainId, options.genesisHash);
  const guard = new PeerGuard(now);
  const entries = new Map<PeerId, PeerEntry>();
  const node = await createNode(options, names, guard, () => entries.size);
  const id = node.peerId.toString();
  let handlers: PeerHandlers | undefined;
  let redialer: Redialer | undefined;
  let closing = false;

  function punish(peer: PeerId, reason: string, weight = 1): void {
    logger.warn('peer sent an invalid message', { peer, reason });
    if (!guard.fault(peer, weight)) return;
    logger.warn('peer is banned', { peer, forMs: NODE_LIMITS.banMs });
    hangUp(peer);
  }

  function hangUp(peer: PeerId): void {
    node
      .hangUp(peerIdFromString(peer))
      .catch((error: unknown) => logger.debug('hang-up failed', { peer, error: String(error) }));
  }

  async function judge(peer: PeerId, bytes: Uint8Array): Promise<Verdict> {
    if (handlers === undefined || !guard.admitMessage(peer, bytes.length)) return IGNORE;
    const verdict = await handlers.message(peer, bytes);
    if (verdict.kind === 'reject') punish(peer, verdict.reason);
    return verdict;
  }

  async function validateGossip(peer: Libp2pPeerId, data: Uint8Array): Promise<Verdict> {
    const from = peer.toString();
    if (data.length > CONSENSUS_LIMITS.maxMessageBytes) {
      const reason = `gossip of ${data.length} bytes`;
      punish(from, reason);
      return { kind: 'reject', reason };
    }
    return judge(from, data);
  }

  async function validateTx(from: PeerId, data: Uint8Array): Promise<Verdict> {
    if (handlers === undefined || !guard.admitTx(from)) return IGNORE;
    if (data.length === 0 || data.length > NODE_LIMITS.maxGossipTxBytes) {
      const reason = `a transaction of ${data.length} bytes`;
      punish(from, reason);
      return { kind: 'reject', reason };
    }
    const verdict = await handlers.tx(from, data);
    if (verdict.kind === 'reject') punish(from, verdict.reason);
    return verdict;
  }

  async function receiveDirect(peer: PeerId, message: Uint8Array): Promise<void> {
    if (message[0] !== TX_TAG) {
      await judge(peer, message);
      return;
    }
    const tx = message.subarray(1);
    if ((await validateTx(peer, tx)).kind === 'accept') publishTo(node, names.txTopic, tx, logger);
  }

  function readDirect(stream: Stream, connection: Connection): void {
    const peer = connection.remotePeer.toString();
    const reader = new FrameReader(frameLimit);
    stream.addEventListener('message', (event) => {
      const messages = reader.push(event.data instanceof Uint8Array ? event.data : event.data.subarray());
      if (!messages.ok) {
        punish(peer, messages.error, NODE_LIMITS.peerFaultsPerMinute);
        stream.abort(new Error(messages.error));
        return;
      }
      for (const message of messages.value)
        receiveDirect(peer, message).catch((error: unknown) =>
          logger.error('handling a message failed', { peer, error: String(error) }),
        );
    });
  }

  async function openSender(peer: PeerId, entry: PeerEntry): Promise<void> {
    if (entry.opening || entry.sender !== undefined || closing) return;
    entry.opening = true;
    try {
      const stream = await node.dialProtocol(peerIdFromString(peer), names.directProtocol);
      const sender = new DirectSender(stream, () => {
        if (entry.sender !== sender) return;
        entry.sender = undefined;
        handlers?.disconnected(peer);
        // The connection may live on while its stream was reset.
        if (entries.get(peer) === entry) setTimeout(() => void openSender(peer, entry), NODE_LIMITS.redialMinMs);
      });
      if (entries.get(peer) !== entry) {
        await sender.close();
        return;
      }
      entry.sender = sender;
      logger.info('peer connected', { peer, moniker: entry.moniker, peers: entries.size });
      handlers?.connected(peer);
    } catch (error) {
      if (error instanceof Error && error.name === 'UnsupportedProtocolError') {
        logger.warn('peer is of another network: disconnected', { peer, expected: names.directProtocol });
        guard.ban(peer);
        hangUp(peer);
      } else logger.debug('no direct stream to peer', { peer, error: String(error) });
    } finally {
      entry.opening = false;
    }
  }

  function onConnect(peer: PeerId): void {
    if (closing || entries.has(peer)) return;
    const entry: PeerEntry = { sender: undefined, opening: false, moniker: '', listenAddress: '' };
    entries.set(peer, entry);
    void openSender(peer, entry);
  }

  function onDisconnect(peer: PeerId): void {
    const entry = entries.get(peer);
    if (entry === undefined) return;
    entries.delete(peer);
    guard.forget(peer);
    logger.info('peer disconnected', { peer, peers: entries.size });
    if (entry.sender !== undefined) {
      entry.sender = undefined;
      handlers?.disconnected(peer);
    }
  }

  function onIdentify(result: IdentifyResult): void {
    const entry = entries.get(result.peerId.toString());
    if (entry === undefined) return;
    entry.moniker = (result.agentVersion ?? '').replace(/^autonomy\/\S+ /, '').slice(0, 128);
    entry.listenAddress = toTcp(result.listenAddrs[0]);
  }

  return {
    id,
    publish(bytes) {
      publishTo(node, names.consensusTopic, bytes, logger);
    },
    publishTx(bytes) {
      publishTo(node, names.txTopic, bytes, logger);
    },
    send(peer, bytes) {
      entries.get(peer)?.sender?.send(bytes);
    },
    sendTx(peer, bytes) {
      entries.get(peer)?.sender?.send(concat(Uint8Array.of(TX_TAG), bytes));
    },
    peers: () => describePeers(node, entries),
    listenAddresses: () =>
      node
        .getMultiaddrs()
        .map(hostAndPort)
        .filter((address) => address !== undefined),
    async start(given) {
      handlers = given;
      const { pubsub } = node.services;
      pubsub.topicValidators.set(names.consensusTopic, async (peer, message) =>
        toResult(await validateGossip(peer, message.data)),
      );
      pubsub.topicValidators.set(names.txTopic, async (peer, message) =>
        toResult(await validateTx(peer.toString(), message.data)),
      );
      await node.handle(names.directProtocol, readDirect, { maxInboundStreams: 4, maxOutboundStreams: 4 });
      node.addEventListener('peer:connect', (event) => onConnect(event.detail.toString()));
      node.addEventListener('peer:disconnect', (event) => onDisconnect(event.detail.toString()));
      node.addEventListener('peer:identify', (event) => onIdentify(event.detail));
      await startOrExplain(node, options.listen);
      pubsub.subscribe(names.consensusTopic);
      pubsub.subscribe(names.txTopic);
      redialer = keepDialing(
        options.persistentPeers.filter((peer) => peer.id !== id),
        {
          isConnected: (peer) => entries.has(peer),
          dial: async (peer) => {
            await node.dial(toMultiaddr(peer, peer.id));
          },
          logger,
        },
      );
    },
    async close() {
      closing = true;
      await redialer?.stop();
      await node.stop();
    },
  };
}

function toResult(verdict: Verdict): TopicValidatorResult {
  switch (verdict.kind) {
    case 'accept':
      return TopicValidatorResult.Accept;
    case 'ignore':
      return TopicValidatorResult.Ignore;
    case 'reject':
      return TopicValidatorResult.Reject;
  }
}

function publishTo(node: Node, topic: string, bytes: Uint8Array, logger: Logger): void {
  node.services.pubsub.publish(topic, bytes).catch((error: unknown) => {
    logger.debug('gossip was not published', { topic, error: String(error) });
  });
}

function describePeers(node: Node, entries: ReadonlyMap<PeerId, PeerEntry>): ConnectedPeer[] {
  const peers: ConnectedPeer[] = [];
  for (const [peer, entry] of entries) {
    const connection = node.getConnections(peerIdFromString(peer))[0];
    if (connection === undefined || entry.sender === undefined) continue;
    peers.push({
      id: peer,
      moniker: entry.moniker,
      listenAddress: entry.listenAddress,
      remoteIp: hostAndPort(connection.remoteAddr)?.host ?? '',
      outbound: connection.direction === 'outbound',
    });
  }
  return peers;
}

async function createNode(
  options: P2pOptions,
  names: NetworkNames,
  guard: PeerGuard,
  connected: () => number,
): Promise<Node> {
  return createLibp2p({
    start: false,
    privateKey: await generateKeyPairFromSeed('Ed25519', options.seed),
    nodeInfo: { userAgent: `autonomy/1 ${options.moniker}` },
    addresses: { listen: [toMultiaddr(options.listen).toString()] },
    transports: [tcp({ socketOptions: { noDelay: true } } as Parameters<typeof tcp>[0])],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionManager: {
      maxConnections: options.maxPeers * 2,
      inboundConnectionThreshold: NODE_LIMITS.inboundConnectionsPerSecond,
      maxIncomingPendingConnections: NODE_LIMITS.maxPendingInbound,
      // Persistent peers are dialled by redial.ts, without end.
      reconnectRetries: 0,
    },
    connectionGater: {
      denyDialMultiaddr: () => false,
      denyDialPeer: (peer) => guard.isBanned(peer.toString()),
      denyInboundEncryptedConnection: (peer) => guard.isBanned(peer.toString()) || connected() >= options.maxPeers,
      denyOutboundEncryptedConnection: (peer) => guard.isBanned(peer.toString()),
    },
    services: {
      identify: identify({ protocolPrefix: 'autonomy' }),
      ping: ping({ protocolPrefix: 'autonomy' }),
      pubsub: gossipsub({
        globalSignaturePolicy: 'StrictNoSign',
        allowPublishToZeroTopicPeers: true,
        ignoreDuplicatePublishError: true,
        emitSelf: false,
        floodPublish: true,
        fallbackToFloodsub: false,
        allowedTopics: [names.consensusTopic, names.txTopic],
        // Both topics carry content that is its own proof: the same bytes are the same message.
        msgIdFn: (message) => sha256Truncated(message.data),
        maxInboundDataLength: 2 * NODE_LIMITS.maxGossipTxBytes,
        maxOutboundBufferSize: NODE_LIMITS.maxPeerQueueBytes,
        // Validators of one operator, or a test network, share an address; faults are counted by peer-guard.ts.
        scoreParams: { IPColocationFactorWeight: 0 },
      }),
    },
  }) as unknown as Promise<Node>;
}

async function startOrExplain(node: Node, listen: ListenAddress): Promise<void> {
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

function toTcp(address: Multiaddr | undefined): string {
  const found = address && hostAndPort(address);
  return found === undefined ? '' : formatListenAddress(found);
}
