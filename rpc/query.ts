/**
 * The query language over events (CometBFT v0.38 libs/pubsub/query): conditions joined by AND, each
 * `key = 'text'`, `key = number`, `<`, `<=`, `>`, `>=` with a number, `TIME <RFC 3339>` or `DATE <YYYY-MM-DD>`,
 * `key CONTAINS 'text'`, or `key EXISTS`. A key is `type.attribute`. Text is quoted by ', numbers are not quoted.
 */
import { err, ok, type Result } from '#core/result.ts';
import { parseTime, toNanos } from '#core/types/timestamp.ts';
import { RPC_LIMITS } from './limits.ts';

/** All conditions must hold. */
export interface Query {
  readonly conditions: readonly Condition[];
}

/** `key` is `type.attribute`. */
export type Condition =
  | { readonly kind: 'compare'; readonly key: string; readonly operator: Comparison; readonly operand: Operand }
  | { readonly kind: 'contains'; readonly key: string; readonly text: string }
  | { readonly kind: 'exists'; readonly key: string };

export type Comparison = '=' | '<' | '<=' | '>' | '>=';

export type Operand =
  | { readonly kind: 'text'; readonly text: string }
  /** `text` is the number as it was written. */
  | { readonly kind: 'number'; readonly number: Decimal; readonly text: string }
  | { readonly kind: 'time'; readonly nanos: bigint; readonly text: string };

/** A decimal number as `units` × 10^−`scale`. */
export interface Decimal {
  readonly units: bigint;
  readonly scale: number;
}

type Token =
  | { readonly kind: 'tag' | 'string' | 'number' | 'time' | 'date'; readonly text: string; readonly at: number }
  | { readonly kind: Comparison | 'AND' | 'CONTAINS' | 'EXISTS' | 'end'; readonly text: string; readonly at: number };

const OPERATORS = '<= operator, >= operator, < operator, > operator, = operator, CONTAINS operator or EXISTS operator';

/** Thrown inside the parser, caught by {@link parseQuery}. */
class QueryError extends Error {
  override readonly name = 'QueryError';
}

/** The error says at which offset something else was expected. */
export function parseQuery(text: string): Result<Query, string> {
  if (text.length > RPC_LIMITS.maxQueryChars)
    return err(`query: ${text.length} characters exceed the limit of ${RPC_LIMITS.maxQueryChars}`);
  try {
    return ok({ conditions: parseConditions(scan(text)) });
  } catch (error) {
    if (error instanceof QueryError) return err(`failed to parse query: ${error.message}`);
    throw error;
  }
}

/** One pattern a token, tried in turn; a word is a keyword only when it is written in capitals. */
const PATTERNS: readonly (readonly [kind: 'string' | 'time' | 'date' | 'number' | 'operator' | 'word', RegExp])[] = [
  ['string', /'([^']*)'/y],
  ['time', /TIME\s+([0-9T:.+Z-]+)/y],
  ['date', /DATE\s+([0-9-]+)/y],
  ['number', /(-?[0-9]+(?:\.[0-9]+)?)(?![\p{L}\p{N}_./-])/uy],
  ['operator', /(<=|>=|<|>|=)/y],
  ['word', /([\p{L}\p{N}_][\p{L}\p{N}_./-]*)/uy],
];

function scan(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    while (/\s/.test(text.charAt(at))) at++;
    if (at >= text.length) break;
    const found = scanOne(text, at);
    tokens.push(found.token);
    at = found.next;
  }
  tokens.push({ kind: 'end', text: '', at });
  return tokens;
}

function scanOne(text: string, at: number): { token: Token; next: number } {
  for (const [kind, pattern] of PATTERNS) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) continue;
    const content = match[1] as string;
    const next = pattern.lastIndex;
    if (kind === 'operator') return { token: { kind: content as Comparison, text: content, at }, next };
    if (kind !== 'word') return { token: { kind, text: content, at }, next };
    if (content === 'AND' || content === 'CONTAINS' || content === 'EXISTS')
      return { token: { kind: content, text: content, at }, next };
    return { token: { kind: 'tag', text: content, at }, next };
  }
  if (text.charAt(at) === "'") throw new QueryError(`offset ${at}: the string is not closed by '`);
  throw new QueryError(`offset ${at}: unexpected character ${JSON.stringify(text.charAt(at))}`);
}

