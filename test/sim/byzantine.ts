/** How Byzantine validators misbehave. Each is the production executor with something bent. */

import { decodePeerMessage, encodePeerMessage } from '#consensus/messages.ts';
import type { Application } from '#core/abci.ts';
import { utf8 } from '#core/bytes.ts';
import { NIL_BLOCK_ID } from '#core/types/block-id.ts';
import { voteExtensionSignBytes, voteSignBytes } from '#core/types/vote.ts';
import type { SimKey } from './keys.ts';
import type { Rng } from './rng.ts';

/**
 * `twins`: two processes with one key and no memory of what was signed, each playing for one half of the network.
 * `equivocate`: sends every other peer a second vote. `withhold`: drops half of what it should send.
 * `amnesia`: loses its log and what it has signed at every crash, and crashes often: it votes again, lock or no lock.
 * `bad-proposals`: proposes what the application refuses. `bad-extensions`: extends its votes wrongly.
 */
export const BYZANTINE_KINDS = [
  'twins',
  'equivocate',
  'withhold',
  'amnesia',
  'bad-proposals',
  'bad-extensions',
] as const;
export type ByzantineKind = (typeof BYZANTINE_KINDS)[number];

export type Send = (to: string, bytes: Uint8Array) => void;

/** What `publish` of a bent node does. */
export function bentPublish(
  kind: ByzantineKind,
  key: SimKey,
  chainId: string,
  peers: readonly string[],
  send: Send,
  rng: Rng,
): (bytes: Uint8Array) => void {
  return (bytes) => {
    const second = kind === 'equivocate' ? contradiction(key, chainId, bytes, rng) : undefined;
    peers.forEach((peer, i) => {
      if (kind === 'withhold' && rng.chance(1 / 2)) return;
      send(peer, second !== undefined && i % 2 === 0 ? second : bytes);
      if (second !== undefined && rng.chance(1 / 4)) send(peer, i % 2 === 0 ? bytes : second);
    });
  };
}

/** Another vote for the same place: nil instead of a block, a made-up block instead of nil. */
export function contradiction(
  key: Pick<SimKey, 'sign'>,
  chainId: string,
  bytes: Uint8Array,
  rng: Pick<Rng, 'below'>,
): Uint8Array | undefined {
  const decoded = decodePeerMessage(bytes);
  if (!decoded.ok || decoded.value.kind !== 'vote') return undefined;
  const { vote } = decoded.value;
  const madeUp = { hash: new Uint8Array(32).fill(rng.below(256)), total: 1 };
  const blockId =
    vote.blockId.hash.length > 0
      ? NIL_BLOCK_ID
      : { hash: madeUp.hash, partSetHeader: { total: madeUp.total, hash: madeUp.hash } };
  const nil = blockId.hash.length === 0;
  const extended = vote.type === 2 && !nil;
  const other = { ...vote, blockId, extension: new Uint8Array(0), extensionSignature: new Uint8Array(0) };
  return encodePeerMessage({
    kind: 'vote',
    vote: {
      ...other,
      signature: key.sign(voteSignBytes(chainId, other)),
      extensionSignature: extended ? key.sign(voteExtensionSignBytes(chainId, other)) : other.extensionSignature,
    },
  });
}

export function bentApp(kind: ByzantineKind, rng: Rng): (app: Application) => Application {
  return (app) => {
    if (kind === 'bad-extensions')
      return {
        ...app,
        extendVote: (request) => (rng.chance(1 / 2) ? utf8('wrong') : app.extendVote(request)),
      };
    if (kind !== 'bad-proposals') return app;
    return {
      ...app,
      prepareProposal: (request) => {
        const honest = app.prepareProposal(request);
        return rng.chance(1 / 2) ? [utf8('inject:99:9'), ...honest] : honest;
      },
      processProposal: () => ({ accept: true, reason: '' }),
    };
  };
}
