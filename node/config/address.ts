import { err, ok, type Result } from '#core/result.ts';

/** Where to listen. Port 0 asks the system for a free one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** A peer to stay connected with. */
export interface PeerAddress extends ListenAddress {
  /** libp2p peer id (base58btc multihash of the node's ed25519 key). */
  readonly id: string;
}

/** `tcp://host:port` or `host:port`; IPv6 hosts in brackets. */
export function parseListenAddress(text: string): Result<ListenAddress, string> {
  const match = /^(?:tcp:\/\/)?(\[[0-9a-fA-F:.]+\]|[^:/@\s]+):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port > 65_535)
    return err(`expected tcp://host:port with a port of at most 65535, got ${JSON.stringify(text)}`);
  return ok({ host: (match[1] as string).replace(/^\[|\]$/g, ''), port });
}

export function formatListenAddress({ host, port }: ListenAddress): string {
  return `tcp://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

const PEER_FORM = 'id@host:port with the id that `autond comet show-node-id` prints there, 12D3KooW…';

/** Comma-separated `id@host:port`; the empty text is the empty list. */
export function parsePeers(text: string): Result<readonly PeerAddress[], string> {
  const peers: PeerAddress[] = [];
  for (const item of text.split(',').map((part) => part.trim())) {
    if (item === '') continue;
    const at = item.indexOf('@');
    const id = item.slice(0, Math.max(at, 0));
    // Some of these are base58 too. `status` and net_info show ids in this form, for clients of CometBFT's RPC.
    if (/^[0-9a-f]{40}$/i.test(id)) return err(`${id} is an id as status shows it; expected ${PEER_FORM}`);
    if (!/^[1-9A-HJ-NP-Za-km-z]{40,60}$/.test(id)) return err(`expected ${PEER_FORM}, got ${JSON.stringify(item)}`);
    const address = parseListenAddress(item.slice(at + 1));
    if (!address.ok) return err(`peer ${id}: ${address.error}`);
    peers.push({ id, ...address.value });
  }
  return ok(peers);
}
