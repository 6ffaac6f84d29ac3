import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RPC_LIMITS } from './limits.ts';
import {
  type Condition,
  compareDecimal,
  matchesPublished,
  matchesQuery,
  matchesValue,
  parseDecimal,
  parseQuery,
  printQuery,
  type Query,
} from './query.ts';

function parsed(text: string): Query {
  const query = parseQuery(text);
  if (!query.ok) throw new Error(query.error);
  return query.value;
}

function refused(text: string): string {
  const query = parseQuery(text);
  if (query.ok) throw new Error(`accepted: ${text}`);
  return query.error;
}

function matches(text: string, ...events: Record<string, string | string[]>[]): boolean {
  const maps = events.map((event) => new Map(Object.entries(event).map(([k, v]) => [k, [v].flat()])));
  return matchesQuery(parsed(text), maps);
}

describe('parsing', () => {
  test('what wallets and explorers send', () => {
    expect(parsed("tx.hash='AB12'").conditions).toEqual([
      { kind: 'compare', key: 'tx.hash', operator: '=', operand: { kind: 'text', text: 'AB12' } },
    ]);
    expect(parsed('tx.height=5').conditions).toEqual([
      {
        kind: 'compare',
        key: 'tx.height',
        operator: '=',
        operand: { kind: 'number', number: { units: 5n, scale: 0 }, text: '5' },
      },
    ]);
    expect(parsed("message.sender='auton1x' AND tx.height>=1 AND tx.height<=9").conditions).toHaveLength(3);
    expect(parsed("message.action='/cosmos.bank.v1beta1.MsgSend'").conditions).toHaveLength(1);
    expect(parsed("transfer.amount CONTAINS 'uauton' AND proposal.id EXISTS").conditions.map((c) => c.kind)).toEqual([
      'contains',
      'exists',
    ]);
    expect(parsed("tm.event = 'NewBlock'").conditions).toHaveLength(1);
    expect(parsed('vote.at > TIME 2026-01-01T00:00:00Z AND vote.day = DATE 2026-01-02').conditions).toHaveLength(2);
  });

  test.each([
    ['', 'offset 0: got the end, wanted tag'],
    ["a.b = 'x", "offset 6: the string is not closed by '"],
    ['a.b = ', 'offset 6: got the end, wanted string, number, time or date'],
    ['a.b = c', 'offset 6: got tag, wanted string, number, time or date'],
    ["a.b > 'x'", 'offset 6: got string, wanted number, time or date'],
    ['a.b = 1 OR c.d = 2', 'offset 8: got tag, wanted AND operator or the end'],
    ['a.b = 1 AND', 'offset 11: got the end, wanted tag'],
    ['a.b CONTAINS 5', 'offset 13: got number, wanted string'],
    ['a.b = DATE 2026-13-01', 'offset 6: "2026-13-01" is not a date'],
    ['a.b = "x"', 'offset 6: unexpected character "\\""'],
    [
      'malformed query',
      'offset 10: got tag, wanted <= operator, >= operator, < operator, > operator, = operator, CONTAINS operator or EXISTS operator',
    ],
  ])('%s is refused: %s', (text, reason) => {
    expect(refused(text)).toBe(`failed to parse query: ${reason}`);
  });

  test('limits', () => {
    expect(refused('x'.repeat(RPC_LIMITS.maxQueryChars + 1))).toContain('exceed the limit');
    const many = (n: number) => Array.from({ length: n }, () => 'a.b=1').join(' AND ');
    expect(parsed(many(RPC_LIMITS.maxQueryConditions)).conditions).toHaveLength(RPC_LIMITS.maxQueryConditions);
    expect(refused(many(RPC_LIMITS.maxQueryConditions + 1))).toContain('more than');
    expect(refused(`a.b=${'9'.repeat(RPC_LIMITS.maxNumberDigits + 1)}`)).toContain('too many digits');
  });

  test('never throws, whatever the text', () => {
    const pieces = fc.constantFrom(
      'a.b',
      "'x'",
      '5',
      '=',
      '<=',
      ' ',
      'AND',
      'EXISTS',
      'CONTAINS',
      'TIME',
      'DATE',
      "'",
      '-',
      '.',
      '2026-01-01',
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(pieces, { maxLength: 12 }).map((list) => list.join('')),
    );
    fc.assert(
      fc.property(text, (any) => typeof parseQuery(any).ok === 'boolean'),
      { numRuns: 1_000 },
    );
  });

  test('a printed query parses to itself', () => {
    const key = fc.stringMatching(/^[a-z][a-z0-9_-]{0,8}\.[a-z][a-z0-9_]{0,8}$/);
    const textValue = fc.stringMatching(/^[^']{0,12}$/);
    const condition = fc.oneof(
      key.map((name): [string, Condition] => [`${name} EXISTS`, { kind: 'exists', key: name }]),
      fc
        .tuple(key, textValue)
        .map(([name, text]): [string, Condition] => [
          `${name} CONTAINS '${text}'`,
          { kind: 'contains', key: name, text },
        ]),
      fc
        .tuple(key, textValue)
        .map(([name, text]): [string, Condition] => [
          `${name}='${text}'`,
          { kind: 'compare', key: name, operator: '=', operand: { kind: 'text', text } },
        ]),
      fc
        .tuple(key, fc.constantFrom('=' as const, '<' as const, '>=' as const), fc.bigInt({ min: 0n, max: 10n ** 20n }))
        .map(([name, operator, units]): [string, Condition] => [
          `${name} ${operator} ${units}`,
          {
            kind: 'compare',
            key: name,
            operator,
            operand: { kind: 'number', number: { units, scale: 0 }, text: String(units) },
          },
        ]),
    );
    fc.assert(
      fc.property(fc.array(condition, { minLength: 1, maxLength: 5 }), (list) => {
        const text = list.map(([printed]) => printed).join(' AND ');
        if (text.length > RPC_LIMITS.maxQueryChars) return;
        const query = parsed(text);
        expect(query.conditions).toEqual(list.map(([, value]) => value));
        const spelled = printQuery(query);
        if (spelled.length <= RPC_LIMITS.maxQueryChars) expect(printQuery(parsed(spelled))).toBe(spelled);
      }),
    );
  });
});

describe('matching', () => {
  test('conditions of one event type hold in one event', () => {
    const transfers = [
      { 'transfer.sender': 'a', 'transfer.recipient': 'b' },
      { 'transfer.sender': 'c', 'transfer.recipient': 'd' },
    ];
    expect(matches("transfer.sender='a' AND transfer.recipient='b'", ...transfers)).toBe(true);
    expect(matches("transfer.sender='a' AND transfer.recipient='d'", ...transfers)).toBe(false);
  });

  test('conditions of different event types hold each in its own event', () => {
    const events = [{ 'message.action': 'send' }, { 'transfer.sender': 'a' }];
    expect(matches("message.action='send' AND transfer.sender='a'", ...events)).toBe(true);
    expect(matches("message.action='send' AND transfer.sender='b'", ...events)).toBe(false);
  });

  test('numbers, texts, times', () => {
    const only = (text: string, value: string) => matches(text, { 'a.b': value });
    expect(only('a.b > 9', '10')).toBe(true);
    expect(only('a.b > 9', '9.5')).toBe(true);
    expect(only('a.b > 9', '10uauton')).toBe(false);
    expect(only('a.b = 5', '5')).toBe(true);
    expect(only("a.b = '5'", '5')).toBe(true);
    expect(only('a.b <= 9007199254740993', '9007199254740993')).toBe(true);
    expect(only('a.b < 9007199254740993', '9007199254740993')).toBe(false);
    expect(only("a.b CONTAINS 'auto'", '10uauton')).toBe(true);
    expect(only('a.b EXISTS', '')).toBe(true);
    expect(matches('a.c EXISTS', { 'a.b': '1' })).toBe(false);
    expect(only('a.b >= DATE 2026-01-02', '2026-01-02T00:00:00Z')).toBe(true);
    expect(only('a.b < DATE 2026-01-02', '2026-01-02')).toBe(false);
    expect(matches('a.b > 5', { 'a.b': ['1', '7'] })).toBe(true);
  });

  test('decimals order as numbers do', () => {
    const decimal = fc.tuple(fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n }), fc.integer({ min: 0, max: 6 }));
    fc.assert(
      fc.property(decimal, decimal, ([a, i], [b, j]) => {
        const [x, y] = [a * 10n ** BigInt(6 - i), b * 10n ** BigInt(6 - j)];
        expect(compareDecimal({ units: a, scale: i }, { units: b, scale: j })).toBe(x < y ? -1 : x > y ? 1 : 0);
      }),
    );
    expect(parseDecimal('-1.50')).toEqual({ units: -150n, scale: 2 });
    expect(parseDecimal('1.')).toBeUndefined();
    expect(parseDecimal('')).toBeUndefined();
    expect(matchesValue(parsed('a.b < 0').conditions[0] as Condition, '-1')).toBe(true);
  });
});

