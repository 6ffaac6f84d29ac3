import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromBase64, fromHex } from '#core/bytes.ts';
import { keyFromMnemonic } from '#core/crypto/keys.ts';
import { pureVerifier } from '#core/crypto/verify.ts';
import { MsgSendSchema } from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import { TxRawSchema } from '#proto/gen/cosmos/tx/v1beta1/tx_pb.ts';
import { decodeStrict, pack } from '#proto/message.ts';
import { buildSimulation, buildTx } from '#runtime/tx/build.ts';
import { directSignBytes } from '#runtime/tx/sign-bytes.ts';
import { feeFor, parseCoin, parseCoins, parseGasPrice } from './amounts.ts';
import { createRpcClient } from './rpc-client.ts';

const value = <T>(result: { ok: true; value: T } | { ok: false; error: string }): T => {
  if (!result.ok) throw new Error(result.error);
  return result.value;
};

test('amounts and prices', () => {
  expect(parseCoin('100uauton')).toEqual({ ok: true, value: { amount: 100n, denom: 'uauton' } });
  expect(value(parseCoins('5ucredit,100uauton')).map((coin) => coin.denom)).toEqual(['uauton', 'ucredit']);
  expect(parseCoins('1abc,2abc')).toEqual({ ok: false, error: 'abc is named twice' });
  for (const wrong of ['', '-1uauton', '1.5uauton', 'uauton', '1u']) expect(parseCoin(wrong).ok).toBe(false);
  expect(feeFor(100_000n, value(parseGasPrice('0.025uauton')))).toEqual([{ denom: 'uauton', amount: 2_500n }]);
  expect(feeFor(3n, value(parseGasPrice('0.5uauton')))).toEqual([{ denom: 'uauton', amount: 2n }]);
  expect(feeFor(3n, value(parseGasPrice('0uauton')))).toEqual([]);
});

test('the fee is never less than price times gas', () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 10n ** 12n), fc.nat(1_000), fc.nat(999_999), (gas, whole, micro) => {
      const [coin] = feeFor(gas, value(parseGasPrice(`${whole}.${String(micro).padStart(6, '0')}uauton`)));
      const exact = gas * (BigInt(whole) * 1_000_000n + BigInt(micro));
      expect((coin?.amount ?? 0n) * 1_000_000n - exact).toBeLessThan(1_000_000n);
      expect((coin?.amount ?? 0n) * 1_000_000n >= exact).toBe(true);
    }),
  );
});

/** cosmjs packages/proto-signing testutils.spec.ts: faucet mnemonic, first DIRECT vector recorded from simd. */
const faucet = keyFromMnemonic(
  'economy stock theory fatal elder harbor betray wasp final emotion task crumble siren bottom lizard educate guess current outdoor pair theory focus wife stone',
);

test('the signature of a built transaction covers its sign bytes', () => {
  const content = {
    messages: [pack(MsgSendSchema, { fromAddress: 'a', toAddress: 'b', amount: [{ denom: 'uauton', amount: '1' }] })],
    memo: 'hello',
    fee: [{ denom: 'uauton', amount: 2_000n }],
    gasLimit: 200_000n,
  };
  const account = { key: faucet, accountNumber: 7n, sequence: 3n };
  const raw = value(decodeStrict(TxRawSchema, buildTx(content, 'test', [account])));
  const signBytes = directSignBytes(raw, 'test', 7n);
  expect(pureVerifier.secp256k1(faucet.publicKey, signBytes, raw.signatures[0] ?? fromHex(''))).toBe(true);
  const unsigned = value(
    decodeStrict(TxRawSchema, buildSimulation(content, [{ publicKey: faucet.publicKey, sequence: 3n }])),
  );
  expect(unsigned.signatures).toEqual([new Uint8Array(0)]);
  expect(unsigned.bodyBytes).toEqual(raw.bodyBytes);
});

test('the public key of the faucet is the one that CosmJS records', () => {
  expect(faucet.publicKey).toEqual(fromBase64('A08EGB7ro1ORuFhjOnZcSgwYlpe0DSFjVNUIkNNQxwKQ'));
});

test('a node that does not answer is named', async () => {
  await expect(createRpcClient('tcp://127.0.0.1:1').call('status')).rejects.toThrow(
    /no answer from http:\/\/127.0.0.1:1: is the node running\?/,
  );
});
