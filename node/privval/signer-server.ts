import { connect, type Socket } from 'node:net';
import { assertNever } from '#core/assert.ts';
import { toHex } from '#core/bytes.ts';
import { consensusAddress, type PublicKey } from '#core/crypto/pubkey.ts';
import type { Verifier } from '#core/ports/crypto.ts';
import type { Logger } from '#core/ports/logger.ts';
import { isNilBlockId } from '#core/types/block-id.ts';
import { PRECOMMIT, type Vote } from '#core/types/vote.ts';
import { formatAbciAddress } from '../abci/address.ts';
import type { Signer } from '../driver/ports.ts';
import type { SignerDialAddress } from './address.ts';
import { openChannel } from './channel.ts';
import type { PrivvalMessage, SignerError } from './codec.ts';
import type { Ed25519Key } from './ed25519-key.ts';
import { PRIVVAL_LIMITS } from './limits.ts';

export interface SignerServerOptions {
  /** The nodes that are served. They share one guard: whatever they ask, no two things are signed at one place. */
  readonly nodes: readonly SignerDialAddress[];
  readonly chainId: string;
}

export interface SignerServerDeps {
  /** Guarded by the last-sign rule. */
  readonly signer: Signer;
  /** Names this signer to nodes over TCP. */
  readonly identity: Ed25519Key;
  readonly verifier: Verifier;
  readonly logger: Logger;
}

export interface SignerServer {
  /** Nodes that are connected, the handshake over. */
  readonly connected: number;
  /** Resolves with the error when the last-sign state cannot be kept: nothing is signed from then on. */
  readonly failed: Promise<unknown>;
  close(): Promise<void>;
}

/** Dials the nodes, keeps dialling, and answers what they ask, one request at a time over all of them. */
export function startSignerServer(options: SignerServerOptions, deps: SignerServerDeps): SignerServer {
  const { promise: failed, resolve: fail } = Promise.withResolvers<unknown>();
  const stop = new AbortController();
  let connected = 0;
  let broken = false;
  let tail: Promise<unknown> = Promise.resolve();

  /** In order and one at a time: the guard's decision and its memory must not be torn apart by another request. */
  function answer(message: PrivvalMessage): Promise<PrivvalMessage | undefined> {
    const answered = tail.then(async () => {
      if (broken) return undefined;
      try {
        return await reply(message, options.chainId, deps.signer);
      } catch (error) {
        broken = true;
        fail(error);
        stop.abort();
        return undefined;
      }
    });
    tail = answered;
    return answered;
  }

  async function serve(node: SignerDialAddress): Promise<void> {
    let waitMs: number = PRIVVAL_LIMITS.redialMinMs;
    while (!stop.signal.aborted) {
      const wasReady = await connection(node, deps, stop.signal, answer, (delta) => {
        connected += delta;
      });
      if (wasReady) waitMs = PRIVVAL_LIMITS.redialMinMs;
      await pause(waitMs, stop.signal);
      waitMs = Math.min(2 * waitMs, PRIVVAL_LIMITS.redialMaxMs);
    }
  }

  const loops = options.nodes.map(serve);
  return {
    get connected() {
      return connected;
    },
    failed,
    async close() {
      stop.abort();
      await Promise.allSettled(loops);
      await tail;
    },
  };
}

/** One connection to its end. True: its handshake was completed. */
function connection(
  node: SignerDialAddress,
  deps: SignerServerDeps,
  signal: AbortSignal,
  answer: (message: PrivvalMessage) => Promise<PrivvalMessage | undefined>,
  count: (delta: 1 | -1) => void,
): Promise<boolean> {
  const { identity, verifier, logger } = deps;
  const where = formatAbciAddress(node);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket: Socket = node.kind === 'unix' ? connect(node.path) : connect({ host: node.host, port: node.port });
  let isReady = false;
  let waiting = 0;
  const silence = setTimeout(() => socket.destroy(), PRIVVAL_LIMITS.signerSilenceMs);
  const secret =
    node.kind === 'tcp' ? { identity, verifier, refuse: (key: PublicKey) => refusal(key, node.id) } : undefined;
  const abort = () => socket.destroy();
  signal.addEventListener('abort', abort);
  socket.once('close', () => {
    clearTimeout(silence);
    signal.removeEventListener('abort', abort);
    if (isReady) count(-1);
    resolve(isReady);
  });
  socket.once('error', (error) => logger.debug('the node is not reached', { node: where, error: error.message }));
  socket.once('connect', () => {
    const channel = openChannel({
      socket,
      secret,
      ready: () => {
        isReady = true;
        count(1);
        logger.info('connected to the node', { node: where });
      },
      message(message) {
        silence.refresh();
        if (++waiting > PRIVVAL_LIMITS.maxQueuedRequests) {
          channel.close(`more than ${PRIVVAL_LIMITS.maxQueuedRequests} requests at once`);
          return;
        }
        void answer(message).then((answered) => {
          waiting -= 1;
          if (answered === undefined) return;
          if ('answer' in answered && 'error' in answered.answer)
            logger.warn('refused', { node: where, request: message.kind, reason: answered.answer.error.description });
          channel.send(answered);
        });
      },
      closed: (reason) => logger.info('the connection to the node has ended', { node: where, reason }),
    });
  });
  return promise;
}

function refusal(key: PublicKey, id: string | undefined): string | undefined {
  const actual = toHex(consensusAddress(key));
  return id === undefined || actual === id ? undefined : `expected node ${id}, found ${actual}`;
}

/** Undefined for what a signer is not asked. */
async function reply(message: PrivvalMessage, chainId: string, signer: Signer): Promise<PrivvalMessage | undefined> {
  const refuse = (description: string): { readonly error: SignerError } => ({
    error: { code: 0, description: description.slice(0, PRIVVAL_LIMITS.maxDescriptionBytes) },
  });
  const foreign = 'chainId' in message && message.chainId !== chainId;
  const another = refuse(`this signer is for chain ${chainId}`);
  switch (message.kind) {
    case 'ping-request':
      return { kind: 'ping-response' };
    case 'pub-key-request':
      return { kind: 'pub-key-response', answer: foreign ? another : { value: signer.publicKey } };
    case 'sign-vote-request': {
      if (foreign) return { kind: 'signed-vote-response', answer: another };
      const answer = await signVote(message.vote, chainId, signer);
      return { kind: 'signed-vote-response', answer: 'error' in answer ? refuse(answer.error) : answer };
    }
    case 'sign-proposal-request': {
      if (foreign) return { kind: 'signed-proposal-response', answer: another };
      const signed = await signer.signProposal(chainId, message.proposal);
      const answer = signed.ok ? { value: { ...message.proposal, ...signed.value } } : refuse(signed.error);
      return { kind: 'signed-proposal-response', answer };
    }
    case 'ping-response':
    case 'pub-key-response':
    case 'signed-vote-response':
    case 'signed-proposal-response':
      return undefined;
    default:
      return assertNever(message, 'privval message');
  }
}

/** As CometBFT's signer: the extension of every vote for a block is signed, any other vote may have none. */
async function signVote(
  vote: Vote,
  chainId: string,
  signer: Signer,
): Promise<{ readonly value: Vote } | { readonly error: string }> {
  const mayExtend = vote.type === PRECOMMIT && !isNilBlockId(vote.blockId);
  if (!mayExtend && vote.extension.length > 0) return { error: 'only a precommit for a block may carry an extension' };
  const signed = await signer.signVote(chainId, vote, mayExtend);
  return signed.ok ? { value: { ...vote, ...signed.value } } : { error: signed.error };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
