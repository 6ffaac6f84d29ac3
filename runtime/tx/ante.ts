/**
 * What every transaction passes before its messages run, in this order: basic form, timeout height, memo, gas of its
 * bytes, fee (enough, and deducted), public keys, signatures, sequences. It works on a branch of its own, which the runner
 * writes only when all of it passed.
 */
import { defined } from '#core/assert.ts';
import { equal } from '#core/bytes.ts';
import type { Verifier } from '#core/ports/crypto.ts';
import { ok, type Result } from '#core/result.ts';
import type { SignerInfo } from '#proto/gen/cosmos/tx/v1beta1/tx_pb.ts';
import { formatAddress, moduleAddress, parseAddress } from '../address.ts';
import { amountOf, type Coin, type DecCoin, feeFor, formatCoins } from '../coins.ts';
import type { BlockInfo, ChainParams, EventSink } from '../context.ts';
import { failSdk } from '../errors.ts';
import { noEvents } from '../events.ts';
import { RUNTIME_LIMITS } from '../limits.ts';
import { FEE_COLLECTOR } from '../modules/auth/module.ts';
import {
  type Account,
  AUTH_STORE,
  type AuthParams,
  getAccount,
  getAuthParams,
  setAccount,
} from '../modules/auth/state.ts';
import { ledgerOf, requireSendEnabled, sendCoins } from '../modules/bank/ledger.ts';
import { useGrantedFees } from '../modules/feegrant/fees.ts';
import type { GasMeter } from '../state/gas.ts';
import type { KvWriter, StateWriter } from '../state/kv-view.ts';
import { type AccountKey, addressOfKey, countKeys, readAccountKey } from './account-key.ts';
import type { DecodedTx, TxTypes } from './decode.ts';
import { factsOf, type SentKey, type TxFacts } from './facts.ts';
import type { Signers } from './signers.ts';
import { signatureParts, verifySignature } from './verify.ts';

/**
 * `check`: into the mempool; `recheck`: still in it after a block; `propose`: into a proposal; `deliver`: in a block;
 * `simulate`: gas only. Messages run in the last two.
 */
export type TxMode = 'check' | 'recheck' | 'propose' | 'deliver' | 'simulate';

export interface AnteContext {
  readonly state: StateWriter;
  /** A view of `state` whose writes are charged, seen by itself and then forgotten. */
  scratch(): StateWriter;
  readonly gas: GasMeter;
  readonly events: EventSink;
  /** That the transaction is, or would be, in. */
  readonly block: BlockInfo;
  readonly chain: ChainParams;
  readonly mode: TxMode;
  readonly types: TxTypes;
  readonly verifier: Verifier;
  /** Node-local, for mode `check` alone. */
  readonly minGasPrices: readonly DecCoin[];
}

export interface AntePassed {
  readonly signers: Signers;
  readonly fee: readonly Coin[];
  /**
   * On the same state, at the same height, it passes in mode `propose` too, and writes the same: every signature is known to
   * be good, and nothing depended on the block's time, as what has vested and what expires does.
   */
  readonly repeats: boolean;
  /** That it went by. */
  readonly params: AuthParams;
}

/** What the mempool is told of a transaction that has passed. */
export interface Admitted {
  readonly sender: string;
  readonly sequence: bigint;
  readonly priority: bigint;
  /** See {@link AntePassed}. */
  readonly repeats: boolean;
}

export function runAnte(context: AnteContext, tx: DecodedTx): Result<AntePassed> {
  const facts = factsOf(tx);
  const signers = checkForm(context, tx, facts);
  if (!signers.ok) return signers;
  const auth = context.state.store(AUTH_STORE);
  const params = getAuthParams(auth);
  const timely = checkTimeoutAndMemo(context, tx, facts, params);
  if (!timely.ok) return timely;
  chargeSize(context, tx, params, signers.value.all.length);
  const fee = deductFee(context, tx, facts, signers.value);
  if (!fee.ok) return fee;
  const signed = checkSigners(context, { tx, facts, params }, signers.value, auth);
  if (!signed.ok) return signed;
  const { coins, timeless } = fee.value;
  return ok({ signers: signers.value, fee: coins, repeats: timeless && signed.value, params });
}

