import fc from 'fast-check';
import { expect, test } from 'vitest';
import { utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { keyFromPrivate } from '#core/crypto/keys.ts';
import { ed25519Key } from '#core/crypto/pubkey.ts';
import type { ChainParams } from '#runtime/context.ts';
import { DEFAULT_COMMISSION, type GentxPlan, makeGentx, readGentx } from './gentx.ts';

const chain: ChainParams = { chainId: 'ceremony-1', bech32Prefix: 'auton', baseDenom: 'uauton' };

const plan: GentxPlan = {
  chain,
  operator: keyFromPrivate(sha256(utf8('operator'))),
  validatorKey: ed25519Key(sha256(utf8('validator'))),
  moniker: 'first',
  stake: { denom: 'uauton', amount: 100_000_000n },
  commission: DEFAULT_COMMISSION,
  minSelfDelegation: 1n,
  peer: '12D3KooWRnHmJBNbGPT4jinE2NsS5RDSp53tz7M3Bzt1rEewdZr2@10.0.0.1:26656',
};

function made(changes: Partial<GentxPlan> = {}): string {
  const text = makeGentx({ ...plan, ...changes });
  if (!text.ok) throw new Error(text.error);
  return text.value;
}

test('what is made reads back, with decimals as people write them', () => {
  const text = made();
  expect(readGentx(text, chain)).toMatchObject({
    ok: true,
    value: { validator: { name: 'first', tokens: 100_000_000n, publicKey: plan.validatorKey }, peer: plan.peer },
  });
  expect(JSON.parse(text)).toMatchObject({
    body: {
      messages: [
        {
          '@type': '/cosmos.staking.v1beta1.MsgCreateValidator',
          commission: { rate: '0.100000000000000000' },
          pubkey: { '@type': '/cosmos.crypto.ed25519.PubKey' },
        },
      ],
      memo: plan.peer,
    },
    auth_info: { signer_infos: [{ mode_info: { single: { mode: 'SIGN_MODE_DIRECT' } }, sequence: '0' }] },
  });
});

test('what cannot be is refused where it is made', () => {
  expect(makeGentx({ ...plan, moniker: '' })).toMatchObject({ ok: false, error: 'empty description: invalid request' });
  expect(makeGentx({ ...plan, commission: { ...DEFAULT_COMMISSION, rate: '0.3' } })).toMatchObject({ ok: false });
  expect(makeGentx({ ...plan, commission: { ...DEFAULT_COMMISSION, rate: 'much' } })).toMatchObject({ ok: false });
  expect(makeGentx({ ...plan, peer: 'nowhere' })).toMatchObject({
    ok: false,
    error: expect.stringMatching(/^tx.body.memo/),
  });
});

test('a changed word, another chain, another signer, another message: refused by name', () => {
  const errorOf = (text: string, on: ChainParams = chain) => {
    const read = readGentx(text, on);
    return read.ok ? 'accepted' : read.error;
  };
  expect(errorOf(made().replace('"100000000"', '"100000001"'))).toMatch(/^tx.signatures\[0\]: not a signature/);
  expect(errorOf(made(), { ...chain, chainId: 'ceremony-2' })).toMatch(/^tx.signatures\[0\]: .* ceremony-2$/);
  expect(errorOf(made(), { ...chain, bech32Prefix: 'cosmos' })).toMatch(/cosmosvaloper/);
  const other = JSON.parse(made({ operator: keyFromPrivate(sha256(utf8('other'))) }));
  const stolen = { ...JSON.parse(made()), auth_info: other.auth_info, signatures: other.signatures };
  expect(errorOf(JSON.stringify(stolen))).toMatch(/public_key: not the key of the operator autonvaloper1/);
  const twice = JSON.parse(made());
  twice.body.messages.push(twice.body.messages[0]);
  expect(errorOf(JSON.stringify(twice))).toMatch(/expected one MsgCreateValidator/);
  expect(errorOf('{}')).toBe('tx.body: missing');
  expect(errorOf('{')).toBe('tx: expected JSON');
  expect(errorOf('{"body": {"messages": [{"@type": "/nobody.knows.It"}]}, "auth_info": {}}')).toMatch(
    /nobody.knows.It/,
  );
});

test('property: a file is read or refused with a sentence, whatever is changed in it', () => {
  const text = made();
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.string({ maxLength: 4 }), fc.nat(8), (at, put, cut) => {
      const changed = text.slice(0, at) + put + text.slice(at + cut);
      const read = readGentx(changed, chain);
      if (!read.ok) expect(read.error).not.toBe('');
      // What is accepted says the same as what was signed.
      else expect(read).toEqual(readGentx(text, chain));
    }),
    { numRuns: 300 },
  );
});