function parseConditions(tokens: readonly Token[]): Condition[] {
  const conditions: Condition[] = [];
  let at = 0;
  const next = (): Token => tokens[Math.min(at++, tokens.length - 1)] as Token;
  for (;;) {
    const key = expect(next(), 'tag', 'tag');
    conditions.push(parseCondition(key.text, next));
    if (conditions.length > RPC_LIMITS.maxQueryConditions)
      throw new QueryError(`more than ${RPC_LIMITS.maxQueryConditions} conditions`);
    const joint = next();
    if (joint.kind === 'end') return conditions;
    expect(joint, 'AND', 'AND operator or the end');
  }
}

function expect(token: Token, kind: Token['kind'], wanted: string): Token {
  if (token.kind !== kind) throw new QueryError(`offset ${token.at}: got ${nameOf(token)}, wanted ${wanted}`);
  return token;
}

function nameOf(token: Token): string {
  if (token.kind === 'end') return 'the end';
  if (/^[A-Z<>=]/.test(token.kind)) return `${token.kind} operator`;
  return token.kind;
}

function parseCondition(key: string, next: () => Token): Condition {
  const operator = next();
  switch (operator.kind) {
    case 'EXISTS':
      return { kind: 'exists', key };
    case 'CONTAINS':
      return { kind: 'contains', key, text: expect(next(), 'string', 'string').text };
    case '=':
      return { kind: 'compare', key, operator: '=', operand: parseOperand(next(), true) };
    case '<':
    case '<=':
    case '>':
    case '>=':
      return { kind: 'compare', key, operator: operator.kind, operand: parseOperand(next(), false) };
    case 'tag':
    case 'string':
    case 'number':
    case 'time':
    case 'date':
    case 'AND':
    case 'end':
      throw new QueryError(`offset ${operator.at}: got ${nameOf(operator)}, wanted ${OPERATORS}`);
  }
}

function parseOperand(token: Token, textAllowed: boolean): Operand {
  const { kind, text, at } = token;
  if (kind === 'string' && textAllowed) return { kind: 'text', text };
  if (kind === 'number') {
    const number = parseDecimal(text);
    if (number === undefined) throw new QueryError(`offset ${at}: the number has too many digits`);
    return { kind: 'number', number, text };
  }
  if (kind === 'time' || kind === 'date') {
    const nanos = timeNanos(kind === 'date' ? `${text}T00:00:00Z` : text);
    if (nanos === undefined)
      throw new QueryError(`offset ${at}: ${JSON.stringify(text)} is not ${kind === 'date' ? 'a date' : 'a time'}`);
    return { kind: 'time', nanos, text };
  }
  throw new QueryError(
    `offset ${at}: got ${nameOf(token)}, wanted ${textAllowed ? 'string, ' : ''}number, time or date`,
  );
}

