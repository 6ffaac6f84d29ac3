/** CometBFT's model-based light-client traces, and what becomes of their verdicts when anything in them is changed. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pureVerifier } from '#core/crypto/verify.ts';
import type { LightBlock } from '#core/types/light-block.ts';
import { addMillis, type Timestamp } from '#core/types/timestamp.ts';
import { validatorSetFrom } from '#core/types/validator-set.ts';
import { DEFAULT_TRUST_LEVEL, verify, verifyBackwards } from '#light/verifier.ts';
import { readCommitJson } from '#rpc/comet/json/commit.ts';
import { readHeaderJson } from '#rpc/comet/json/header.ts';
import { readValidatorJson } from '#rpc/comet/json/validator.ts';
import { vectorsPath } from './locate.ts';
import { verifyLight } from './subject.ts';

interface Sig {
  block_id_flag: number;
  validator_address: string;
  timestamp: string;
  signature: string | null;
}
interface Validator {
  address: string;
  pub_key: { type: string; value: string };
  voting_power: string;
}
interface SignedHeader {
  header: Record<string, unknown>;
  commit: { height: string; round: number; block_id: { hash: string }; signatures: Sig[] };
}
interface Block {
  signed_header: SignedHeader;
  validator_set: { validators: Validator[] };
  next_validator_set: { validators: Validator[] };
}
interface Trace {
  initial: { signed_header: SignedHeader; next_validator_set: Block['next_validator_set']; trusting_period: string };
  input: { block: Block; now: string; verdict: string }[];
}

interface Step {
  name: string;
  verdict: string;
  request: {
    trusted: { signed_header: SignedHeader; next_validators: unknown };
    untrusted: Block;
    trustingPeriodNs: string;
    clockDriftNs: string;
    now: string;
    trustLevel: [number, number];
  };
}

const folder = vectorsPath('tendermint-light', 'go_mbt');

/** The steps of a trace: whoever is verified becomes the trusted one, as CometBFT's driver does (drift 1 s). */
function stepsOf(file: string): Step[] {
  const trace = JSON.parse(readFileSync(join(folder as string, file), 'utf8')) as Trace;
  let trusted: Step['request']['trusted'] = {
    signed_header: trace.initial.signed_header,
    next_validators: trace.initial.next_validator_set,
  };
  return trace.input.map(({ block, now, verdict }, i) => {
    const request: Step['request'] = {
      trusted,
      untrusted: block,
      trustingPeriodNs: trace.initial.trusting_period,
      clockDriftNs: '1000000000',
      now,
      trustLevel: [1, 3],
    };
    if (verdict === 'SUCCESS')
      trusted = { signed_header: block.signed_header, next_validators: block.next_validator_set };
    return { name: `${file} step ${i}`, verdict, request };
  });
}

const files = folder === undefined ? [] : readdirSync(folder).filter((name) => name.endsWith('.json'));
const steps = files.flatMap(stepsOf);
const successes = steps.filter(({ verdict }) => verdict === 'SUCCESS');

describe.skipIf(folder === undefined)('model-based traces', () => {
  test.each(steps.map((step) => [step.name, step] as const))('%s', (_name, { request, verdict }) => {
    expect(verifyLight(request)).toBe(verdict);
  });

  test('there are traces of each verdict', () => {
    expect(files).toHaveLength(9);
    expect(new Set(steps.map(({ verdict }) => verdict))).toEqual(new Set(['SUCCESS', 'NOT_ENOUGH_TRUST', 'INVALID']));
  });
});

/** A hex or base64 text, a number or a time that differs from what it was, and may still be well formed. */
function changed(value: unknown, at: number): unknown {
  if (typeof value === 'number') return value + 1 + (at % 5);
  if (typeof value !== 'string' || value === '') return 'AB'.repeat(32);
  if (/^\d+$/.test(value)) return String(BigInt(value) + 1n + BigInt(at % 7));
  if (/^\d{4}-/.test(value)) return value.replace(/(\d)Z$/, (_, digit: string) => `${(Number(digit) + 1) % 10}Z`);
  const place = at % value.length;
  const other = value.charAt(place) === 'A' ? 'B' : 'A';
  return value.slice(0, place) + other + value.slice(place + 1);
}

type Mutation = (block: Block, pick: number, at: number) => void;

const HEADER_FIELDS = [
  'chain_id',
  'height',
  'time',
  'last_block_id',
  'last_commit_hash',
  'data_hash',
  'validators_hash',
  'next_validators_hash',
  'consensus_hash',
  'app_hash',
  'last_results_hash',
  'evidence_hash',
  'proposer_address',
  'version.block',
  'version.app',
] as const;

const nth = <T>(list: T[], pick: number): T => list[pick % list.length] as T;

