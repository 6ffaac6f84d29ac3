import { expect, test } from 'vitest';
import { ok } from '#core/result.ts';
import { verifyCommitLight } from '#core/types/verify-commit.ts';
import { CHAIN_ID, makeChain, signers } from '#test/support/light-chain.ts';
import { createNativeVerifier } from '../crypto/native-verifier.ts';
import { rememberingVerifier } from '../crypto/remembering-verifier.ts';
import { NODE_LIMITS } from '../limits.ts';
import { checksOf, verifyingAhead } from './ahead-provider.ts';

const members = signers(0, 7);
const chain = makeChain({ heights: 1, members: () => members });

test('what is verified ahead is what the light client verifies of the commit', () => {
  const block = chain.at(1);
  let verified = 0;
  const memory = rememberingVerifier(
    {
      ed25519: () => {
        verified++;
        return true;
      },
      secp256k1: () => false,
    },
    { entries: 100 },
  );
  const checks = checksOf(CHAIN_ID, block);
  // Five of seven equal validators are more than two thirds.
  expect(checks).toHaveLength(5);
  const native = createNativeVerifier({ keyCacheEntries: 10 });
  for (const check of checks) {
    expect(native.ed25519(check.publicKey, check.message, check.signature)).toBe(true);
    memory.learn(check);
  }
  const { validators, commit, header } = block;
  const context = { verifier: memory, chainId: CHAIN_ID };
  expect(verifyCommitLight(context, validators, commit.blockId, header.height, commit)).toEqual(ok(true));
  expect(verified).toBe(0);
});

test('of an absurdly large set nothing is verified ahead; of places that name somebody else neither', () => {
  const block = chain.at(1);
  const signature = block.commit.signatures[0];
  const validator = block.validators.validators[0];
  if (signature === undefined || validator === undefined) throw new Error('a validator that signed');
  const count = NODE_LIMITS.maxLightChecksAhead + 1;
  const power = BigInt(2 * count) * validator.power;
  const large = {
    ...block,
    validators: { ...block.validators, validators: Array(count).fill(validator), totalPower: power },
    commit: { ...block.commit, signatures: Array(count).fill(signature) },
  };
  expect(checksOf(CHAIN_ID, large)).toEqual([]);
  const shifted = { ...block, commit: { ...block.commit, signatures: block.commit.signatures.slice(1) } };
  expect(checksOf(CHAIN_ID, shifted)).toEqual([]);
});

test('the block is handed on when its verdicts are there', async () => {
  const done: string[] = [];
  const provider = verifyingAhead(
    { name: 'source', lightBlock: async () => ok(chain.at(1)), reportEvidence: async () => ok(true) },
    CHAIN_ID,
    async (checks) => {
      done.push(`${checks.length} asked`);
      await Promise.resolve();
      done.push('answered');
    },
  );
  expect(await provider.lightBlock(1n)).toEqual(ok(chain.at(1)));
  expect(done).toEqual(['5 asked', 'answered']);
});
