import { createMultisigThresholdPubkey, encodeSecp256k1Pubkey, pubkeyToRawAddress } from '@cosmjs/amino';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toHex } from '#core/bytes.ts';
import { signSecp256k1 } from '#core/crypto/keys.ts';
import { pureVerifier } from '#core/crypto/verify.ts';
import { LegacyAminoPubKeySchema } from '#proto/gen/cosmos/crypto/multisig/keys_pb.ts';
import { MultiSignatureSchema } from '#proto/gen/cosmos/crypto/multisig/v1beta1/multisig_pb.ts';
import { PubKeySchema } from '#proto/gen/cosmos/crypto/secp256k1/keys_pb.ts';
import { SignMode } from '#proto/gen/cosmos/tx/signing/v1beta1/signing_pb.ts';
import {
  AuthInfoSchema,
  type ModeInfoSchema,
  type SignerInfo,
  SignerInfoSchema,
  TxBodySchema,
  TxRawSchema,
} from '#proto/gen/cosmos/tx/v1beta1/tx_pb.ts';
import { create, encode, type MessageInitShape, pack } from '#proto/message.ts';
import { moduleTable } from '../module-table.ts';
import { testKey } from '../test-chain.ts';
import { addressOfKey, countKeys, readAccountKey } from './account-key.ts';
import { aminoSignBytes } from './amino-json.ts';
import { decodeTx } from './decode.ts';
import { shownSignatures, verifySignature } from './verify.ts';

const table = moduleTable();
const members = [1, 2, 3].map(testKey);
const simple = (n: number) => pack(PubKeySchema, { key: testKey(n).publicKey });
const group = (threshold: number, keys = members.map((_, i) => simple(i + 1))) =>
  pack(LegacyAminoPubKeySchema, { threshold, publicKeys: keys.map((one) => ({ ...one })) });

type Mode = MessageInitShape<typeof ModeInfoSchema>;
const amino: Mode = { sum: { case: 'single', value: { mode: SignMode.LEGACY_AMINO_JSON } } };

const tx = (() => {
  const raw = encode(TxRawSchema, {
    bodyBytes: encode(TxBodySchema, { memo: 'together' }),
    authInfoBytes: encode(AuthInfoSchema, { fee: { gasLimit: 1n } }),
  });
  const decoded = decodeTx(raw, table);
  if (!decoded.ok) throw new Error(decoded.error.message);
  return decoded.value;
})();
const context = { tx, types: table, chainId: 'test-1' };
const signBytes = (() => {
  const bytes = aminoSignBytes(tx, table, { chainId: 'test-1', accountNumber: 4n, sequence: 2n });
  if (!bytes.ok) throw new Error(bytes.error.message);
  return bytes.value;
})();
const signatureOf = (n: number) => signSecp256k1(testKey(n).privateKey, signBytes);

function check(
  key: { typeUrl: string; value: Uint8Array },
  bits: { elems: Uint8Array; extraBitsStored: number } | undefined,
  modes: readonly Mode[],
  signatures: readonly Uint8Array[],
): string {
  const read = readAccountKey(key);
  if (!read.ok) return read.error.message;
  const multi = { ...(bits === undefined ? {} : { bitarray: bits }), modeInfos: [...modes] };
  const info: SignerInfo = create(SignerInfoSchema, { modeInfo: { sum: { case: 'multi', value: multi } } });
  const signature = encode(MultiSignatureSchema, { signatures: [...signatures] });
  const entry = { key: read.value, info, signature, accountNumber: 4n, sequence: 2n };
  const valid = verifySignature(pureVerifier, context, entry);
  return valid.ok ? 'ok' : valid.error.message;
}

const bits = (...on: number[]) => ({
  elems: Uint8Array.of(on.reduce((sum, i) => sum | (0x80 >> i), 0)),
  extraBitsStored: 3,
});

test('the address is the one that CosmJS computes, of nested keys too', () => {
  const keys = members.map(({ publicKey }) => encodeSecp256k1Pubkey(publicKey));
  for (const threshold of [1, 2, 3]) {
    const read = readAccountKey(group(threshold));
    const expected = pubkeyToRawAddress(createMultisigThresholdPubkey(keys, threshold, true));
    expect(read.ok && toHex(addressOfKey(read.value))).toBe(toHex(expected));
  }
  const nested = readAccountKey(group(1, [group(2), simple(9)]));
  expect(nested.ok && countKeys(nested.value)).toBe(4);
});