/** tx ValidateBasic of v0.50, the messages' own checks included. */
function checkForm(context: AnteContext, tx: DecodedTx, facts: TxFacts): Result<Signers> {
  const { body, authInfo } = tx;
  const { fee } = authInfo;
  if (body.extensionOptions.length > 0)
    return failSdk(
      'unknownExtensionOptions',
      `transaction: ${body.extensionOptions[0]?.typeUrl ?? ''} is not supported`,
    );
  if (fee === undefined) return failSdk('insufficientFee', 'auth_info.fee: missing');
  if (fee.gasLimit > RUNTIME_LIMITS.maxGasWanted && context.mode !== 'simulate')
    return failSdk('invalidRequest', `invalid gas supplied; ${fee.gasLimit} > ${RUNTIME_LIMITS.maxGasWanted}`);
  if (fee.gasLimit === 0n && context.mode !== 'simulate')
    return failSdk('invalidGasLimit', 'must provide positive gas');
  return facts.form(context.types, context.chain);
}

function checkTimeoutAndMemo(context: AnteContext, tx: DecodedTx, facts: TxFacts, params: AuthParams): Result<void> {
  const { timeoutHeight } = tx.body;
  if (timeoutHeight > 0n && context.block.height > timeoutHeight)
    return failSdk('txTimeoutHeight', `block height: ${context.block.height}, timeout height: ${timeoutHeight}`);
  if (facts.memoBytes > params.maxMemoCharacters)
    return failSdk(
      'memoTooLarge',
      `maximum number of characters is ${params.maxMemoCharacters} but received ${facts.memoBytes} characters`,
    );
  return ok(undefined);
}

/**
 * The Cosmos SDK's checks read parameters, accounts and the fee collector again in each decorator, and write an index with
 * each balance of the fee; these do it once. Wallets are tuned to the sum, and gas is a price: the difference is charged.
 * See docs/gas.md.
 */
const ANTE_GAS = 22_000n;

/** A simulation carries empty signatures: what they will weigh is added (x/auth/ante ConsumeTxSizeGasDecorator). */
const SIMULATED_SIGNATURE_BYTES = 64 + 6;

function chargeSize(context: AnteContext, tx: DecodedTx, params: AuthParams, signers: number): void {
  context.gas.consume(params.txSizeCostPerByte * BigInt(tx.size), 'txSize');
  context.gas.consume(ANTE_GAS, 'ante checks');
  if (context.mode !== 'simulate') return;
  const empty = tx.raw.signatures.filter((signature) => signature.length === 0).length;
  if (empty > 0)
    context.gas.consume(
      params.txSizeCostPerByte * BigInt(Math.min(empty, signers) * SIMULATED_SIGNATURE_BYTES),
      'TxSize',
    );
}

/** Hashed once, not with each transaction. */
export const COLLECTOR = moduleAddress(FEE_COLLECTOR);

interface PaidFee {
  readonly coins: readonly Coin[];
  /** Whether it could be paid did not depend on the block's time. */
  readonly timeless: boolean;
}

function deductFee(context: AnteContext, tx: DecodedTx, facts: TxFacts, signers: Signers): Result<PaidFee> {
  const { chain, mode } = context;
  const gasLimit = tx.authInfo.fee?.gasLimit ?? 0n;
  const coins = facts.fee;
  if (!coins.ok) return failSdk('insufficientFee', coins.error);
  if (mode === 'check' && !isEnough(coins.value, gasLimit, context.minGasPrices)) {
    const required = formatCoins(context.minGasPrices.map((price) => feeFor(gasLimit, price)));
    return failSdk('insufficientFee', `insufficient fees; got: ${facts.feeText} required: ${required}`);
  }
  const source = feeSource(context, tx, signers, coins.value);
  if (!source.ok) return source;
  const payer = source.value;
  const text = payer === undefined ? '' : formatAddress(chain, payer);
  const account = payer === undefined ? undefined : getAccount(context.state.store(AUTH_STORE), payer);
  if (payer === undefined || account === undefined)
    return failSdk('unknownAddress', `fee payer address: ${text} does not exist`);
  if (coins.value.length > 0) {
    const ledger = ledgerOf(context);
    // Fees are paid in the base denomination even while accounts may not send it; what must not be sent is no fee either.
    const movable = requireSendEnabled(
      ledger,
      coins.value.filter(({ denom }) => denom !== chain.baseDenom),
    );
    if (!movable.ok) return movable;
    const paid = sendCoins(ledger, payer, COLLECTOR, coins.value);
    if (!paid.ok) return paid;
  } else if (mode === 'simulate') {
    // Wallets simulate without a fee and then pay one: its gas is counted. Who cannot pay is told when it matters.
    const ledger = ledgerOf({ ...context, state: context.scratch(), events: noEvents });
    sendCoins(ledger, payer, COLLECTOR, [{ denom: chain.baseDenom, amount: 1n }]);
  }
  context.events.emit('tx', [
    ['fee', facts.feeText],
    ['fee_payer', text],
  ]);
  const timeless = account.vesting === undefined && (tx.authInfo.fee?.granter ?? '') === '';
  return ok({ coins: coins.value, timeless });
}

