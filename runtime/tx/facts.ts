/**
 * What follows from a transaction's bytes and from what genesis has fixed, worked out once: it is asked in the mempool, in
 * the proposal and in the block, and rechecked after blocks in between. Nothing here depends on state or on who asks.
 */
import { EMPTY, equal, toBase64, utf8 } from '#core/bytes.ts';
import { ok, type Result } from '#core/result.ts';
import type { Fee } from '#proto/gen/cosmos/tx/v1beta1/tx_pb.ts';
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

/** What follows from a list of coins. */
interface FeeFacts {
  readonly amount: Fee['amount'];
  readonly coins: Result<readonly Coin[], string>;
  readonly text: string;
}

const NO_FEE: Fee['amount'] = [];
/** Of the last fee that was none to refuse, and so no long list: those that wait for a block share what usual.ts has read. */
let lastFee: FeeFacts | undefined;

function feeFactsOf(amount: Fee['amount']): FeeFacts {
  if (lastFee?.amount === amount) return lastFee;
  const coins = parseCoins(amount, 'fee.amount');
  const facts = { amount, coins, text: coins.ok ? formatCoins(coins.value) : '' };
  if (coins.ok) lastFee = facts;
  return facts;
}

/** Of one signer, as far as it was asked. */
interface SignerFacts {
  key: SentKey | undefined;
  texts: readonly string[] | undefined;
  /** For which account of which chain the signature was found good; undefined: for none. */
  chainId: string | undefined;
  accountNumber: bigint;
}

/** Few objects: thousands of transactions wait for their block with them. */
class LazyFacts implements TxFacts {
  readonly #tx: DecodedTx;
  #memoBytes = -1;
  #fee: FeeFacts | undefined;
  #types: TxTypes | undefined;
  #chain: ChainParams | undefined;
  #form: Result<Signers> | undefined;
  readonly #signers: (SignerFacts | undefined)[];

  constructor(tx: DecodedTx) {
    this.#tx = tx;
    this.#signers = new Array(tx.authInfo.signerInfos.length);
  }

  #of(signer: number): SignerFacts {
    let facts = this.#signers[signer];
    if (facts === undefined) {
      facts = { key: undefined, texts: undefined, chainId: undefined, accountNumber: 0n };
      this.#signers[signer] = facts;
    }
    return facts;
  }

  get memoBytes(): number {
    const { memo } = this.#tx.body;
    if (this.#memoBytes < 0) this.#memoBytes = memo === '' ? 0 : utf8(memo).length;
    return this.#memoBytes;
  }

  get fee(): Result<readonly Coin[], string> {
    return this.#feeFacts().coins;
  }

  get feeText(): string {
    return this.#feeFacts().text;
  }

  #feeFacts(): FeeFacts {
    this.#fee ??= feeFactsOf(this.#tx.authInfo.fee?.amount ?? NO_FEE);
    return this.#fee;
  }

  form(types: TxTypes, chain: ChainParams): Result<Signers> {
    if (this.#form !== undefined && this.#types === types && this.#chain === chain) return this.#form;
    const form = formOf(this.#tx, types, chain);
    // All three or, when that one throws, none.
    this.#types = types;
    this.#chain = chain;
    this.#form = form;
    return form;
  }

  keyOf(signer: number): Result<SentKey> | undefined {
    const there = this.#signers[signer]?.key;
    if (there !== undefined) return ok(there);
    const sent = this.#tx.authInfo.signerInfos[signer]?.publicKey;
    if (sent === undefined) return undefined;
    const read = readAccountKey(sent);
    if (!read.ok) return read;
    const made = { key: read.value, address: this.#ownAddress(signer, addressOfKey(read.value)) };
    this.#of(signer).key = made;
    return ok(made);
  }

  /** The signer's own, when it is the same: one is kept instead of two. */
  #ownAddress(signer: number, address: Uint8Array): Uint8Array {
    const own = this.#form?.ok === true ? this.#form.value.all[signer] : undefined;
    return own !== undefined && equal(own, address) ? own : address;
  }

  signatureTexts(signer: number): readonly string[] {
    const there = this.#signers[signer]?.texts;
    if (there !== undefined) return there;
    const signature = this.#tx.raw.signatures[signer] ?? EMPTY;
    const texts = shownSignatures(this.#tx.authInfo.signerInfos[signer]?.modeInfo, signature).map(toBase64);
    this.#of(signer).texts = texts;
    return texts;
  }

  isVerified(signer: number, chainId: string, accountNumber: bigint): boolean {
    const there = this.#signers[signer];
    return there !== undefined && there.accountNumber === accountNumber && there.chainId === chainId;
  }

  learnVerified(signer: number, chainId: string, accountNumber: bigint): void {
    const facts = this.#of(signer);
    facts.chainId = chainId;
    facts.accountNumber = accountNumber;
  }

  hasVerified(signer: number): boolean {
    return this.#signers[signer]?.chainId !== undefined;
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
