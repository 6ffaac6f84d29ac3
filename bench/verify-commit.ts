import { u32be } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { ed25519Key } from '#core/crypto/pubkey.ts';
import type { SignatureCheck } from '#core/ports/crypto.ts';
import { toHeight, toRound } from '#core/types/brand.ts';
import { type Commit, commitSignBytes, FLAG_COMMIT } from '#core/types/commit.ts';
import { createValidatorSet, type ValidatorSet } from '#core/types/validator-set.ts';
import { verifyCommitLight } from '#core/types/verify-commit.ts';
import { createNativeVerifier } from '#node/crypto/native-verifier.ts';
import { ed25519KeyFromSeed } from '#node/privval/ed25519-key.ts';
import type { Entry, Sample } from './harness.ts';

const SIZES = [4, 100, 175] as const;
const CHAIN_ID = 'bench';
/** Signatures for each size and way of verifying. */
const SIGNATURES = 7_000;

export interface SignedCommit {
  readonly validators: ValidatorSet;
  readonly commit: Commit;
  /** What all of its signatures say. */
  readonly checks: readonly SignatureCheck[];
}

/** A commit that all of `size` validators have signed. */
export function signedCommit(size: number, height = 1): SignedCommit {
  const keys = Array.from({ length: size }, (_, i) => ed25519KeyFromSeed(sha256(u32be(i))));
  const set = createValidatorSet(keys.map(({ publicKey }) => ({ publicKey: ed25519Key(publicKey), power: 10n })));
  if (!set.ok) throw new Error(set.error);
  const byKey = new Map(keys.map((key) => [String(key.publicKey), key]));
  const hash = sha256(u32be(height));
  const unsigned: Commit = {
    height: toHeight(BigInt(height)),
    round: toRound(0),
    blockId: { hash, partSetHeader: { total: 1, hash } },
    signatures: set.value.validators.map(({ address }, i) => ({
      flag: FLAG_COMMIT,
      validatorAddress: address,
      timestamp: { seconds: 1_700_000_000n + BigInt(height), nanos: i },
      signature: new Uint8Array(64),
    })),
  };
  const checks = set.value.validators.map(({ publicKey }, i) => {
    const key = byKey.get(String(publicKey.bytes));
    if (key === undefined) throw new Error('a validator without a key');
    const message = commitSignBytes(CHAIN_ID, unsigned, i);
    return { publicKey: publicKey.bytes, message, signature: key.sign(message) };
  });
  const signatures = unsigned.signatures.map((sig, i) => ({
    ...sig,
    signature: checks[i]?.signature ?? sig.signature,
  }));
  return { validators: set.value, commit: { ...unsigned, signatures }, checks };
}

async function run(): Promise<Sample> {
  const verifier = createNativeVerifier({ keyCacheEntries: 1_000 });
  const sample: Record<string, number> = {};
  for (const size of SIZES) {
    const { validators, commit, checks } = signedCommit(size);
    const context = { verifier, chainId: CHAIN_ID };
    const whole = () => verifyCommitLight(context, validators, commit.blockId, commit.height, commit, 'all').ok;
    const raw = () => checks.every((each) => verifier.ed25519(each.publicKey, each.message, each.signature));
    const times = { whole: 0, raw: 0 };
    // One after the other, so that what else the machine does meets both alike.
    for (let i = 0; i < SIGNATURES / size; i++)
      for (const [name, work] of [
        ['whole', whole],
        ['raw', raw],
      ] as const) {
        const began = performance.now();
        if (!work()) throw new Error('a good signature was refused');
        // Neither while compilers still look at the code.
        if (i >= 5) times[name] += performance.now() - began;
      }
    sample[`${size} validators`] = times.whole / (Math.ceil(SIGNATURES / size) - 5);
    sample[`${size}, to its signatures`] = times.whole / times.raw;
  }
  return sample;
}

export const verifyCommit: Entry = {
  name: 'verify-commit',
  description: 'every signature of a commit, and the same as a ratio to the mere signature checks',
  metrics: SIZES.flatMap((size) => [
    { name: `${size} validators`, unit: 'ms', better: 'lower' as const },
    { name: `${size}, to its signatures`, unit: '×', better: 'lower' as const },
  ]),
  runs: 3,
  run,
};
