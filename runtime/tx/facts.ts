/**
 * What follows from a transaction's bytes and from what genesis has fixed, worked out once: it is asked in the mempool, in
 * the proposal and in the block, and rechecked after blocks in between. Nothing here depends on state or on who asks.
 */
import { EMPTY, toBase64, utf8 } from '#core/bytes.ts';
import { ok, type Result } from '#core/result.ts';
import { type Coin, formatCoins, parseCoins } from '../coins.ts';
import type { ChainParams } from '../context.ts';
import { failSdk } from '../errors.ts';
import { type AccountKey, addressOfKey, readAccountKey } from './account-key.ts';
import type { DecodedTx, TxTypes } from './decode.ts';
import { checkMessages } from './router.ts';
import { type Signers, signersOf } from './signers.ts';
import { shownSignatures } from './verify.ts';

/** A key that stands in the transaction, and the address that it owns. */
export interface SentKey {
  readonly key: AccountKey;
  readonly address: Uint8Array;
}

export interface TxFacts {
  /** UTF-8 bytes of the memo. */
  readonly memoBytes: number;
  readonly fee: Result<readonly Coin[], string>;
  /** {@link formatCoins} of it. */
  readonly feeText: string;
  /** The messages' own checks, who signs, and whether as many signatures and signer infos are there. */
  form(types: TxTypes, chain: ChainParams): Result<Signers>;
  /** The key in a signer's info; undefined when there is none. */
  keyOf(signer: number): Result<SentKey> | undefined;
  /** A signer's signature as its events show it: a multisignature's parts first. */
  signatureTexts(signer: number): readonly string[];
  /** Whether {@link learnVerified} was told the same. */
  isVerified(signer: number, chainId: string, accountNumber: bigint): boolean;
  /**
   * A signer's signature is good, by the key of {@link keyOf}, for an account of this number on this chain: what else was
   * signed stands in the transaction's bytes, its sequence too.
   */
  learnVerified(signer: number, chainId: string, accountNumber: bigint): void;
  /** Whether it was told anything. */
  hasVerified(signer: number): boolean;
}

export function factsOf(tx: DecodedTx): TxFacts {
  const there = tx.facts;
  if (there instanceof LazyFacts) return there;
  const facts = new LazyFacts(tx);
  tx.facts = facts;
  return facts;
}

/** Those of a transaction's signatures that were found good, and are known to be with it. */
export function verifiedSignatures(tx: DecodedTx): readonly Uint8Array[] {
  const facts = factsOf(tx);
  return tx.raw.signatures.filter((_, signer) => facts.hasVerified(signer));
}

class LazyFacts implements TxFacts {
  readonly #tx: DecodedTx;
  #memoBytes: number | undefined;
  #fee: Result<readonly Coin[], string> | undefined;
  #feeText: string | undefined;
  #form: { readonly types: TxTypes; readonly chain: ChainParams; readonly result: Result<Signers> } | undefined;
  readonly #keys: Result<SentKey>[] = [];
  readonly #signatures: (readonly string[])[] = [];
  readonly #verified: { readonly chainId: string; readonly accountNumber: bigint }[] = [];

  constructor(tx: DecodedTx) {
    this.#tx = tx;
  }

  get memoBytes(): number {
    const { memo } = this.#tx.body;
    this.#memoBytes ??= memo === '' ? 0 : utf8(memo).length;
    return this.#memoBytes;
  }

  get fee(): Result<readonly Coin[], string> {
    this.#fee ??= parseCoins(this.#tx.authInfo.fee?.amount ?? [], 'fee.amount');
    return this.#fee;
  }

  get feeText(): string {
    this.#feeText ??= this.fee.ok ? formatCoins(this.fee.value) : '';
    return this.#feeText;
  }

  form(types: TxTypes, chain: ChainParams): Result<Signers> {
    const there = this.#form;
    if (there !== undefined && there.types === types && there.chain === chain) return there.result;
    const result = formOf(this.#tx, types, chain);
    this.#form = { types, chain, result };
    return result;
  }

  keyOf(signer: number): Result<SentKey> | undefined {
    const there = this.#keys[signer];
    if (there !== undefined) return there;
    const sent = this.#tx.authInfo.signerInfos[signer]?.publicKey;
    if (sent === undefined) return undefined;
    const read = readAccountKey(sent);
    const made = read.ok ? ok({ key: read.value, address: addressOfKey(read.value) }) : read;
    this.#keys[signer] = made;
    return made;
  }

  signatureTexts(signer: number): readonly string[] {
    const there = this.#signatures[signer];
    if (there !== undefined) return there;
    const signature = this.#tx.raw.signatures[signer] ?? EMPTY;
    const texts = shownSignatures(this.#tx.authInfo.signerInfos[signer]?.modeInfo, signature).map(toBase64);
    this.#signatures[signer] = texts;
    return texts;
  }

  isVerified(signer: number, chainId: string, accountNumber: bigint): boolean {
    const there = this.#verified[signer];
    return there !== undefined && there.accountNumber === accountNumber && there.chainId === chainId;
  }

  learnVerified(signer: number, chainId: string, accountNumber: bigint): void {
    this.#verified[signer] = { chainId, accountNumber };
  }

  hasVerified(signer: number): boolean {
    return this.#verified[signer] !== undefined;
  }
}

function formOf(tx: DecodedTx, types: TxTypes, chain: ChainParams): Result<Signers> {
  const { raw, authInfo, messages } = tx;
  if (messages.length === 0) return failSdk('invalidRequest', 'must contain at least one message');
  const valid = checkMessages(types, messages, chain);
  if (!valid.ok) return valid;
  const signers = signersOf(tx, chain);
  if (!signers.ok) return signers;
  if (raw.signatures.length === 0) return failSdk('noSignatures', 'expected at least one signature');
  const expected = signers.value.all.length;
  if (raw.signatures.length !== expected)
    return failSdk('unauthorized', `wrong number of signers; expected ${expected}, got ${raw.signatures.length}`);
  if (authInfo.signerInfos.length !== expected)
    return failSdk('invalidSignerInfo', `expected ${expected} signer infos, got ${authInfo.signerInfos.length}`);
  return signers;
}
