import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fromBase64, fromHex, toHex } from '#core/bytes.ts';
import { vectorsPath } from './locate.ts';
import { address, decodeTx, directSignBytes, signFromMnemonic, verifyTx } from './subject-tx.ts';

const rules = vectorsPath('cosmos-tx', 'decode-rules.json');
const direct = vectorsPath('cosmos-tx', 'direct-simd.json');

test.skipIf(rules === undefined)('ADR-027 and unknown fields: what decodes and what does not', () => {
  const cases = JSON.parse(readFileSync(String(rules), 'utf8')) as { name: string; txRaw: string; decodes: boolean }[];
  expect(cases.length).toBeGreaterThan(10);
  for (const { name, txRaw, decodes } of cases) {
    const run = () => decodeTx(fromHex(txRaw));
    if (decodes) expect(run, name).not.toThrow();
    else expect(run, name).toThrow();
  }
});

interface Direct {
  chainId: string;
  faucet: { mnemonic: string; pubkey: { value: string }; address: string };
  testVectors: {
    inputs: { accountNumber: number; sequence: number; bodyBytes: string; authInfoBytes: string };
    outputs: { signBytes: string; signature: string; signedTxBytes: string };
  }[];
}

test.skipIf(direct === undefined)('SIGN_MODE_DIRECT as recorded from simd', () => {
  const { chainId, faucet, testVectors } = JSON.parse(readFileSync(String(direct), 'utf8')) as Direct;
  const pubkey = fromBase64(faucet.pubkey.value);
  expect(address(pubkey, 'cosmos')).toBe(faucet.address);
  for (const { inputs, outputs } of testVectors) {
    const { accountNumber, sequence } = inputs;
    const signBytes = directSignBytes(fromHex(inputs.bodyBytes), fromHex(inputs.authInfoBytes), chainId, accountNumber);
    expect(toHex(signBytes)).toBe(outputs.signBytes);
    expect(toHex(signFromMnemonic(faucet.mnemonic, "m/44'/118'/0'/0/0", signBytes))).toBe(outputs.signature);
    const tx = fromHex(outputs.signedTxBytes);
    expect(verifyTx(tx, { chainId, accountNumber, sequence, pubkey })).toBe(true);
    expect(verifyTx(tx, { chainId, accountNumber, sequence })).toBe(true);
    expect(verifyTx(tx, { chainId, accountNumber: accountNumber + 1, sequence })).toBe(false);
    expect(verifyTx(tx, { chainId, accountNumber, sequence: sequence + 1 })).toBe(false);
    expect(verifyTx(tx, { chainId: 'another-chain', accountNumber, sequence })).toBe(false);
    const forged = tx.slice();
    forged[forged.length - 1] = (forged[forged.length - 1] ?? 0) ^ 1;
    expect(verifyTx(forged, { chainId, accountNumber, sequence })).toBe(false);
  }
});