const mutations: Record<string, Mutation> = {
  'signatures dropped below two thirds'({ signed_header: { commit } }, pick) {
    const keep = Math.floor((commit.signatures.length * 2) / 3);
    for (let i = 0; i < commit.signatures.length - keep; i++)
      commit.signatures[(pick + i) % commit.signatures.length] = {
        block_id_flag: 1,
        validator_address: '',
        timestamp: '0001-01-01T00:00:00Z',
        signature: null,
      };
  },
  'a signature left out'({ signed_header: { commit } }, pick) {
    commit.signatures.splice(pick % commit.signatures.length, 1);
  },
  'one signer twice, in the place of another'({ signed_header: { commit } }, pick) {
    const from = pick % commit.signatures.length;
    const to = (from + 1) % commit.signatures.length;
    if (from === to) commit.signatures.push({ ...nth(commit.signatures, from) });
    else commit.signatures[to] = { ...nth(commit.signatures, from) };
  },
  'one signer appended again'({ signed_header: { commit } }, pick) {
    commit.signatures.push({ ...nth(commit.signatures, pick) });
  },
  'every signature of somebody else'({ signed_header: { commit } }, _pick, at) {
    for (const sig of commit.signatures) sig.signature = String(changed(sig.signature, at % 80));
  },
  'a header field changed'({ signed_header: { header } }, pick, at) {
    const [name, below] = nth([...HEADER_FIELDS], pick).split('.') as [string, string?];
    if (below !== undefined) {
      const version = header[name] as Record<string, unknown>;
      version[below] = changed(version[below], at);
    } else if (name === 'last_block_id') {
      header[name] = { hash: 'CD'.repeat(32), parts: { total: 1, hash: 'CD'.repeat(32) } };
    } else header[name] = changed(header[name], at);
  },
  'the commit of another height, round or block'({ signed_header: { commit } }, pick, at) {
    if (pick % 3 === 0) commit.height = String(changed(commit.height, at));
    else if (pick % 3 === 1) commit.round += 1;
    else commit.block_id.hash = String(changed(commit.block_id.hash, at));
  },
  'a validator of another power'({ validator_set: { validators } }, pick, at) {
    const validator = nth(validators, pick);
    validator.voting_power = String(changed(validator.voting_power, at));
  },
  'a validator left out'({ validator_set: { validators } }, pick) {
    validators.splice(pick % validators.length, 1);
  },
  'a validator twice'({ validator_set: { validators } }, pick) {
    validators.push(nth(validators, pick));
  },
  'a validator of another key'({ validator_set: { validators } }, pick, at) {
    const validator = nth(validators, pick);
    validator.pub_key.value = String(changed(validator.pub_key.value, at % 42));
  },
  'the next validators altered'({ next_validator_set: { validators } }, pick, at) {
    const validator = nth(validators, pick);
    validator.voting_power = String(changed(validator.voting_power, at));
  },
};

describe.skipIf(folder === undefined)('mutated traces never pass', () => {
  test.each(Object.keys(mutations))('%s', (name) => {
    fc.assert(
      fc.property(fc.nat({ max: successes.length - 1 }), fc.nat(), fc.nat(), (which, pick, at) => {
        const { request } = structuredClone(nth(successes, which));
        mutations[name]?.(request.untrusted, pick, at);
        expect(verifyLight(request)).not.toBe('SUCCESS');
      }),
      { numRuns: 60 },
    );
  });

  test('a trusted header that is not of one piece', () => {
    for (const { request } of successes) {
      const set = structuredClone(request);
      const { validators } = set.trusted.next_validators as { validators: Validator[] };
      for (const validator of validators) validator.voting_power = '51';
      expect(verifyLight(set)).toBe('INVALID');
      for (const field of ['next_validators_hash', 'app_hash', 'time']) {
        const changedHeader = structuredClone(request);
        const { header } = changedHeader.trusted.signed_header;
        header[field] = changed(header[field], 3);
        expect(verifyLight(changedHeader)).toBe('INVALID');
      }
    }
  });
});

const recordings = vectorsPath('tendermint-light', 'rpc38');

/** What a real CometBFT 0.38 node has answered. */
function recorded(name: string) {
  return JSON.parse(readFileSync(join(recordings as string, `${name}.json`), 'utf8')).result;
}

/** Heights 10 and 235 … 238, each with the commit that its successor carries, and the one validator of the genesis. */
function recordedBlocks(): LightBlock[] {
  const [validator] = recorded('genesis').genesis.validators;
  const set = validatorSetFrom([readValidatorJson('validator', validator)]);
  if (!set.ok) throw new Error(set.error);
  const light = (header: unknown, commit: unknown): LightBlock => ({
    header: readHeaderJson('header', header),
    commit: readCommitJson('commit', commit),
    validators: set.value,
  });
  const { header, commit } = recorded('commit_at_height_10').signed_header;
  const later = [0, 1, 2, 3, 4].map((i) => recorded(`subscribe_newblock_${i}`).data.value.block);
  return [
    light(header, commit),
    ...later.slice(0, -1).map((block, i) => light(block.header, later[i + 1].last_commit)),
  ];
}

describe.skipIf(recordings === undefined)('a chain of a real node', () => {
  const options = {
    chainId: 'dockerchain',
    trustingPeriodNanos: 1_000_000_000_000_000n,
    maxClockDriftNanos: 0n,
    trustLevel: DEFAULT_TRUST_LEVEL,
  };
  const after = (block: LightBlock): Timestamp => addMillis(block.header.time, 1n);

  test('verifies by skipping and by one height', () => {
    const blocks = recordedBlocks();
    expect(blocks.map(({ header }) => Number(header.height))).toEqual([10, 235, 236, 237, 238]);
    for (const [i, block] of blocks.entries()) {
      const trusted = blocks[i - 1];
      if (trusted !== undefined)
        expect(verify(trusted, block, after(block), options, pureVerifier)).toEqual({ ok: true, value: true });
    }
  });

  test('verifies backwards, and not past a header that is another', () => {
    const blocks = recordedBlocks().slice(1);
    for (const [i, block] of blocks.entries()) {
      const above = blocks[i + 1];
      if (above === undefined) continue;
      expect(verifyBackwards('dockerchain', block, above.header).ok).toBe(true);
      const other = { ...above.header, lastBlockId: above.commit.blockId };
      expect(verifyBackwards('dockerchain', block, other).ok).toBe(false);
    }
  });
});
