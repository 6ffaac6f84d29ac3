import { EMPTY, toHexUpper } from '#core/bytes.ts';
import { consensusAddress } from '#core/crypto/pubkey.ts';
import { BLOCK_PROTOCOL } from '#core/types/header.ts';
import { formatTime, ZERO_TIME } from '#core/types/timestamp.ts';
import { indexOfValidator } from '#core/types/validator-set.ts';
import type {
  BlockSummary,
  ConsensusStateView,
  NetInfo,
  NodeInfo,
  NodeStatus,
  Peer,
  RoundVotes,
} from '../../backend.ts';
import { publicKeyJson, validatorJson } from './validator.ts';

/** Clients choose their dialect by the first two numbers: this node speaks CometBFT v0.38's. */
const COMET_VERSION = '0.38.25';
/** CometBFT's version/version.go P2PProtocol of v0.38. */
const P2P_PROTOCOL = '8';

function nodeInfoJson(node: NodeInfo) {
  return {
    protocol_version: { p2p: P2P_PROTOCOL, block: String(BLOCK_PROTOCOL), app: String(node.appVersion) },
    id: node.id,
    listen_addr: node.listenAddress,
    network: node.chainId,
    version: COMET_VERSION,
    // Channels of CometBFT's own peer protocol, which this node does not speak.
    channels: '',
    moniker: node.moniker,
    other: { tx_index: node.txIndex ? 'on' : 'off', rpc_address: node.rpcAddress },
  };
}

function summaryJson(prefix: 'latest' | 'earliest', summary: BlockSummary | undefined) {
  return {
    [`${prefix}_block_hash`]: toHexUpper(summary?.hash ?? EMPTY),
    [`${prefix}_app_hash`]: toHexUpper(summary?.appHash ?? EMPTY),
    [`${prefix}_block_height`]: String(summary?.height ?? 0n),
    [`${prefix}_block_time`]: formatTime(summary?.time ?? ZERO_TIME),
  };
}

export function statusJson(status: NodeStatus) {
  const { validator } = status;
  return {
    node_info: nodeInfoJson(status.node),
    sync_info: {
      ...summaryJson('latest', status.latest),
      ...summaryJson('earliest', status.earliest),
      catching_up: status.catchingUp,
    },
    // A node that only follows has no consensus key: clients insist on one, so it shows zeros, with power 0.
    validator_info: {
      address: toHexUpper(validator === undefined ? new Uint8Array(20) : consensusAddress(validator.publicKey)),
      pub_key: publicKeyJson(validator?.publicKey ?? { type: 'ed25519', bytes: new Uint8Array(32) }),
      voting_power: String(validator?.power ?? 0n),
    },
  };
}

/** Peers are of the same chain and speak the same protocols, or they would be none. */
function peerJson(peer: Peer, node: NodeInfo) {
  return {
    node_info: nodeInfoJson({
      ...node,
      id: peer.id,
      listenAddress: peer.listenAddress,
      moniker: peer.moniker,
      // Which of them has an index, and where, it does not tell.
      txIndex: false,
      rpcAddress: '',
    }),
    is_outbound: peer.outbound,
    remote_ip: peer.remoteIp,
  };
}

/** @param own of this node, asked when there is a peer. */
export function netInfoJson(net: NetInfo, own: () => NodeInfo) {
  return {
    listening: net.listening,
    listeners: [...net.listeners],
    n_peers: String(net.peers.length),
    peers: net.peers.map((peer) => peerJson(peer, own())),
  };
}

/** As CometBFT's BitArray prints: `BA{3:x_x} 20/30 = 0.67`, in voting power. */
function bitArray(votes: readonly (Uint8Array | undefined)[], state: ConsensusStateView): string {
  const bits = votes.map((vote) => (vote === undefined ? '_' : 'x')).join('');
  let power = 0n;
  votes.forEach((vote, i) => {
    if (vote !== undefined) power += state.validators.validators[i]?.power ?? 0n;
  });
  const total = state.validators.totalPower;
  const share = total === 0n ? 0 : Number(power) / Number(total);
  return `BA{${votes.length}:${bits}} ${power}/${total} = ${share.toFixed(2)}`;
}

/** A vote as one word: which block (its first six bytes), or nil. */
function voteWord(vote: Uint8Array | undefined, index: number, type: string): string {
  if (vote === undefined) return 'nil-Vote';
  return `Vote{${index} ${type} ${vote.length === 0 ? 'nil' : toHexUpper(vote.slice(0, 6))}}`;
}

function roundVotesJson(votes: RoundVotes, state: ConsensusStateView) {
  return {
    round: votes.round,
    prevotes: votes.prevotes.map((vote, i) => voteWord(vote, i, 'Prevote')),
    prevotes_bit_array: bitArray(votes.prevotes, state),
    precommits: votes.precommits.map((vote, i) => voteWord(vote, i, 'Precommit')),
    precommits_bit_array: bitArray(votes.precommits, state),
  };
}

export function consensusStateJson(state: ConsensusStateView) {
  const { proposer } = state.validators;
  const index = proposer === undefined ? 0 : indexOfValidator(state.validators, proposer.address);
  return {
    round_state: {
      'height/round/step': `${state.height}/${state.round}/${state.step}`,
      start_time: formatTime(state.startTime),
      proposal_block_hash: toHexUpper(state.proposalBlockHash),
      locked_block_hash: toHexUpper(state.lockedBlockHash),
      valid_block_hash: toHexUpper(state.validBlockHash),
      height_vote_set: state.votes.map((votes) => roundVotesJson(votes, state)),
      proposer: { address: toHexUpper(proposer?.address ?? EMPTY), index },
    },
  };
}

export function dumpConsensusStateJson(state: ConsensusStateView) {
  const { proposer, validators } = state.validators;
  return {
    round_state: {
      height: String(state.height),
      round: state.round,
      step: state.step,
      start_time: formatTime(state.startTime),
      validators: {
        validators: validators.map(validatorJson),
        proposer: proposer === undefined ? null : validatorJson(proposer),
      },
      proposal_block_hash: toHexUpper(state.proposalBlockHash),
      locked_block_hash: toHexUpper(state.lockedBlockHash),
      valid_block_hash: toHexUpper(state.validBlockHash),
      votes: state.votes.map((votes) => roundVotesJson(votes, state)),
    },
    peers: [],
  };
}
