/** Transactions as files: what other tools wrote, or nobody did, is a transaction or a sentence. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { keyFromPrivate } from '#core/crypto/keys.ts';
import { ed25519Key } from '#core/crypto/pubkey.ts';
import { accountKeyFromJson, multisigKey } from '#node/client/account-keys.ts';
import { multisign, readSignatureFile, signatureFile, signPart } from '#node/client/signatures.ts';
import { encodeTxParts, txFromJson, txToJson } from '#node/client/tx-json.ts';
import { DEFAULT_COMMISSION, makeGentx, readGentx } from '#node/localnet/gentx.ts';
import { fuzzRuns } from './runs.ts';

const chain = { chainId: 'fuzz-1', bech32Prefix: 'auton', baseDenom: 'uauton' };

const made = makeGentx({
  chain,
  operator: keyFromPrivate(sha256(utf8('operator'))),
  validatorKey: ed25519Key(sha256(utf8('validator'))),
  moniker: 'first',
  stake: { denom: 'uauton', amount: 100_000_000n },
  commission: DEFAULT_COMMISSION,
  minSelfDelegation: 1n,
  peer: '',
});
if (!made.ok) throw new Error(made.error);
const sound: unknown = JSON.parse(made.value);

/** Every place in a JSON value. */
function pathsOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, [...path, key]))];
}

function replaced(value: unknown, [key, ...rest]: readonly string[], by: unknown): unknown {
  if (key === undefined) return by;
  const inner = (value as Record<string, unknown>)[key];
  if (Array.isArray(value)) return value.with(Number(key), replaced(inner, rest, by));
  return { ...(value as object), [key]: replaced(inner, rest, by) };
}

const places = pathsOf(sound);
const change = fc.tuple(
  fc.constantFrom(...places),
  fc.oneof(fc.jsonValue(), fc.constantFrom('1', '-1', '0.5', '/cosmos.bank.v1beta1.MsgSend', 'AA==', [], {}, null)),
);

test('a transaction with anything put anywhere is read as what it says, or refused in a sentence', () => {
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
      let json: unknown = sound;
      for (const [path, by] of changes) {
        try {
          json = replaced(json, path, by);
        } catch {
          // An earlier change has taken the place away.
        }
      }
      const parts = txFromJson(JSON.stringify(json) ?? '');
      if (!parts.ok) {
        expect(parts.error).not.toBe('');
        return;
      }
      const again = txToJson(encodeTxParts(parts.value));
      // A field that was left out may be one that must not be empty: written, it is refused.
      const back = again.ok ? txFromJson(JSON.stringify(again.value)) : again;
      if (back.ok) expect(back).toEqual(parts);
      else expect(back.error).not.toBe('');
      const gentx = readGentx(JSON.stringify(json), chain);
      if (!gentx.ok) expect(gentx.error).not.toBe('');
    }),
    { numRuns: fuzzRuns(1_000) },
  );
});

const members = ['one', 'two', 'three'].map((seed) => keyFromPrivate(sha256(utf8(seed))));
const group = multisigKey(
  2,
  members.map(({ publicKey }) => ({ kind: 'secp256k1', bytes: publicKey })),
  true,
);
if (!group.ok) throw new Error(group.error);
const forGroup = { chainId: 'fuzz-1', accountNumber: 1n, sequence: 2n };
const body = txFromJson(made.value);
if (!body.ok) throw new Error(body.error);
const tx = body.value;

test('signatures of members with anything put anywhere make the multisignature, or a refusal in a sentence', () => {
  const files = members.slice(0, 2).map((member) => {
    const part = signPart(tx, member, 'amino-json', forGroup);
    const file = part.ok ? signatureFile(part.value) : part;
    if (!file.ok) throw new Error(file.error);
    return JSON.parse(file.value) as unknown;
  });
  const edits = fc.tuple(
    fc.constantFrom(...pathsOf(files)),
    fc.oneof(fc.jsonValue(), fc.constantFrom('AA==', [], {}, null)),
  );
  fc.assert(
    fc.property(fc.option(edits), (edit) => {
      const changed = (edit === null ? files : replaced(files, ...edit)) as unknown;
      const read = (Array.isArray(changed) ? changed : [changed]).map((file) =>
        readSignatureFile(JSON.stringify(file)),
      );
      const wrong = read.find((file) => !file.ok);
      const descriptors = read.flatMap((file) => (file.ok ? file.value : []));
      const signed = wrong ?? multisign(tx, group.value, forGroup, descriptors, () => 'a key');
      if (!signed.ok) expect(signed.error).not.toBe('');
      if (edit === null) expect(signed.ok).toBe(true);
    }),
    { numRuns: fuzzRuns(300) },
  );
});

test('any text is a transaction, signatures, a key or a refusal', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      for (const read of [txFromJson(text), readSignatureFile(text), accountKeyFromJson(text, 'key')])
        expect(read).toMatchObject({ ok: false, error: expect.stringMatching(/./) });
    }),
    { numRuns: fuzzRuns(500) },
  );
});
