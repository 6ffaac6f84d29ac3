import { createServer, type Server, type Socket } from 'node:net';
import { EMPTY, equal, toHex } from '#core/bytes.ts';
import { consensusAddress, type PublicKey } from '#core/crypto/pubkey.ts';
import { type Verifier, verifySignature } from '#core/ports/crypto.ts';
import type { Logger } from '#core/ports/logger.ts';
import { err, ok, type Result } from '#core/result.ts';
import { encodeProposal, type Proposal, proposalSignBytes } from '#core/types/proposal.ts';
import { ZERO_TIME } from '#core/types/timestamp.ts';
import { encodeVote, type Vote, voteExtensionSignBytes, voteSignBytes } from '#core/types/vote.ts';
import { formatAbciAddress } from '../abci/address.ts';
import { removeStaleSocket } from '../abci/stale-socket.ts';
import type { ListenAddress } from '../config/address.ts';
import type { Signer } from '../driver/ports.ts';
import type { SignerListenAddress } from './address.ts';
import type { PrivvalMessage } from './codec.ts';
import type { Ed25519Key } from './ed25519-key.ts';
import { PRIVVAL_LIMITS } from './limits.ts';
import { SignerLink } from './signer-link.ts';

export interface RemoteSignerOptions {
  readonly listen: SignerListenAddress;
  readonly chainId: string;
  /** How long one signature may take, reconnecting included; then the node goes on without it. */
  readonly timeoutMs: number;
  readonly startTimeoutMs: number;
  /** Ids (40 hex digits) of the connection keys that may dial in over TCP; none: anybody may. */
  readonly allowed: readonly string[];
}

export interface RemoteSignerDeps {
  /** Names this node to signers that dial in over TCP. */
  readonly identity: Ed25519Key;
  readonly verifier: Verifier;
  readonly logger: Logger;
}

export interface RemoteSigner extends Signer {
  /** The port that was bound, over TCP. */
  readonly listening: ListenAddress | undefined;
  close(): Promise<void>;
}

/** No signer has come, or the address cannot be listened on; the message is for the operator. */
export class RemoteSignerError extends Error {
  override readonly name = 'RemoteSignerError';
}

/**
 * Waits for a signer to dial in and signs by it, as CometBFT v0.38 does at `priv_validator_laddr`. The signer guards
 * against double signing; an answer that is not what was asked for, or does not verify, is not used. Further signers
 * for the same key stand by and take over when the one in use ends or falls silent.
 * @throws RemoteSignerError when none has come within `startTimeoutMs`.
 */
export async function openRemoteSigner(options: RemoteSignerOptions, deps: RemoteSignerDeps): Promise<RemoteSigner> {
  const pool = new SignerPool(options, deps);
  await pool.listen();
  try {
    const publicKey = await pool.key();
    return new RemoteSignerClient(options, deps, pool, publicKey);
  } catch (error) {
    await pool.close();
    throw error;
  }
}

/** The connections of signers, in the order in which they came; the first is in use. */
class SignerPool {
  readonly #options: RemoteSignerOptions;
  readonly #deps: RemoteSignerDeps;
  readonly #links: SignerLink[] = [];
  /** All sockets that are open, also before they are of use. */
  readonly #sockets = new Set<Socket>();
  readonly #waiting = new Set<() => void>();
  #server: Server | undefined;
  #publicKey: PublicKey | undefined;
  #closed = false;