/** Whose coins pay: the granter's, as far as there is one and it allows so, else the payer's. */
function feeSource(
  context: AnteContext,
  tx: DecodedTx,
  { feePayer }: Signers,
  fee: readonly Coin[],
): Result<Uint8Array | undefined> {
  const text = tx.authInfo.fee?.granter ?? '';
  if (text === '' || feePayer === undefined) return ok(feePayer);
  const granter = parseAddress(context.chain, text, 'fee.granter');
  if (!granter.ok) return granter;
  if (equal(granter.value, feePayer)) return ok(feePayer);
  const messages = tx.messages.map(({ handler }) => handler.typeUrl);
  const used = useGrantedFees(context, { granter: granter.value, grantee: feePayer }, fee, messages);
  return used.ok ? granter : used;
}

/** Whether the fee reaches the price in at least one denomination. */
function isEnough(fee: readonly Coin[], gasLimit: bigint, prices: readonly DecCoin[]): boolean {
  return (
    prices.length === 0 ||
    prices.some((price) => price.atomics === 0n) ||
    prices.some((price) => amountOf(fee, price.denom) >= feeFor(gasLimit, price).amount)
  );
}

/** What the checks of all signers have in common. */
interface Signing {
  readonly tx: DecodedTx;
  readonly facts: TxFacts;
  readonly params: AuthParams;
}

interface SignerEntry {
  /** Which of the signers. */
  readonly at: number;
  readonly account: Account;
  /** Undefined in a simulation without a key. */
  readonly key: AccountKey | undefined;
  readonly info: SignerInfo;
  readonly signature: Uint8Array;
}

/** Public keys, signatures and sequences of all signers. Answers whether every signature is known to be good. */
function checkSigners(context: AnteContext, signing: Signing, signers: Signers, auth: KvWriter): Result<boolean> {
  const { tx, facts, params } = signing;
  const entries: SignerEntry[] = [];
  let keys = 0;
  for (let at = 0; at < signers.all.length; at++) {
    const address = signers.all[at] as Uint8Array;
    const info = tx.authInfo.signerInfos[at];
    const signature = tx.raw.signatures[at];
    if (info === undefined || signature === undefined)
      return failSdk('invalidSignerInfo', `signer ${at} has no signer info`);
    const account = getAccount(auth, address);
    if (account === undefined)
      return failSdk('unknownAddress', `account ${formatAddress(context.chain, address)} does not exist`);
    const key = keyOf(context, account, info, facts.keyOf(at));
    if (!key.ok) return key;
    keys += key.value === undefined ? 1 : countKeys(key.value);
    entries.push({ at, account, key: key.value, info, signature });
  }
  if (keys > params.txSigLimit)
    return failSdk('maxSignaturesExceeded', `signatures: ${keys}, limit: ${params.txSigLimit}`);
  let known = true;
  for (const entry of entries) {
    const checked = checkSigner(context, signing, entry);
    if (!checked.ok) return checked;
    if (isUnverified(context.mode)) known = known && isKnownGood(context, facts, entry);
    setAccount(auth, checked.value);
  }
  return ok(known);
}

/** Recheck has verified before, or another key was the account's then. */
function isUnverified(mode: TxMode): boolean {
  return mode === 'recheck' || mode === 'simulate';
}

/** Whether this very signature was found good, by the key that came along. */
function isKnownGood({ chain }: AnteContext, facts: TxFacts, { at, key, account }: SignerEntry): boolean {
  return isSentKey(facts, at, key) && facts.isVerified(at, chain.chainId, account.accountNumber);
}

/** A multisig's signatures are many: who verifies them remembers each. */
function isSentKey(facts: TxFacts, at: number, key: AccountKey | undefined): boolean {
  const sent = facts.keyOf(at);
  return key?.kind === 'secp256k1' && sent?.ok === true && sent.value.key === key;
}

