/**
 * What brings many signatures at once has them verified away from the engine's thread before the executor takes it in:
 * votes, of which a turn of the event loop brings more than a few, and the commits of blocks that were asked for. The
 * executor then finds them known. It decides as ever, in the order in which messages came; only its answer comes later.
 */
import { CONSENSUS_LIMITS } from '#consensus/limits.ts';
import { decodePeerMessage, isBlockResponse, isVote, maxMessageBytes, type PeerMessage } from '#consensus/messages.ts';
import type { SignatureCheck } from '#core/ports/crypto.ts';
import type { VerifyAhead } from '../crypto/ahead.ts';
import { NODE_LIMITS } from '../limits.ts';
import type { Executor } from './executor.ts';
import { checksOfCommit, checksOfVote, type Verdict } from './intake.ts';
import type { PeerId } from './ports.ts';

export interface AheadIntake {
  receive(peer: PeerId, bytes: Uint8Array): Verdict | Promise<Verdict>;
}

interface Waiting {
  readonly peer: PeerId;
  readonly bytes: Uint8Array;
  message?: PeerMessage;
  readonly resolve: (verdict: Verdict) => void;
  readonly reject: (error: unknown) => void;
}

export function createAheadIntake(dependencies: {
  readonly executor: Pick<Executor, 'receive' | 'receiveDecoded' | 'expectsBlock' | 'state'>;
  readonly verifyAhead: VerifyAhead;
  /** Runs something when this turn of the event loop is over. */
  readonly afterTurn: (run: () => void) => void;
}): AheadIntake {
  const { executor, verifyAhead, afterTurn } = dependencies;
  let gathered: Waiting[] = [];
  /** Votes of this turn that went to the executor at once: where there are few, they must not wait for anything. */
  let direct = 0;
  let scheduled = false;
  /** Messages that wait for verdicts, gathered or on their way, and their bytes. */
  const waiting = { messages: 0, bytes: 0 };

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    afterTurn(endTurn);
  }

  function endTurn(): void {
    scheduled = false;
    direct = 0;
    const messages = gathered;
    gathered = [];
    if (messages.length === 0) return;
    const take = () => {
      for (const waits of messages) {
        waiting.messages -= 1;
        waiting.bytes -= waits.bytes.length;
        takeIn(waits);
      }
    };
    const ahead = verifyAhead(messages.flatMap(checksOf));
    if (ahead === undefined) take();
    // A failure leaves the work to the executor.
    else ahead.then(take, take);
  }

  /** What is thrown goes to whoever waits for this message, as it would without the wait; the others are taken all the same. */
  function takeIn({ peer, bytes, message, resolve, reject }: Waiting): void {
    try {
      resolve(message === undefined ? executor.receive(peer, bytes) : executor.receiveDecoded(peer, bytes, message));
    } catch (error) {
      reject(error);
    }
  }

  function checksOf(waits: Waiting): readonly SignatureCheck[] {
    const decoded = decodePeerMessage(waits.bytes);
    if (!decoded.ok) return [];
    const message = decoded.value;
    waits.message = message;
    if (message.kind === 'vote') return checksOfVote(executor.state, message.vote);
    if (message.kind !== 'block-response') return [];
    const { height, commit } = message;
    return commit !== undefined && executor.expectsBlock(waits.peer, height)
      ? checksOfCommit(executor.state, commit)
      : [];
  }

  function isToWait(bytes: Uint8Array): boolean {
    if (bytes.length > maxMessageBytes(bytes[0]) || waiting.messages >= CONSENSUS_LIMITS.maxQueuedInputs) return false;
    if (waiting.bytes + bytes.length > NODE_LIMITS.maxQueuedCheckBytes) return false;
    if (isBlockResponse(bytes[0])) return true;
    if (!isVote(bytes[0])) return false;
    schedule();
    return ++direct > NODE_LIMITS.minChecksAhead;
  }

  return {
    receive(peer, bytes) {
      if (!isToWait(bytes)) return executor.receive(peer, bytes);
      waiting.messages += 1;
      waiting.bytes += bytes.length;
      schedule();
      return new Promise((resolve, reject) => {
        gathered.push({ peer, bytes, resolve, reject });
      });
    },
  };
}
