/** Everything that the light client reads from a source: altered answers give a value or a sentence, and never another block. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lastResultsHash } from '#core/abci.ts';
import { EMPTY, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { merkleProofs } from '#core/merkle.ts';
import { txsHash } from '#core/types/block.ts';
import { EMPTY_COMMIT } from '#core/types/commit.ts';
import { evidenceHash } from '#core/types/evidence.ts';
import { type Header, headerHash } from '#core/types/header.ts';
import { checkLightBlock } from '#core/types/light-block.ts';
import { DEFAULT_TRUST_LEVEL, verify } from '#light/verifier.ts';
import type { RpcClient } from '#node/client/rpc-client.ts';
import { createHttpProvider } from '#node/light/http-provider.ts';
import { checkTx, readTxAnswer, verifiedBlock, verifiedQuery, verifiedResults } from '#node/light/verified.ts';
import { blockJson } from '#rpc/comet/json/block.ts';
import { commitJson } from '#rpc/comet/json/commit.ts';
import { headerJson } from '#rpc/comet/json/header.ts';
import { readJson } from '#rpc/comet/json/reader.ts';
import { txRecordJson, txResultJson } from '#rpc/comet/json/results.ts';
import { validatorJson } from '#rpc/comet/json/validator.ts';
import {
  CHAIN_ID,
  decide,
  fastVerifier,
  makeChain,
  nextHeader,
  signers,
  timeAfter,
} from '#test/support/light-chain.ts';
import { openTestStore } from '#test/support/proven-store.ts';
import { fuzzRuns } from './runs.ts';

const members = signers(0, 3);
const chain = makeChain({ heights: 2, members: () => members });
const txs = ['one', 'two', 'three'].map((text) => utf8(text));
const results = txs.map((data, i) => ({
  code: i,
  data,
  log: '',
  info: '',
  gasWanted: 10n,
  gasUsed: BigInt(i),
  events: [],
  codespace: '',
}));
const header: Header = {
  ...nextHeader(undefined, members, members, ''),
  dataHash: txsHash(txs),
  evidenceHash: evidenceHash([]),
  lastCommitHash: sha256(EMPTY),
  lastResultsHash: lastResultsHash(results),
};
const light = decide(header, members);
const hash = sha256(txs[1] as Uint8Array);

/** One edit somewhere in a JSON value. */
const edit = fc.record({
  path: fc.array(fc.nat({ max: 40 }), { minLength: 1, maxLength: 7 }),
  value: fc.oneof(
    fc.constantFrom(null, '', '0', '-1', -1, 0, 1e9, 1.5, '9223372036854775807', [], {}, true, 'AAAA', 'ff'),
    fc.string({ maxLength: 8 }),
    fc.constant('bend'),
    fc.constant('drop'),
    fc.constant('repeat'),
  ),
});
type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never;

function apply(answer: unknown, { path, value }: Edit): unknown {
  const copy = structuredClone(answer);
  let parent: unknown;
  let name: string | undefined;
  let here: unknown = copy;
  for (const step of path) {
    if (typeof here !== 'object' || here === null) break;
    const names = Object.keys(here);
    if (names.length === 0) break;
    parent = here;
    name = names[step % names.length] as string;
    here = (here as Record<string, unknown>)[name];
  }
  if (name === undefined || parent === undefined) return value;
  const object = parent as Record<string, unknown>;
  if (value === 'drop' && Array.isArray(parent)) parent.splice(Number(name), 1);
  else if (value === 'drop') delete object[name];
  else if (value === 'repeat' && Array.isArray(here)) object[name] = [...here, ...here];
  else if (value === 'bend' && typeof here === 'string')
    object[name] = `${here.startsWith('A') ? 'B' : 'A'}${here.slice(1)}`;
  else object[name] = value;
  return copy;
}

const edits = fc.array(edit, { minLength: 1, maxLength: 3 });
const mutate = (answer: unknown, list: Edit[]) => list.reduce(apply, JSON.parse(JSON.stringify(answer)) as unknown);

