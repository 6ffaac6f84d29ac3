/** Multisig keys and signatures that are made part by part, beside CosmJS, which makes the same by code of its own. */
import {
  createMultisigThresholdPubkey,
  encodeSecp256k1Pubkey,
  pubkeyToAddress,
  Secp256k1HdWallet,
  Secp256k1Wallet,
} from '@cosmjs/amino';
import { coins, makeMultisignedTxBytes, SigningStargateClient, type StdFee } from '@cosmjs/stargate';
import { TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import { expect, test } from 'vitest';
import { utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { type AccountKeyPair, keyFromPrivate } from '#core/crypto/keys.ts';
import { pureVerifier } from '#core/crypto/verify.ts';
import type { Result } from '#core/result.ts';
import { MsgSendSchema } from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import type { Json } from '#runtime/module.ts';
import type { AccountKey, MultisigKey } from '#runtime/tx/account-key.ts';
import { buildTx } from '#runtime/tx/build.ts';
import { decodeTx, type RawTx } from '#runtime/tx/decode.ts';
import { verifySignature } from '#runtime/tx/verify.ts';
import { accountKeyFromJson, accountKeyJson, keyAddress, multisigKey } from './account-keys.ts';
import {
  multisign,
  readSignatureFile,
  type SignerPart,
  signatureFile,
  signersIn,
  signPart,
  simulatedPart,
  withSigners,
} from './signatures.ts';
import { encodeTxParts, TX_TABLE } from './tx-json.ts';

const value = <T>(result: Result<T, unknown>): T => {
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
};
const pairs = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'].map((seed) =>
  keyFromPrivate(sha256(utf8(seed))),
);
const pair = (i: number): AccountKeyPair => pairs[i] as AccountKeyPair;
const simple = (i: number): AccountKey => ({ kind: 'secp256k1', bytes: pair(i).publicKey });
const group = (threshold: number, ...members: number[]): MultisigKey =>
  value(multisigKey(threshold, members.map(simple), true));
const signing = { chainId: 'group-1', accountNumber: 7n, sequence: 3n };
const TO = keyAddress(simple(0), 'auton');

function unsigned(from: AccountKey): RawTx {
  const message = pack(MsgSendSchema, {
    fromAddress: keyAddress(from, 'auton'),
    toAddress: TO,
    amount: [{ denom: 'uauton', amount: '5' }],
  });
  const fee = [{ denom: 'uauton', amount: 2_000n }];
  return value(decodeTx(buildTx({ messages: [message], fee, gasLimit: 200_000n, memo: 'us' }, '', []), TX_TABLE)).raw;
}

/** Through the file that a member hands over. */
function signed(parts: RawTx, member: number, change: Partial<typeof signing> = {}) {
  const part = value(signPart(parts, pair(member), 'amino-json', { ...signing, ...change }));
  return value(readSignatureFile(value(signatureFile(part))));
}

const nameOf = (key: AccountKey): string => keyAddress(key, 'auton');

function verdict(parts: RawTx, { info, signature }: SignerPart, key: AccountKey): string {
  const tx = value(decodeTx(encodeTxParts(value(withSigners(parts, [{ info, signature }]))), TX_TABLE));
  const context = { tx, types: TX_TABLE, chainId: signing.chainId };
  const result = verifySignature(pureVerifier, context, { key, info, signature, ...signing });
  return result.ok ? 'good' : result.error.message;
}

test('a multisig account is the one that CosmJS computes, whatever the order in which its members are named', () => {
  const keys = [0, 1, 2].map((i) => encodeSecp256k1Pubkey(pair(i).publicKey));
  const theirs = pubkeyToAddress(createMultisigThresholdPubkey(keys, 2), 'auton');
  expect(keyAddress(group(2, 0, 1, 2), 'auton')).toBe(theirs);
  expect(keyAddress(group(2, 2, 0, 1), 'auton')).toBe(theirs);
  const unsorted = pubkeyToAddress(createMultisigThresholdPubkey(keys, 2, true), 'auton');
  expect(keyAddress(value(multisigKey(2, [0, 1, 2].map(simple), false)), 'auton')).toBe(unsorted);
  expect(multisigKey(3, [simple(0), simple(1)], true)).toMatchObject({
    ok: false,
    error: expect.stringContaining('threshold 3, expected 1 … 2'),
  });
});

test('keys survive their JSON, which is that of the Cosmos SDK', () => {
  for (const key of [simple(1), group(2, 0, 1, 2)])
    expect(accountKeyFromJson(accountKeyJson(key), 'key')).toEqual({ ok: true, value: key });
  expect(accountKeyJson(simple(0))).toEqual({
    '@type': '/cosmos.crypto.secp256k1.PubKey',
    key: Buffer.from(pair(0).publicKey).toString('base64'),
  });
  expect(accountKeyJson(group(2, 0, 1))).toMatchObject({
    '@type': '/cosmos.crypto.multisig.LegacyAminoPubKey',
    threshold: 2,
    public_keys: [{ '@type': '/cosmos.crypto.secp256k1.PubKey' }, {}],
  });
  const wrong: [Json, RegExp][] = [
    [null, /^key/],
    [{ '@type': '/cosmos.crypto.ed25519.PubKey', key: '' }, /^key/],
    [{ '@type': '/cosmos.crypto.secp256k1.PubKey', key: 'AAAA' }, /expected 33 bytes/],
    [{ '@type': '/cosmos.crypto.secp256k1.PubKey', kez: '' }, /kez/],
  ];
  for (const [json, sentence] of wrong)
    expect(accountKeyFromJson(json, 'key')).toMatchObject({ ok: false, error: expect.stringMatching(sentence) });
});

test('members sign apart, and together they make the transaction that CosmJS makes of its own signatures', async () => {
  const key = group(2, 0, 1, 2);
  const from = keyAddress(key, 'auton');
  const parts = unsigned(key);
  const descriptors = [...signed(parts, 2), ...signed(parts, 0)];
  const made = value(multisign(parts, key, signing, descriptors, nameOf));
  expect(verdict(parts, made, key)).toBe('good');

  const fee: StdFee = { amount: coins(2_000, 'uauton'), gas: '200000' };
  const messages = [
    {
      typeUrl: '/cosmos.bank.v1beta1.MsgSend',
      value: { fromAddress: from, toAddress: TO, amount: coins(5, 'uauton') },
    },
  ];
  const signatures = new Map<string, Uint8Array>();
  let body = new Uint8Array();
  for (const i of [0, 2]) {
    const wallet = await Secp256k1Wallet.fromKey(pair(i).privateKey, 'auton');
    const [account] = await wallet.getAccounts();
    const client = await SigningStargateClient.offline(wallet);
    const address = account?.address ?? '';
    // CosmJS signs for the address whose key it has: the group's number and sequence are told.
    const raw = await client.sign(address, messages, fee, 'us', { ...signing, accountNumber: 7n, sequence: 3 });
    signatures.set(address, raw.signatures[0] as Uint8Array);
    body = Uint8Array.from(raw.bodyBytes);
  }
  const multisig = createMultisigThresholdPubkey(
    [0, 1, 2].map((i) => encodeSecp256k1Pubkey(pair(i).publicKey)),
    2,
  );
  const theirs = makeMultisignedTxBytes(multisig, 3, fee, body, signatures);
  const ours = encodeTxParts(value(withSigners(parts, [made])));
  expect(TxRaw.toJSON(TxRaw.decode(ours))).toEqual(TxRaw.toJSON(TxRaw.decode(theirs)));
});

test('an amino signature of one key is that of CosmJS’s amino wallet', async () => {
  const words = 'abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about';
  const wallet = await Secp256k1HdWallet.fromMnemonic(words, { prefix: 'auton' });
  const [account] = await wallet.getAccounts();
  const { keyFromMnemonic } = await import('#core/crypto/keys.ts');
  const key = keyFromMnemonic(words);
  const parts = unsigned({ kind: 'secp256k1', bytes: key.publicKey });
  const part = value(signPart(parts, key, 'amino-json', signing));
  const client = await SigningStargateClient.offline(wallet);
  const message = {
    typeUrl: '/cosmos.bank.v1beta1.MsgSend',
    value: { fromAddress: account?.address, toAddress: TO, amount: coins(5, 'uauton') },
  };
  const fee = { amount: coins(2_000, 'uauton'), gas: '200000' };
  const raw = await client.sign(account?.address ?? '', [message], fee, 'us', {
    chainId: 'group-1',
    accountNumber: 7n,
    sequence: 3,
  });
  expect([...part.signature]).toEqual([...(raw.signatures[0] as Uint8Array)]);
  expect(encodeTxParts(value(withSigners(parts, [part])))).toEqual(TxRaw.encode(raw).finish());
});

test('what does not make a multisignature is refused by name', () => {
  const key = group(2, 0, 1, 2);
  const parts = unsigned(key);
  const [first, second] = [signed(parts, 0), signed(parts, 1)];
  const errorOf = (...descriptors: ReturnType<typeof signed>[]) => {
    const made = multisign(parts, key, signing, descriptors.flat(), nameOf);
    return made.ok ? 'made' : made.error;
  };
  const name = (i: number) => keyAddress(simple(i), 'auton');
  expect(errorOf(first, second)).toBe('made');
  expect(errorOf(first)).toBe(`1 of 2 signatures that ${nameOf(key)} needs`);
  expect(errorOf(first, signed(parts, 5))).toBe(`${name(5)} is no member of ${nameOf(key)}`);
  expect(errorOf(first, first)).toBe(`the signature of ${name(0)} is there twice`);
  expect(errorOf(first, signed(parts, 1, { sequence: 4n }))).toContain('has signed for sequence 4, expected 3');
  expect(errorOf(first, signed(parts, 1, { chainId: 'other-1' }))).toContain(
    `the signature of ${name(1)}: signature verification failed`,
  );
  expect(errorOf(first, signed(unsigned(simple(4)), 1))).toContain('signature verification failed');
  const foreign = second.map((one) => ({ ...one, publicKey: first[0]?.publicKey })) as typeof second;
  expect(errorOf(foreign, signed(parts, 2))).toContain('signature verification failed');
  const direct = value(readSignatureFile(value(signatureFile(value(signPart(parts, pair(1), 'direct', signing))))));
  expect(errorOf(first, [...direct])).toContain('signature verification failed');
  const keyless = second.map(({ publicKey: _, ...one }) => one) as typeof second;
  expect(errorOf(keyless)).toBe('a signature has no public key');
});

/** A signature of groups inside groups. */
const nested = (depth: number): string =>
  `{"signatures":[{"data":${'{"multi":{"signatures":['.repeat(depth)}${']}}'.repeat(depth)}}]}`;

test('files that hold no signatures are refused by what is wrong with them', () => {
  const cases: [string, RegExp][] = [
    ['', /expected JSON/],
    ['{}', /there is none/],
    ['{"body":{}}', /that is a whole transaction/],
    ['{"signatures":[{"sequence":"x"}]}', /sequence/],
    ['{"signatures":[],"more":1}', /more/],
    ['x'.repeat(5_000_000), /exceed the limit/],
    [nested(60), /recursion|nested deeper/],
    [nested(50_000), /nested deeper than 64 levels/],
  ];
  for (const [text, sentence] of cases)
    expect(readSignatureFile(text)).toMatchObject({ ok: false, error: expect.stringMatching(sentence) });
});

test('nine members, and a group that is itself a member', () => {
  const many = group(5, 0, 1, 2, 3, 4, 5, 6, 7, 8);
  const parts = unsigned(many);
  const five = [8, 6, 4, 2, 0].flatMap((i) => signed(parts, i));
  expect(verdict(parts, value(multisign(parts, many, signing, five, nameOf)), many)).toBe('good');

  const inner = group(2, 0, 1, 2);
  const outer = value(multisigKey(2, [inner, simple(3), simple(4)], true));
  const whole = unsigned(outer);
  const half = value(multisign(whole, inner, signing, [...signed(whole, 0), ...signed(whole, 2)], nameOf));
  const handed = value(readSignatureFile(value(signatureFile(half))));
  const made = value(multisign(whole, outer, signing, [...handed, ...signed(whole, 4)], nameOf));
  expect(verdict(whole, made, outer)).toBe('good');
  expect(signersIn(value(withSigners(whole, [made])))).toEqual({ ok: true, value: [made] });
});

test('what is simulated for a group has as many bytes as what is sent, within a tenth', () => {
  const key = group(3, 0, 1, 2, 3, 4);
  const parts = unsigned(key);
  const sent = value(
    multisign(
      parts,
      key,
      signing,
      [0, 1, 2].flatMap((i) => signed(parts, i)),
      nameOf,
    ),
  );
  const size = (part: SignerPart) => encodeTxParts(value(withSigners(parts, [part]))).length;
  const ratio = size(simulatedPart(key, 3n)) / size(sent);
  expect(ratio).toBeGreaterThan(0.9);
  expect(ratio).toBeLessThan(1.1);
});
