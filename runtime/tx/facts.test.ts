import { expect, test } from 'vitest';
import { accountAddress } from '#core/crypto/keys.ts';
import { MsgSendSchema } from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import { formatAddress } from '../address.ts';
import type { Coin } from '../coins.ts';
import type { ChainParams } from '../context.ts';
import { moduleTable } from '../module-table.ts';
import { TEST_CHAIN_ID, testKey } from '../test-chain.ts';
import { buildTx } from './build.ts';
import { type DecodedTx, decodeStrictly, decodeTx } from './decode.ts';
import { factsOf } from './facts.ts';

const table = moduleTable();
const chain: ChainParams = { chainId: TEST_CHAIN_ID, bech32Prefix: 'auton', baseDenom: 'uauton' };
const [alice, bob] = [testKey(1), testKey(2)];
const addressOf = ({ publicKey }: typeof alice) => accountAddress(publicKey);

/** A send of alice's, signed by `key`. */
function send(fee: readonly Coin[], key = alice): Uint8Array {
  const fromAddress = formatAddress(chain, addressOf(alice));
  const message = pack(MsgSendSchema, {
    fromAddress,
    toAddress: fromAddress,
    amount: [{ denom: 'uauton', amount: '1' }],
  });
  const terms = { messages: [message], fee, gasLimit: 150_000n };
  return buildTx(terms, TEST_CHAIN_ID, [{ key, accountNumber: 0n, sequence: 0n }]);
}

function decoded(bytes: Uint8Array, decode = decodeTx): DecodedTx {
  const tx = decode(bytes, table);
  if (!tx.ok) throw new Error(tx.error.message);
  return tx.value;
}

test('transactions that offer the same fee one after the other share it, and each other fee is its own', () => {
  const fees: readonly (readonly Coin[])[] = [
    [{ denom: 'uauton', amount: 9n }],
    [{ denom: 'uauton', amount: 9n }],
    [{ denom: 'uauton', amount: 8n }],
    [],
    [],
    [{ denom: 'uauton', amount: 9n }],
  ];
  const txs = fees.map((fee) => decoded(send(fee)));
  expect(txs.map(({ authInfo }, i) => authInfo.fee === txs[i - 1]?.authInfo.fee)).toEqual([
    false,
    true,
    false,
    false,
    true,
    false,
  ]);
  // In another order than they were decoded in, and twice.
  for (const i of [5, 0, 3, 2, 1, 4, 4, 0]) {
    const facts = factsOf(txs[i] as DecodedTx);
    expect(facts.fee, `fee ${i}`).toEqual({ ok: true, value: fees[i] });
    expect(facts.feeText).toBe(['9uauton', '9uauton', '8uauton', '', '', '9uauton'][i]);
  }
});

test('a fee that is refused is refused again and again, and the next is not', () => {
  const twice = [1n, 2n].map((amount) => ({ denom: 'uauton', amount }));
  const [bad, good] = [decoded(send(twice)), decoded(send([{ denom: 'uauton', amount: 3n }]))];
  for (let i = 0; i < 2; i++) {
    expect(factsOf(bad).fee).toEqual({
      ok: false,
      error: 'fee.amount: denominations must be sorted and unique, uauton follows uauton',
    });
    expect(factsOf(bad).feeText).toBe('');
    expect(factsOf(good).fee.ok).toBe(true);
  }
});

test.each([
  ['in one pass', decodeTx],
  ['strictly', decodeStrictly],
])('a transaction decoded %s tells the address of the key that came along, whoever signs', (_, decode) => {
  for (const key of [alice, bob]) {
    for (const asksForm of [true, false]) {
      const facts = factsOf(decoded(send([], key), decode));
      if (asksForm) expect(facts.form(table, chain)).toMatchObject({ ok: true, value: { all: [addressOf(alice)] } });
      expect(facts.keyOf(0)).toMatchObject({ ok: true, value: { address: addressOf(key) } });
      expect(facts.keyOf(0)).toEqual(facts.keyOf(0));
      expect(facts.keyOf(1)).toBeUndefined();
    }
  }
});

test('the form is judged anew for another chain', () => {
  const facts = factsOf(decoded(send([])));
  expect(facts.form(table, chain).ok).toBe(true);
  expect(facts.form(table, { ...chain, bech32Prefix: 'other' }).ok).toBe(false);
  expect(facts.form(table, chain).ok).toBe(true);
});

test('a form that could not be judged leaves none of another chain behind', () => {
  const facts = factsOf(decoded(send([])));
  expect(facts.form(table, chain).ok).toBe(true);
  const broken: ChainParams = {
    ...chain,
    get bech32Prefix(): string {
      throw new Error('none');
    },
  };
  for (let i = 0; i < 2; i++) expect(() => facts.form(table, broken)).toThrow('none');
  expect(facts.form(table, chain).ok).toBe(true);
});
