/** How Byzantine validators misbehave. Each is the production executor with something bent. */

import { decodePeerMessage, encodePeerMessage } from '#consensus/messages.ts';
import type { Application } from '#core/abci.ts';
import { concat, utf8 } from '#core/bytes.ts';
import { encodeBlock, readBlock, txsHash } from '#core/types/block.ts';
import { type BlockId, equalBlockId, NIL_BLOCK_ID } from '#core/types/block-id.ts';
import { NO_ROUND } from '#core/types/brand.ts';
import { headerHash } from '#core/types/header.ts';
import { createPartSet, type Part } from '#core/types/part-set.ts';
import { type Proposal, proposalSignBytes } from '#core/types/proposal.ts';
import { type Vote, voteExtensionSignBytes, voteSignBytes } from '#core/types/vote.ts';
import type { SimKey } from './keys.ts';
import type { ByzantineKind } from './options.ts';
import type { Rng } from './rng.ts';

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
  if (kind === 'two-proposals') return twoProposals(key, chainId, peers, send, rng);
  return (bytes) => {
    const second = kind === 'equivocate' ? contradiction(key, chainId, bytes, rng) : undefined;
    peers.forEach((peer, i) => {
      if (kind === 'withhold' && rng.chance(1 / 2)) return;
      send(peer, second !== undefined && i % 2 === 0 ? second : bytes);
      if (second !== undefined && rng.chance(1 / 4)) send(peer, i % 2 === 0 ? bytes : second);
    });
  };
}

/** The half of the peers that the second block is for. */
const seesSecond = (i: number) => i % 2 === 0;

/**
 * A new proposal is held back until its parts are there, then every other peer gets a second one in its place, and some
 * get both. Votes for the block go to each half as votes for the block that it was shown.
 */
function twoProposals(
  key: SimKey,
  chainId: string,
  peers: readonly string[],
  send: Send,
  rng: Rng,
): (bytes: Uint8Array) => void {
  let held: { readonly proposal: Proposal; readonly parts: Part[]; readonly messages: Uint8Array[] } | undefined;
  let split: { readonly proposal: Proposal; readonly second: BlockId } | undefined;
  const spread = (first: readonly Uint8Array[], second: readonly Uint8Array[]) => {
    for (const [i, peer] of peers.entries()) {
      const [mine, other] = seesSecond(i) ? [second, first] : [first, second];
      for (const bytes of mine) send(peer, bytes);
      if (rng.chance(1 / 4)) for (const bytes of other) send(peer, bytes);
    }
  };
  return (bytes) => {
    const decoded = decodePeerMessage(bytes);
    const message = decoded.ok ? decoded.value : undefined;
    if (message?.kind === 'proposal' && message.proposal.polRound === NO_ROUND) {
      held = { proposal: message.proposal, parts: [], messages: [bytes] };
      return;
    }
    if (message?.kind === 'block-part' && held !== undefined) {
      held.parts.push(message.part);
      held.messages.push(bytes);
      const { proposal, parts, messages } = held;
      if (parts.length < proposal.blockId.partSetHeader.total) return;
      held = undefined;
      const other = secondProposal(key, chainId, proposal, parts, rng);
      split = { proposal, second: other.blockId };
      spread(messages, other.messages);
      return;
    }
    const vote = message?.kind === 'vote' ? message.vote : undefined;
    if (vote !== undefined && split !== undefined && isVoteOn(vote, split.proposal)) {
      const other = { ...vote, blockId: split.second };
      const signed = { ...other, signature: key.sign(voteSignBytes(chainId, other)) };
      spread([bytes], [encodePeerMessage({ kind: 'vote', vote: signed })]);
      return;
    }
    for (const peer of peers) send(peer, bytes);
  };
}

function isVoteOn(vote: Vote, { height, round, blockId }: Proposal): boolean {
  return vote.height === height && vote.round === round && equalBlockId(vote.blockId, blockId);
}

/** A block with one transaction more, proposed in the same round. */
function secondProposal(key: SimKey, chainId: string, first: Proposal, parts: readonly Part[], rng: Rng) {
  const block = readBlock('block', concat(...parts.map((part) => part.bytes)));
  const txs = [...block.txs, utf8(`set:${rng.u32()}`)];
  const header = { ...block.header, dataHash: txsHash(txs) };
  const partSet = createPartSet(encodeBlock({ ...block, header, txs }));
  const blockId = { hash: headerHash(header), partSetHeader: partSet.header };
  const unsigned = { ...first, blockId };
  const proposal = { ...unsigned, signature: key.sign(proposalSignBytes(chainId, unsigned)) };
  const { height, round } = first;
  const messages = [
    encodePeerMessage({ kind: 'proposal', proposal }),
    ...partSet.parts.map((part) => encodePeerMessage({ kind: 'block-part', height, round, part })),
  ];
  return { blockId, messages };
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