describe('answers of a source', () => {
  test('commit and validators', async () => {
    const target = chain.at(2);
    const commit = {
      signed_header: { header: headerJson(target.header), commit: commitJson(target.commit) },
      canonical: true,
    };
    const all = target.validators.validators.map(validatorJson);
    const validators = { block_height: '2', validators: all, count: String(all.length), total: String(all.length) };
    const options = {
      chainId: CHAIN_ID,
      trustingPeriodNanos: 10n ** 15n,
      maxClockDriftNanos: 0n,
      trustLevel: DEFAULT_TRUST_LEVEL,
    };
    await fc.assert(
      fc.asyncProperty(edits, edits, fc.nat({ max: 2 }), async (first, second, which) => {
        const answers: Record<string, unknown> = {
          commit: which === 1 ? commit : mutate(commit, first),
          validators: which === 0 ? validators : mutate(validators, second),
        };
        const rpc: RpcClient = { url: 'http://liar', call: async <T>(method: string) => answers[method] as T };
        const block = await createHttpProvider(rpc).lightBlock(2n);
        if (!block.ok) expect(block.error.message).toContain('http://liar: ');
        else if (
          checkLightBlock(CHAIN_ID, block.value).ok &&
          verify(chain.at(1), block.value, timeAfter(2), options, fastVerifier).ok
        )
          expect(headerHash(block.value.header)).toEqual(headerHash(target.header));
      }),
      { numRuns: fuzzRuns(600) },
    );
  });

  const holds = (name: string, answer: unknown, check: (value: unknown) => void) =>
    test(name, () => {
      fc.assert(
        fc.property(edits, (list) => {
          const read = readJson(() => check(mutate(answer, list)));
          if (!read.ok) expect(read.error).not.toBe('');
        }),
        { numRuns: fuzzRuns(600) },
      );
    });

  const block = { header, txs, evidence: [], lastCommit: EMPTY_COMMIT };
  test('an honest block', () => {
    expect(verifiedBlock(light, { block: blockJson(block) })).toEqual({ ok: true, value: block });
  });
  holds('block', { block: blockJson(block) }, (value) => {
    const checked = verifiedBlock(light, value);
    if (checked.ok) expect(checked.value).toEqual(block);
  });

  holds('block_results', { txs_results: results.map(txResultJson) }, (value) => {
    const checked = verifiedResults(header, value);
    if (checked.ok)
      expect(checked.value.map(({ code, data, gasUsed }) => [code, data, gasUsed])).toEqual(
        results.map(({ code, data, gasUsed }) => [code, data, gasUsed]),
      );
  });

  const { root, proofs } = merkleProofs(txs.map(sha256));
  const proof = proofs[1];
  const result = results[1];
  if (proof === undefined || result === undefined) throw new Error('there are three transactions');
  const record = { hash, height: header.height, index: 1, tx: txs[1] as Uint8Array, result };
  holds('tx', txRecordJson(record, { root, proof }), (value) => {
    const claimed = readTxAnswer(value);
    if (checkTx(header, claimed, hash).ok) {
      expect(claimed.tx).toEqual(txs[1]);
      expect(claimed.index).toBe(1);
    }
  });
});

describe('abci_query', () => {
  test.each(['present', 'absent'] as const)('a key that is %s', async (which) => {
    const { answer, next, key, value } = await openTestStore(which);
    const honest = verifiedQuery(next, 'bank', key, answer);
    expect(honest.ok && honest.value.value).toEqual(value);
    fc.assert(
      fc.property(edits, (list) => {
        const read = readJson(() => verifiedQuery(next, 'bank', key, mutate(answer, list)));
        if (read.ok && read.value.ok) expect(read.value.value.value).toEqual(value);
      }),
      { numRuns: fuzzRuns(600) },
    );
    // The store's name and the key are part of what is proven.
    expect(verifiedQuery(next, 'auth', key, answer).ok).toBe(false);
    expect(verifiedQuery(next, 'bank', utf8('another'), answer).ok).toBe(false);
    expect(verifiedQuery({ ...next, appHash: EMPTY }, 'bank', key, answer).ok).toBe(false);
    expect(verifiedQuery({ ...next, appHash: new Uint8Array(32) }, 'bank', key, answer).ok).toBe(false);
  });
});