  constructor(options: RemoteSignerOptions, deps: RemoteSignerDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  get listening(): ListenAddress | undefined {
    const address = this.#server?.address();
    return typeof address === 'object' && address !== null ? { host: address.address, port: address.port } : undefined;
  }

  async listen(): Promise<void> {
    const { listen } = this.#options;
    if (listen.kind === 'unix') await removeStaleSocket(listen.path);
    const server = createServer((socket) => this.#accept(socket));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) =>
        reject(new RemoteSignerError(`priv_validator_laddr ${formatAbciAddress(listen)}: ${error.message}`)),
      );
      const where = listen.kind === 'unix' ? { path: listen.path } : { host: listen.host, port: listen.port };
      server.listen(where, resolve);
    });
  }

  /** The key of the first signer. */
  async key(): Promise<PublicKey> {
    const { listen, startTimeoutMs } = this.#options;
    this.#deps.logger.info('waiting for the remote signer', { address: formatAbciAddress(listen) });
    await this.first(Date.now() + startTimeoutMs);
    if (this.#publicKey === undefined)
      throw new RemoteSignerError(
        `no signer has connected to ${formatAbciAddress(listen)} in ${startTimeoutMs} ms: start it, or set priv_validator_laddr = ""`,
      );
    return this.#publicKey;
  }

  /** The connection to use; waits for one until `deadline`. */
  async first(deadline: number): Promise<SignerLink | undefined> {
    for (;;) {
      const link = this.#links[0];
      const left = deadline - Date.now();
      if (link !== undefined || left <= 0 || this.#closed) return link;
      await new Promise<void>((resolve) => {
        const wake = () => {
          clearTimeout(timer);
          this.#waiting.delete(wake);
          resolve();
        };
        const timer = setTimeout(wake, left);
        this.#waiting.add(wake);
      });
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const socket of this.#sockets) socket.destroy();
    for (const wake of [...this.#waiting]) wake();
    await new Promise<void>((resolve) => {
      if (this.#server === undefined) resolve();
      else this.#server.close(() => resolve());
    });
  }

  #accept(socket: Socket): void {
    if (this.#closed || this.#sockets.size >= PRIVVAL_LIMITS.maxPendingConnections) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    const { identity, verifier, logger } = this.#deps;
    const { listen, allowed } = this.#options;
    const secret =
      listen.kind === 'tcp' ? { identity, verifier, refuse: (key: PublicKey) => refusal(key, allowed) } : undefined;
    const link = new SignerLink({ socket, secret }, this.#options.chainId, this.#options.timeoutMs);
    link.opened.then(
      (key) => this.#adopt(link, key),
      () => undefined,
    );
    link.ended.then((reason) => {
      this.#sockets.delete(socket);
      const at = this.#links.indexOf(link);
      if (at >= 0) this.#links.splice(at, 1);
      if (!this.#closed) logger.warn('the connection to a signer has ended', { reason, left: this.#links.length });
    });
  }

  #adopt(link: SignerLink, key: PublicKey): void {
    if (this.#publicKey !== undefined && !equal(this.#publicKey.bytes, key.bytes)) {
      link.close(`a signer with another key: ${toHex(key.bytes)}`);
      return;
    }
    this.#publicKey = key;
    this.#links.push(link);
    this.#deps.logger.info('remote signer connected', {
      validator: consensusAddress(key),
      standingBy: this.#links.length - 1,
    });
    for (const wake of [...this.#waiting]) wake();
  }
}

function refusal(key: PublicKey, allowed: readonly string[]): string | undefined {
  const id = toHex(consensusAddress(key));
  return allowed.length === 0 || allowed.includes(id) ? undefined : `signer ${id} is not among priv_validator_signers`;
}

class RemoteSignerClient implements RemoteSigner {
  readonly publicKey: PublicKey;
  readonly #options: RemoteSignerOptions;
  readonly #deps: RemoteSignerDeps;
  readonly #pool: SignerPool;

  constructor(options: RemoteSignerOptions, deps: RemoteSignerDeps, pool: SignerPool, publicKey: PublicKey) {
    this.#options = options;
    this.#deps = deps;
    this.#pool = pool;
    this.publicKey = publicKey;
  }

  get listening(): ListenAddress | undefined {
    return this.#pool.listening;
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  async signVote(chainId: string, asked: Omit<Vote, 'signature' | 'extensionSignature'>, withExtension: boolean) {
    const vote: Vote = { ...asked, signature: EMPTY, extensionSignature: EMPTY };
    return this.#ask({ kind: 'sign-vote-request', vote, chainId }, (reply) => {
      if (reply.kind !== 'signed-vote-response') return undefined;
      if ('error' in reply.answer) return err(reply.answer.error.description);
      const signed = reply.answer.value;
      const bare = { ...signed, timestamp: ZERO_TIME, signature: EMPTY, extensionSignature: EMPTY };
      if (!equal(encodeVote(bare), encodeVote({ ...vote, timestamp: ZERO_TIME }))) return undefined;
      if (!this.#verifies(voteSignBytes(chainId, signed), signed.signature)) return undefined;
      const { timestamp, signature } = signed;
      // CometBFT's signer signs the extension of every vote for a block, wanted or not.
      if (!withExtension) return ok({ timestamp, signature, extensionSignature: EMPTY });
      const { extensionSignature } = signed;
      if (!this.#verifies(voteExtensionSignBytes(chainId, signed), extensionSignature)) return undefined;
      return ok({ timestamp, signature, extensionSignature });
    });
  }

  async signProposal(chainId: string, asked: Omit<Proposal, 'signature'>) {
    const proposal: Proposal = { ...asked, signature: EMPTY };
    return this.#ask({ kind: 'sign-proposal-request', proposal, chainId }, (reply) => {
      if (reply.kind !== 'signed-proposal-response') return undefined;
      if ('error' in reply.answer) return err(reply.answer.error.description);
      const signed = reply.answer.value;
      const bare = { ...signed, timestamp: ZERO_TIME, signature: EMPTY };
      if (!equal(encodeProposal(bare), encodeProposal({ ...proposal, timestamp: ZERO_TIME }))) return undefined;
      if (!this.#verifies(proposalSignBytes(chainId, signed), signed.signature)) return undefined;
      return ok({ timestamp: signed.timestamp, signature: signed.signature });
    });
  }

  #verifies(message: Uint8Array, signature: Uint8Array): boolean {
    return verifySignature(this.#deps.verifier, this.publicKey, message, signature);
  }

  /**
   * Asks the signer in use, and anew whoever is there after a connection has failed: the same request gets the same
   * signature. `judge` answers undefined for what is not an answer to the request.
   */
  async #ask<T>(
    request: PrivvalMessage,
    judge: (reply: PrivvalMessage) => Result<T, string> | undefined,
  ): Promise<Result<T, string>> {
    const deadline = Date.now() + this.#options.timeoutMs;
    let failure = 'no signer is connected';
    // A wrong answer is what the operator must hear of, also when the last attempt then ran out of time.
    let wrong: string | undefined;
    for (;;) {
      const link = await this.#pool.first(deadline);
      if (link === undefined) return err(wrong ?? failure);
      const reply = await link.request(request, deadline - Date.now());
      if (!reply.ok) {
        failure = reply.error;
        continue;
      }
      const judged = judge(reply.value);
      if (judged !== undefined) return judged;
      wrong = 'the signer answered something else than it was asked, or its signature does not verify';
      link.close(wrong);
      await link.ended;
    }
  }
}
