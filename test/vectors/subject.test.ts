import { expect, test } from 'vitest';
import * as subject from './subject.ts';

/** What the door offers today. A name, once there, stays: this list only grows. */
const NAMES = [
  'headerHash',
  'validatorSetHash',
  'commitHash',
  'dataHash',
  'voteExtensionSignBytes',
  'proposalSignBytes',
  'partSetHeader',
  'evidenceHash',
  'lastResultsHash',
  'consensusParamsHash',
  'multistoreHash',
  'applyValidatorUpdates',
  'voteSignBytes',
  'canonicalVote',
  'merkleRoot',
  'proposerSequence',
  'incrementPriority',
  'createTree',
  'verifyMembership',
  'verifyNonMembership',
  'doHash',
  'applyLeaf',
  'applyInner',
  'existenceRoot',
  'checkAgainstSpec',
  'verifyTx',
  'decodeTx',
  'directSignBytes',
  'signFromMnemonic',
  'address',
  'entropyToMnemonic',
  'mnemonicToSeed',
  'slip10',
  'bech32Decode',
  'verifyEd25519',
  'verifySecp256k1',
  'instrument',
  'hostImports',
  'beforeCall',
  'isTrap',
  'validate',
  'compile',
  'run',
  'wasm',
] as const;

test.each(NAMES)('%s is behind the conformance door', (name) => {
  expect(typeof (subject as Record<string, unknown>)[name]).toBe('function');
});
