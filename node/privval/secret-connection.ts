import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { x25519 } from '@noble/curves/ed25519.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { compare, concat, EMPTY, equal, utf8 } from '#core/bytes.ts';
import { asBytes, asMessage, decode, readFields } from '#core/codec/proto-reader.ts';
import { lengthDelimited, ProtoWriter } from '#core/codec/proto-writer.ts';
import { ed25519Key, encodePublicKey, type PublicKey, readPublicKey } from '#core/crypto/pubkey.ts';
import type { Verifier } from '#core/ports/crypto.ts';
import { err, ok, type Result } from '#core/result.ts';
import { createFrameReader, FrameError } from '../abci/frames.ts';
import type { Ed25519Key } from './ed25519-key.ts';
import { PRIVVAL_LIMITS } from './limits.ts';
import { Transcript } from './merlin.ts';

/** Data of one frame, its length before it, the tag behind it: every frame has the same size. */
const DATA_BYTES = 1_024;
const PLAIN_BYTES = 4 + DATA_BYTES;
const SEALED_BYTES = PLAIN_BYTES + 16;
/** A delimited google.protobuf.BytesValue of 32 bytes up to its content. */
const EPHEMERAL_HEAD = Uint8Array.of(34, 0x0a, 32);
const EPHEMERAL_BYTES = EPHEMERAL_HEAD.length + 32;

interface Keys {
  readonly send: Uint8Array;
  readonly receive: Uint8Array;
  /** What both sides sign to say who they are. */
  readonly challenge: Uint8Array;
}

/** HKDF-SHA256 of the shared secret: two keys, of which the side with the lesser ephemeral key receives by the first. */
export function deriveKeys(shared: Uint8Array, isLesser: boolean): Pick<Keys, 'send' | 'receive'> {
  const info = utf8('TENDERMINT_SECRET_CONNECTION_KEY_AND_CHALLENGE_GEN');
  const bytes = hkdf(sha256, shared, undefined, info, 96);
  const [first, second] = [bytes.slice(0, 32), bytes.slice(32, 64)];
  return isLesser ? { receive: first, send: second } : { receive: second, send: first };
}

function agree(secret: Uint8Array, own: Uint8Array, theirs: Uint8Array): Keys {
  const isLesser = compare(own, theirs) < 0;
  const transcript = new Transcript('TENDERMINT_SECRET_CONNECTION_TRANSCRIPT_HASH');
  transcript.append('EPHEMERAL_LOWER_PUBLIC_KEY', isLesser ? own : theirs);
  transcript.append('EPHEMERAL_UPPER_PUBLIC_KEY', isLesser ? theirs : own);
  // Throws on points of low order, whose secret is all zeros.
  const shared = x25519.getSharedSecret(secret, theirs);
  transcript.append('DH_SECRET', shared);
  return { ...deriveKeys(shared, isLesser), challenge: transcript.challenge('SECRET_CONNECTION_MAC', 32) };
}

export interface SecretConnectionOptions {
  /** Says who this side is. */
  readonly identity: Ed25519Key;
  readonly verifier: Verifier;
  /** Refuses a peer by its authenticated key; the reason. */
  readonly refuse?: (peer: PublicKey) => string | undefined;
  /** Writes to the peer. */
  readonly write: (bytes: Uint8Array) => void;
  /** For tests: 32 bytes, the secret ephemeral key. */
  readonly ephemeral?: Uint8Array;
}

/**
 * One end of CometBFT's SecretConnection (v0.38 p2p/conn/secret_connection.go): X25519 between ephemeral keys, a Merlin
 * transcript of the exchange that both sides sign with their ed25519 keys, ChaCha20-Poly1305 frames of 1,024 bytes of
 * data. Pure but for `write`; bytes of the peer go in by {@link push}. After an error it is of no further use.
 */
export class SecretConnection {
  readonly #options: SecretConnectionOptions;
  readonly #secret: Uint8Array;
  readonly #own: Uint8Array;
  #keys: Keys | undefined;
  #peer: PublicKey | undefined;
  #held: Uint8Array = EMPTY;
  #sent = 0n;
  #received = 0n;
  #handshake: Uint8Array = EMPTY;