describe('matching what is published', () => {
  const published = (text: string, values: Record<string, string[]>) =>
    matchesPublished(parsed(text), new Map(Object.entries(values)));

  test('conditions hold each anywhere', () => {
    const values = { 'tm.event': ['Tx'], 'transfer.sender': ['a', 'c'], 'transfer.recipient': ['b', 'd'] };
    expect(published("tm.event='Tx' AND transfer.sender='a' AND transfer.recipient='d'", values)).toBe(true);
    expect(published("tm.event='Tx' AND transfer.sender='b'", values)).toBe(false);
    expect(published('transfer.amount EXISTS', values)).toBe(false);
  });

  test('numbers are what a value begins with', () => {
    const values = { 'transfer.amount': ['8uauton'], 'tx.height': ['007'], 'a.b': ['-3', 'x9'] };
    expect(published('transfer.amount = 8', values)).toBe(true);
    expect(published('transfer.amount > 7.5 AND transfer.amount <= 8', values)).toBe(true);
    expect(published('tx.height = 7', values)).toBe(true);
    expect(published('a.b < 0', values)).toBe(true);
    expect(published('a.b > 0', values)).toBe(false);
  });

  test('a condition on an event type alone sees one empty value', () => {
    const values = { 'transfer.sender': ['a'] };
    expect(published('transfer EXISTS', values)).toBe(true);
    expect(published("transfer = ''", values)).toBe(true);
    expect(published("transfer = 'a'", values)).toBe(false);
    expect(published('trans EXISTS', values)).toBe(false);
  });

  test('queries that differ in blanks alone are spelled alike', () => {
    for (const [written, spelled] of [
      ["tm.event='Tx'  AND  a.b>=5", "tm.event = 'Tx' AND a.b >= 5"],
      ["a.b CONTAINS'x' AND c EXISTS", "a.b CONTAINS 'x' AND c EXISTS"],
      [
        'a.b > TIME 2026-01-01T00:00:00Z AND a.c = DATE 2026-01-02',
        'a.b > TIME 2026-01-01T00:00:00Z AND a.c = DATE 2026-01-02',
      ],
    ] as const) {
      expect(printQuery(parsed(written))).toBe(spelled);
      expect(printQuery(parsed(spelled))).toBe(spelled);
    }
  });
});