function timeNanos(text: string): bigint | undefined {
  try {
    return toNanos(parseTime(text));
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** A whole text as a decimal number, or undefined. */
export function parseDecimal(text: string): Decimal | undefined {
  if (text.length > RPC_LIMITS.maxNumberDigits || !/^-?[0-9]+(\.[0-9]+)?$/.test(text)) return undefined;
  const point = text.indexOf('.');
  if (point < 0) return { units: BigInt(text), scale: 0 };
  return { units: BigInt(text.slice(0, point) + text.slice(point + 1)), scale: text.length - point - 1 };
}

export function compareDecimal(a: Decimal, b: Decimal): -1 | 0 | 1 {
  const scale = Math.max(a.scale, b.scale);
  const x = a.units * 10n ** BigInt(scale - a.scale);
  const y = b.units * 10n ** BigInt(scale - b.scale);
  return x < y ? -1 : x > y ? 1 : 0;
}

/** Whether one attribute value satisfies a condition on its key. A value that is not wholly a number precedes and follows none. */
export function matchesValue(condition: Condition, value: string): boolean {
  switch (condition.kind) {
    case 'exists':
      return true;
    case 'contains':
      return value.includes(condition.text);
    case 'compare': {
      const { operator, operand } = condition;
      if (operand.kind === 'text') return value === operand.text;
      if (operand.kind === 'number') {
        // As in CometBFT's index, a number equals what is spelled like it.
        if (operator === '=') return value === operand.text;
        const number = parseDecimal(value);
        return number !== undefined && holds(operator, compareDecimal(number, operand.number));
      }
      const nanos = timeNanos(/^\d{4}-\d{2}-\d{2}$/.test(value) ? `${value}T00:00:00Z` : value);
      return nanos !== undefined && holds(operator, nanos < operand.nanos ? -1 : nanos > operand.nanos ? 1 : 0);
    }
  }
}

/** Whether an order relation satisfies the operator. */
export function holds(operator: Comparison, order: -1 | 0 | 1): boolean {
  switch (operator) {
    case '=':
      return order === 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
  }
}

/** The event type of a composite key: everything before the last dot. */
function eventTypeOf(key: string): string {
  const dot = key.lastIndexOf('.');
  return dot < 0 ? '' : key.slice(0, dot);
}

/**
 * The conditions by event type. Those of one type must hold in one and the same event, so that
 * `transfer.sender='a' AND transfer.recipient='b'` finds transfers from a to b; those of different types each in some event.
 */
export function byEventType(query: Query): Map<string, Condition[]> {
  const groups = new Map<string, Condition[]>();
  for (const condition of query.conditions) {
    const type = eventTypeOf(condition.key);
    const group = groups.get(type);
    if (group === undefined) groups.set(type, [condition]);
    else group.push(condition);
  }
  return groups;
}

/** Composite keys and their values, one map for each event. */
export type EventValues = ReadonlyMap<string, readonly string[]>;

/** Whether events satisfy a query; see {@link byEventType}. */
export function matchesQuery(query: Query, events: readonly EventValues[]): boolean {
  for (const group of byEventType(query).values()) {
    const found = events.some((event) =>
      group.every((condition) => event.get(condition.key)?.some((value) => matchesValue(condition, value)) ?? false),
    );
    if (!found) return false;
  }
  return true;
}

/** A number at the beginning of a value, such as the amount of `8uauton`. */
const LEADING_NUMBER = /^-?[0-9]+(?:\.[0-9]+)?/;

/** As {@link matchesValue}, but a condition with a number sees only the number that a value begins with. */
function matchesPublishedValue(condition: Condition, value: string): boolean {
  if (condition.kind !== 'compare' || condition.operand.kind !== 'number') return matchesValue(condition, value);
  const number = parseDecimal(LEADING_NUMBER.exec(value)?.[0] ?? '');
  return number !== undefined && holds(condition.operator, compareDecimal(number, condition.operand.number));
}

/**
 * Whether what is being published satisfies the query of a subscription. As CometBFT's bus (libs/pubsub/query), which
 * differs from its index: each condition may hold in another event, `8uauton` counts as 8, and a condition on an event
 * type alone, without an attribute, sees one empty value when there is such an event.
 */
export function matchesPublished(query: Query, values: EventValues): boolean {
  return query.conditions.every((condition) => {
    if (values.get(condition.key)?.some((value) => matchesPublishedValue(condition, value))) return true;
    if (!matchesPublishedValue(condition, '')) return false;
    for (const key of values.keys()) if (eventTypeOf(key) === condition.key) return true;
    return false;
  });
}

/** The query in one spelling, whatever blanks it was written with: queries that print alike are the same subscription. */
export function printQuery(query: Query): string {
  return query.conditions.map(printCondition).join(' AND ');
}

function printCondition(condition: Condition): string {
  switch (condition.kind) {
    case 'exists':
      return `${condition.key} EXISTS`;
    case 'contains':
      return `${condition.key} CONTAINS '${condition.text}'`;
    case 'compare':
      return `${condition.key} ${condition.operator} ${printOperand(condition.operand)}`;
  }
}

function printOperand(operand: Operand): string {
  switch (operand.kind) {
    case 'text':
      return `'${operand.text}'`;
    case 'number':
      return operand.text;
    case 'time':
      return `${/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(operand.text) ? 'DATE' : 'TIME'} ${operand.text}`;
  }
}
