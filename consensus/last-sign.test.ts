import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { utf8 } from '#core/bytes.ts';
import { fromMillis } from '#core/types/timestamp.ts';
import { decideSign, decodeLastSign, encodeLastSign, type LastSign, SIGN_STEP, type SignRequest } from './last-sign.ts';

const last: LastSign = {
  height: 10n,
  round: 2,
  step: SIGN_STEP.prevote,
  timestamp: fromMillis(1_000n),
  timelessBytes: utf8('block a'),
  signature: utf8('signature'),
};

function request(change: Partial<SignRequest>): SignRequest {
  return { height: 10n, round: 2, step: SIGN_STEP.prevote, timelessBytes: utf8('block a'), ...change };
}

test('the first signature of a key is free', () => {
  expect(decideSign(undefined, request({}))).toEqual({ kind: 'sign' });
});

test.each([
  { height: 11n, round: 0, step: SIGN_STEP.proposal },
  { round: 3, step: SIGN_STEP.proposal },
  { step: SIGN_STEP.precommit },
])('a later place is signed: %o', (change) => {
  expect(decideSign(last, request({ ...change, timelessBytes: utf8('block b') }))).toEqual({ kind: 'sign' });
});

test.each([
  { height: 9n, round: 9, step: SIGN_STEP.precommit },
  { round: 1, step: SIGN_STEP.precommit },
  { step: SIGN_STEP.proposal },
])('an earlier place is refused, whatever it is: %o', (change) => {
  expect(decideSign(last, request(change))).toMatchObject({ kind: 'refuse' });
});

test('the same place: the same bytes get the signature and timestamp of the first time', () => {
  expect(decideSign(last, request({}))).toEqual({
    kind: 'reuse',
    timestamp: last.timestamp,
    signature: last.signature,
  });
});

test('the same place: other bytes are refused', () => {
  expect(decideSign(last, request({ timelessBytes: utf8('block b') }))).toMatchObject({ kind: 'refuse' });
});

test('over any sequence of requests no place is signed for two different things', () => {
  const requests = fc.array(
    fc.record({
      height: fc.bigInt({ min: 1n, max: 3n }),
      round: fc.integer({ min: 0, max: 2 }),
      step: fc.constantFrom(SIGN_STEP.proposal, SIGN_STEP.prevote, SIGN_STEP.precommit),
      timelessBytes: fc.constantFrom(utf8('a'), utf8('b')),
    }),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(requests, (list) => {
      let state: LastSign | undefined;
      const signed = new Map<string, string>();
      for (const each of list) {
        const decision = decideSign(state, each);
        if (decision.kind === 'refuse') continue;
        const place = `${each.height}/${each.round}/${each.step}`;
        const what = String(each.timelessBytes);
        expect(signed.get(place) ?? what).toBe(what);
        signed.set(place, what);
        if (decision.kind === 'sign') state = { ...each, timestamp: last.timestamp, signature: last.signature };
      }
    }),
  );
});

test('the stored form survives, and damage is refused', () => {
  const bytes = encodeLastSign(last);
  expect(decodeLastSign(bytes)).toEqual({ ok: true, value: last });
  expect(decodeLastSign(bytes.slice(0, 20)).ok).toBe(false);
  expect(decodeLastSign(new Uint8Array(0)).ok).toBe(false);
});