/** The account as it is after the signature: key set, sequence raised. */
function checkSigner(context: AnteContext, signing: Signing, entry: SignerEntry): Result<Account> {
  const { account, info } = entry;
  const { chain, events } = context;
  const charged = chargeSignature(context, signing.params, entry);
  if (!charged.ok) return charged;
  if (info.sequence !== account.sequence)
    return failSdk('wrongSequence', `account sequence mismatch, expected ${account.sequence}, got ${info.sequence}`);
  if (!isUnverified(context.mode)) {
    const valid = requireSignature(context, signing, entry);
    if (!valid.ok) return valid;
  }
  events.emit('tx', [['acc_seq', `${formatAddress(chain, account.address)}/${info.sequence}`]]);
  if (events !== noEvents)
    for (const text of signing.facts.signatureTexts(entry.at)) events.emit('tx', [['signature', text]]);
  // A simulation's key may be made up, but it is as long as the one that will be written.
  const { address, accountNumber, module, vesting } = account;
  const pubKey = account.pubKey ?? info.publicKey;
  return ok({ address, accountNumber, sequence: account.sequence + 1n, pubKey, module, vesting });
}

function requireSignature(context: AnteContext, { tx, facts }: Signing, entry: SignerEntry): Result<void> {
  const { at, key, info, signature } = entry;
  const { accountNumber, sequence } = entry.account;
  const { chainId } = context.chain;
  if (key === undefined) return failSdk('invalidPubKey', 'no public key');
  if (isKnownGood(context, facts, entry)) return ok(undefined);
  const signing = { tx, types: context.types, chainId };
  const valid = verifySignature(context.verifier, signing, { key, info, signature, accountNumber, sequence });
  if (valid.ok && isSentKey(facts, at, key)) facts.learnVerified(at, chainId, accountNumber);
  return valid;
}

/** x/auth/ante SigGasConsumeDecorator: each single signature costs the same. A simulation pays for the threshold. */
function chargeSignature(
  context: AnteContext,
  params: AuthParams,
  { key, info, signature }: SignerEntry,
): Result<void> {
  let count = 1;
  if (context.mode === 'simulate' && (key?.kind !== 'multisig' || info.modeInfo?.sum.case !== 'multi')) {
    count = key === undefined ? 1 : leastSignatures(key);
  } else if (key !== undefined) {
    const parts = signatureParts(key, info.modeInfo, signature);
    if (!parts.ok) return parts;
    count = parts.value.length;
  }
  for (let i = 0; i < count; i++) context.gas.consume(params.sigVerifyCostSecp256k1, 'ante verify: secp256k1');
  return ok(undefined);
}

/** Single signatures that the cheapest way to sign takes, when every nested key takes its own threshold. */
function leastSignatures(key: AccountKey): number {
  if (key.kind !== 'multisig') return 1;
  const costs = key.keys.map(leastSignatures).sort((a, b) => a - b);
  return costs.slice(0, key.threshold).reduce((sum, cost) => sum + cost, 0);
}

/** The key that must have signed: the account's own, else the one that comes along, whose address must be the account's. */
function keyOf(
  context: AnteContext,
  account: Account,
  info: SignerInfo,
  sentKey: Result<SentKey> | undefined,
): Result<AccountKey | undefined> {
  const simulate = context.mode === 'simulate';
  if (account.module !== undefined)
    return failSdk('unauthorized', `${addressText(context, account)} is the account of a module, no key signs for it`);
  const own = account.pubKey;
  const sent = info.publicKey;
  if (own === undefined && sentKey === undefined)
    return simulate
      ? ok(undefined)
      : failSdk(
          'invalidPubKey',
          `account ${addressText(context, account)} has no public key on chain yet: the transaction must carry it`,
        );
  const isSame =
    own === undefined || (sent !== undefined && sent.typeUrl === own.typeUrl && equal(sent.value, own.value));
  // The same bytes are the same key: it is read where it was sent.
  const read = isSame && sentKey !== undefined ? sentKey : readOwnKey(own);
  if (!read.ok) return read;
  const differs = sent !== undefined && !isSame;
  if (!simulate && (differs || !equal(read.value.address, account.address)))
    return failSdk('invalidPubKey', `pubKey does not match signer address ${addressText(context, account)}`);
  return ok(read.value.key);
}

function readOwnKey(own: Account['pubKey']): Result<SentKey> {
  const key = readAccountKey(defined(own, "a key, the account's or one that was sent"));
  return key.ok ? ok({ key: key.value, address: addressOfKey(key.value) }) : key;
}

function addressText({ chain }: AnteContext, { address }: Account): string {
  return formatAddress(chain, address);
}
