import { expect, test } from 'vitest';
import { utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { accountAddress, bech32Address, keyFromPrivate } from '#core/crypto/keys.ts';
import { pureVerifier } from '#core/crypto/verify.ts';
import { MsgSendSchema } from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import { buildTx, type TxPlan } from '#runtime/tx/build.ts';
import { decodeTx } from '#runtime/tx/decode.ts';
import { directSignBytes } from '#runtime/tx/sign-bytes.ts';
import { signPart, withSigners } from '../../client/signatures.ts';
import { encodeTxParts, TX_TABLE, txFromJson, txToJson } from '../../client/tx-json.ts';
import { expectTurn, readTx } from './tx-files.ts';

const key = keyFromPrivate(sha256(utf8('signer')));
const address = bech32Address(key.publicKey, 'auton');
const message = { fromAddress: address, toAddress: address, amount: [{ denom: 'uauton', amount: '1' }] };
const plan: TxPlan = {
  messages: [pack(MsgSendSchema, message)],
  fee: [{ denom: 'uauton', amount: 7n }],
  gasLimit: 80_000n,
  memo: 'a note',
};

interface Who {
  readonly bytes: Uint8Array;
  readonly text: string;
}

test('a transaction that was written unsigned and signed elsewhere is the one that is signed here', () => {
  const written = txToJson(buildTx(plan, 'files-1', []));
  if (!written.ok) throw new Error(written.error);
  const read = txFromJson(JSON.stringify(written.value));
  if (!read.ok) throw new Error(read.error);
  const part = signPart(read.value, key, 'direct', { chainId: 'files-1', accountNumber: 4n, sequence: 9n });
  const parts = part.ok ? withSigners(read.value, [part.value]) : part;
  if (!parts.ok) throw new Error(parts.error);
  const signed = encodeTxParts(parts.value);
  expect(signed).toEqual(buildTx(plan, 'files-1', [{ key, accountNumber: 4n, sequence: 9n }]));
  const decoded = decodeTx(signed, TX_TABLE);
  if (!decoded.ok) throw new Error(decoded.error.message);
  const { raw } = decoded.value;
  const verdict = (chainId: string) =>
    pureVerifier.secp256k1(key.publicKey, directSignBytes(raw, chainId, 4n), raw.signatures[0] as Uint8Array);
  expect([verdict('files-1'), verdict('files-2')]).toEqual([true, false]);
});

test('whoever signs out of turn is told who is next, and what became of his own turn', () => {
  const [first, second, other] = ['first', 'second', 'other'].map((name) => {
    const { publicKey } = keyFromPrivate(sha256(utf8(name)));
    return { bytes: accountAddress(publicKey), text: bech32Address(publicKey, 'auton') };
  }) as [Who, Who, Who];
  const messages = [first, second].map(({ text }) =>
    pack(MsgSendSchema, { ...message, fromAddress: text, toAddress: text }),
  );
  const json = txToJson(buildTx({ ...plan, messages }, 'files-1', []));
  const parts = txFromJson(json.ok ? JSON.stringify(json.value) : '');
  if (!parts.ok) throw new Error(parts.error);
  const turn = (signed: number, who: Who) => () => expectTurn(parts.value, signed, who.bytes, 'auton');
  expect(turn(0, first)).not.toThrow();
  expect(turn(1, second)).not.toThrow();
  expect(turn(0, second)).toThrow(`the next to sign is ${first.text}; ${second.text} signs later`);
  expect(turn(1, first)).toThrow(`the next to sign is ${second.text}; ${first.text} has signed already`);
  expect(turn(1, other)).toThrow(`the next to sign is ${second.text}; ${other.text} is no signer of it`);
  expect(turn(2, first)).toThrow('all 2 signers have signed: --overwrite begins anew');
});

test('a file that is not there is named with what is wrong with it', async () => {
  await expect(readTx('/no/such/tx.json')).rejects.toThrow('/no/such/tx.json cannot be read: ENOENT: no such file');
});
