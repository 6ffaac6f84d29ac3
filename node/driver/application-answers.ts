/**
 * What the application answers to consensus, before anything is logged, signed or told: an answer out of bounds would make
 * this validator propose or sign what everybody else refuses, and a log that no restart can read. The node stops instead.
 */
import { LIMITS } from '#core/limits.ts';
import { protoSizeOfTx } from '#runtime/proposal.ts';

/** The application broke its contract. The message says what it answered and what was expected. */
export class ApplicationError extends Error {
  override readonly name = 'ApplicationError';
}

/** A block's transactions as PrepareProposal answered them; `maxBytes` is what the request permitted. @throws ApplicationError */
export function checkPrepared(height: bigint, txs: readonly Uint8Array[], maxBytes: number): readonly Uint8Array[] {
  const broken = (got: string, most: number) =>
    new ApplicationError(
      `PrepareProposal at height ${height} answered ${got}, expected at most ${most}: not proposing`,
    );
  if (txs.length > LIMITS.maxTxsPerBlock) throw broken(`${txs.length} transactions`, LIMITS.maxTxsPerBlock);
  const bytes = txs.reduce((sum, tx) => sum + protoSizeOfTx(tx), 0);
  if (bytes > maxBytes) throw broken(`${bytes} bytes of transactions`, maxBytes);
  return txs;
}

/** A vote extension as ExtendVote answered it. @throws ApplicationError */
export function checkExtension(height: bigint, extension: Uint8Array): Uint8Array {
  if (extension.length > LIMITS.maxExtensionBytes)
    throw new ApplicationError(
      `ExtendVote at height ${height} answered ${extension.length} bytes, expected at most ${LIMITS.maxExtensionBytes}: not voting`,
    );
  return extension;
}
