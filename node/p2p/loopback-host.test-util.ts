import { silentLogger } from '#core/ports/logger.ts';
import { createP2pHost, type P2pHost, type P2pOptions } from './host.ts';

export const LOOPBACK_CHAIN = 'test';
export const LOOPBACK_GENESIS_HASH = new Uint8Array(32);

/** A host of a small network on this machine, at a free port; not started. `seed`, a byte, decides its id. */
export function createLoopbackHost(seed: number, options: Partial<P2pOptions> = {}): Promise<P2pHost> {
  return createP2pHost(
    {
      seed: new Uint8Array(32).fill(seed),
      moniker: `n${seed}`,
      chainId: LOOPBACK_CHAIN,
      genesisHash: LOOPBACK_GENESIS_HASH,
      listen: { host: '127.0.0.1', port: 0 },
      persistentPeers: [],
      maxInboundPeers: 10,
      maxOutboundPeers: 5,
      maxPeersPerHost: 10,
      seeds: [],
      privatePeers: [],
      exchangeAddresses: false,
      strictAddresses: false,
      addressBookFile: undefined,
      ...options,
    },
    { logger: silentLogger, now: Date.now },
  );
}

/** Where a started host is reached. */
export function addressOf(host: P2pHost) {
  const [listen] = host.listenAddresses();
  if (listen === undefined) throw new Error('not listening');
  return { id: host.id, ...listen };
}