test('threshold, bits, modes and signatures must fit together', () => {
  const two = [signatureOf(1), signatureOf(3)];
  expect(check(group(2), bits(0, 2), [amino, amino], two)).toBe('ok');
  expect(check(group(3), bits(0, 2), [amino, amino], two)).toContain('expected at least 3');
  expect(check(group(2), bits(0, 1), [amino, amino], two)).toContain('signature verification failed');
  expect(check(group(2), bits(0, 2), [amino, amino], [signatureOf(3), signatureOf(1)])).toContain(
    'verification failed',
  );
  expect(check(group(2), bits(0, 1, 2), [amino, amino], two)).toContain('3, 2, 2 bits, modes, signatures');
  expect(check(group(2), bits(0, 2), [amino], two)).toContain('2, 1, 2 bits');
  expect(check(group(2), bits(0, 2), [amino, amino], [...two, ...two])).toContain('2, 2, 4 bits');
  expect(check(group(2), undefined, [amino, amino], two)).toContain('bitarray: missing');
  expect(check(group(2), { ...bits(0, 2), extraBitsStored: 0 }, [amino, amino], two)).toContain('8 bits, expected 3');
  expect(check(group(2), { elems: new Uint8Array(0), extraBitsStored: 3 }, [], [])).toContain('expected 3');
  expect(check(group(2), { elems: Uint8Array.of(0xa8), extraBitsStored: 3 }, [amino, amino], two)).toContain('no key');
  const direct: Mode = { sum: { case: 'single', value: { mode: SignMode.DIRECT } } };
  expect(check(group(2), bits(0, 2), [amino, direct], two)).toContain('verification failed');
  const textual: Mode = { sum: { case: 'single', value: { mode: SignMode.TEXTUAL } } };
  expect(check(group(2), bits(0, 2), [amino, textual], two)).toContain('sign mode 2');
});

test('a multisig key inside another signs as one of its members', () => {
  const inner = group(2);
  const outer = group(2, [inner, simple(9)]);
  const innerBits = { bitarray: bits(0, 1), modeInfos: [amino, amino] };
  const modes: Mode[] = [{ sum: { case: 'multi', value: innerBits } }, amino];
  const both = { elems: Uint8Array.of(0xc0), extraBitsStored: 2 };
  const innerSignature = encode(MultiSignatureSchema, { signatures: [signatureOf(1), signatureOf(2)] });
  expect(check(outer, both, modes, [innerSignature, signatureOf(9)])).toBe('ok');
  const half = encode(MultiSignatureSchema, { signatures: [signatureOf(1)] });
  expect(check(outer, both, modes, [half, signatureOf(9)])).toContain('2, 2, 1 bits');
  expect(check(outer, both, [amino, amino], [innerSignature, signatureOf(9)])).toContain('expected multi');
});

test('events show the parts of a multisignature, then the whole of them', () => {
  const parts = [signatureOf(1), signatureOf(3)];
  const whole = encode(MultiSignatureSchema, { signatures: parts });
  const multi = (modeInfos: Mode[]): Mode => ({ sum: { case: 'multi', value: { bitarray: bits(0, 2), modeInfos } } });
  const shown = (mode: Mode, signature: Uint8Array) =>
    shownSignatures(create(SignerInfoSchema, { modeInfo: mode }).modeInfo, signature).map(toHex);
  expect(shown(amino, signatureOf(1))).toEqual([toHex(signatureOf(1))]);
  expect(shown(multi([amino, amino]), whole)).toEqual([...parts, whole].map(toHex));
  expect(shown(multi([amino, amino]), Uint8Array.of(7))).toEqual(['07']);
  const outer = encode(MultiSignatureSchema, { signatures: [whole, signatureOf(9)] });
  const flat = [...parts, whole, signatureOf(9)];
  expect(shown(multi([multi([amino, amino]), amino]), outer)).toEqual(
    [...flat, encode(MultiSignatureSchema, { signatures: flat })].map(toHex),
  );
});

test('keys beyond the limits are refused by name', () => {
  const deep = [1, 2, 3, 4].reduce((key) => group(1, [key]), simple(1));
  expect(readAccountKey(deep).ok).toBe(true);
  const cases: [ReturnType<typeof group>, string][] = [
    [group(1, [deep]), 'nested deeper than 4'],
    [group(0), 'threshold 0'],
    [group(4), 'threshold 4, expected 1 … 3'],
    [group(1, []), 'threshold 1'],
    [
      group(
        1,
        Array.from({ length: 65 }, () => simple(1)),
      ),
      '65 keys exceed',
    ],
    [
      group(
        1,
        Array.from({ length: 64 }, () => group(1, [simple(1), simple(2)])),
      ),
      'bytes exceed',
    ],
    [group(1, [pack(PubKeySchema, { key: new Uint8Array(32) })]), 'expected 33 bytes'],
  ];
  for (const [key, sentence] of cases) {
    const read = readAccountKey(key);
    expect(read.ok ? '' : read.error.message).toContain(sentence);
  }
});

test('no bytes for key, bits or signatures do anything but answer', () => {
  const bytes = fc.uint8Array({ maxLength: 60 });
  fc.assert(
    fc.property(bytes, fc.nat({ max: 20 }), bytes, bytes, (elems, extraBitsStored, key, signature) => {
      const answer = check(group(2), { elems, extraBitsStored }, [amino, amino], [signature, signature]);
      expect(answer).not.toBe('ok');
      expect(answer.length).toBeGreaterThan(0);
      readAccountKey({ typeUrl: '/cosmos.crypto.multisig.LegacyAminoPubKey', value: key });
    }),
  );
});
