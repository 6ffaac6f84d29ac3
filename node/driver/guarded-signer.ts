import {
  decideSign,
  decodeLastSign,
  encodeLastSign,
  type LastSign,
  SIGN_STEP,
  type SignRequest,
} from '#consensus/last-sign.ts';
import { EMPTY } from '#core/bytes.ts';
import type { PublicKey } from '#core/crypto/pubkey.ts';
import { err, ok, type Result } from '#core/result.ts';
import { proposalSignBytes } from '#core/types/proposal.ts';
import { type Timestamp, ZERO_TIME } from '#core/types/timestamp.ts';
import { PREVOTE, voteExtensionSignBytes, voteSignBytes } from '#core/types/vote.ts';
import type { LastSignStore, Signer } from './ports.ts';

/** A bare private key. `sign` answers a signature that verifies under `publicKey`. */
export interface KeyHolder {
  readonly publicKey: PublicKey;
  sign(message: Uint8Array): Uint8Array;
}

/**
 * A key together with its memory of what it signed last. The memory is saved, synced, before a signature is released;
 * if saving fails nothing is released. Calls may overlap: they are answered one after another. @throws Error when the stored memory is damaged: signing without it is unsafe.
 */
export async function openGuardedSigner(key: KeyHolder, store: LastSignStore): Promise<Signer> {
  const stored = await store.load();
  const decoded = stored === undefined ? ok(undefined) : decodeLastSign(stored);
  if (!decoded.ok) throw new Error(`last-sign state: ${decoded.error}`);
  let last: LastSign | undefined = decoded.value;
  /** The signature under way. A second one must see what the first has saved, or both could be for one place. */
  let turn: Promise<unknown> = Promise.resolve();

  function sign(...request: Parameters<typeof signNow>): ReturnType<typeof signNow> {
    const signed = turn.then(() => signNow(...request));
    turn = signed.catch(() => undefined);
    return signed;
  }

  async function signNow(
    request: SignRequest,
    timestamp: Timestamp,
    message: Uint8Array,
  ): Promise<Result<{ readonly timestamp: Timestamp; readonly signature: Uint8Array }, string>> {
    const decision = decideSign(last, request);
    if (decision.kind === 'refuse') return err(decision.reason);
    if (decision.kind === 'reuse') return ok({ timestamp: decision.timestamp, signature: decision.signature });
    const signature = key.sign(message);
    const next: LastSign = { ...request, timestamp, signature };
    await store.save(encodeLastSign(next));
    last = next;
    return ok({ timestamp, signature });
  }

  return {
    publicKey: key.publicKey,
    async signVote(chainId, vote, withExtension) {
      const request: SignRequest = {
        height: vote.height,
        round: vote.round,
        step: vote.type === PREVOTE ? SIGN_STEP.prevote : SIGN_STEP.precommit,
        timelessBytes: voteSignBytes(chainId, { ...vote, timestamp: ZERO_TIME }),
      };
      const signed = await sign(request, vote.timestamp, voteSignBytes(chainId, vote));
      if (!signed.ok) return signed;
      // Extensions are not guarded: two of them for one vote do no harm, and the application may answer anew after a crash.
      const extensionSignature = withExtension ? key.sign(voteExtensionSignBytes(chainId, vote)) : EMPTY;
      return ok({ ...signed.value, extensionSignature });
    },
    async signProposal(chainId, proposal) {
      const request: SignRequest = {
        height: proposal.height,
        round: proposal.round,
        step: SIGN_STEP.proposal,
        timelessBytes: proposalSignBytes(chainId, { ...proposal, timestamp: ZERO_TIME }),
      };
      return sign(request, proposal.timestamp, proposalSignBytes(chainId, proposal));
    },
  };
}