  constructor(options: SecretConnectionOptions) {
    this.#options = options;
    this.#secret = options.ephemeral ?? x25519.utils.randomSecretKey();
    this.#own = x25519.getPublicKey(this.#secret);
    options.write(concat(EPHEMERAL_HEAD, this.#own));
  }

  /** The authenticated key of the other side; undefined until the handshake is over. */
  get peer(): PublicKey | undefined {
    return this.#peer;
  }

  /** Only once the handshake is over. */
  send(data: Uint8Array): void {
    for (let at = 0; at < data.length; at += DATA_BYTES)
      this.#options.write(this.#seal(data.subarray(at, at + DATA_BYTES)));
  }

  /** The decrypted bytes of what has come; none while the handshake lasts. */
  push(chunk: Uint8Array): Result<Uint8Array, string> {
    this.#held = this.#held.length === 0 ? chunk.slice() : concat(this.#held, chunk);
    if (this.#keys === undefined) {
      if (this.#held.length < EPHEMERAL_BYTES) return ok(EMPTY);
      const started = this.#onEphemeral();
      if (!started.ok) return started;
    }
    const data: Uint8Array[] = [];
    while (this.#held.length >= SEALED_BYTES) {
      const opened = this.#open(this.#held.subarray(0, SEALED_BYTES));
      this.#held = this.#held.subarray(SEALED_BYTES);
      if (!opened.ok) return opened;
      if (this.#peer !== undefined) data.push(opened.value);
      else {
        const rest = this.#onAuthentication(opened.value);
        if (!rest.ok) return rest;
        data.push(rest.value);
      }
    }
    return ok(concat(...data));
  }

  #onEphemeral(): Result<undefined, string> {
    if (!equal(this.#held.subarray(0, EPHEMERAL_HEAD.length), EPHEMERAL_HEAD))
      return err('secret connection: expected an ephemeral key of 32 bytes');
    const theirs = this.#held.slice(EPHEMERAL_HEAD.length, EPHEMERAL_BYTES);
    this.#held = this.#held.subarray(EPHEMERAL_BYTES);
    // A peer that sends back our own key would have us authenticate ourselves.
    if (equal(theirs, this.#own)) return err('secret connection: the peer echoes our ephemeral key');
    let keys: Keys;
    try {
      keys = agree(this.#secret, this.#own, theirs);
    } catch {
      return err('secret connection: an ephemeral key of low order');
    }
    this.#keys = keys;
    const { identity } = this.#options;
    const authentication = new ProtoWriter()
      .message(1, encodePublicKey(ed25519Key(identity.publicKey)))
      .bytes(2, identity.sign(keys.challenge))
      .finish();
    this.send(lengthDelimited(authentication));
    return ok(undefined);
  }

  /** What follows the authentication in the same frame. */
  #onAuthentication(data: Uint8Array): Result<Uint8Array, string> {
    this.#handshake = concat(this.#handshake, data);
    let message: Uint8Array | undefined;
    try {
      [message] = createFrameReader(PRIVVAL_LIMITS.maxHandshakeBytes).push(this.#handshake);
    } catch (error) {
      if (error instanceof FrameError) return err(`secret connection: ${error.message}`);
      throw error;
    }
    if (message === undefined) return ok(EMPTY);
    const content = message;
    const read = decode(() => {
      let key: PublicKey | undefined;
      let signature: Uint8Array = EMPTY;
      for (const field of readFields('authentication', content, { known: [1, 2] })) {
        if (field.number === 1) key = readPublicKey('authentication.key', asMessage('authentication.key', field));
        else signature = asBytes('authentication.sig', field, 64);
      }
      return { key, signature };
    });
    if (!read.ok) return read;
    const { key, signature } = read.value;
    if (key?.type !== 'ed25519') return err('secret connection: expected an ed25519 key');
    const challenge = this.#keys?.challenge ?? EMPTY;
    if (signature.length !== 64 || !this.#options.verifier.ed25519(key.bytes, challenge, signature))
      return err('secret connection: the challenge is not signed by the key that is shown');
    const refusal = this.#options.refuse?.(key);
    if (refusal !== undefined) return err(refusal);
    this.#peer = key;
    const rest = this.#handshake.subarray(lengthDelimited(content).length);
    this.#handshake = EMPTY;
    return ok(rest);
  }

  #seal(data: Uint8Array): Uint8Array {
    const frame = new Uint8Array(PLAIN_BYTES);
    new DataView(frame.buffer).setUint32(0, data.length, true);
    frame.set(data, 4);
    return chacha20poly1305(this.#keys?.send ?? EMPTY, nonce(this.#sent++)).encrypt(frame);
  }

  #open(sealed: Uint8Array): Result<Uint8Array, string> {
    let frame: Uint8Array;
    try {
      frame = chacha20poly1305(this.#keys?.receive ?? EMPTY, nonce(this.#received++)).decrypt(sealed);
    } catch {
      return err('secret connection: a frame that does not decrypt');
    }
    const length = new DataView(frame.buffer, frame.byteOffset).getUint32(0, true);
    if (length > DATA_BYTES) return err(`secret connection: a frame of ${length} bytes exceeds ${DATA_BYTES}`);
    return ok(frame.subarray(4, 4 + length));
  }
}

/** Four zero bytes, then the frame's number as little-endian u64. */
function nonce(count: bigint): Uint8Array {
  const bytes = new Uint8Array(12);
  new DataView(bytes.buffer).setBigUint64(4, count, true);
  return bytes;
}
