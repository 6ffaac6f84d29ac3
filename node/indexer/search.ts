/**
 * Searches over the index. A search sees the heights that were indexed when it began, so that its total and its page
 * agree whatever is committed meanwhile; it reads in chunks and lets other work run between them.
 */
import { setImmediate } from 'node:timers/promises';
import { fromHex, fromUtf8, utf8 } from '#core/bytes.ts';
import { maxBig, minBig } from '#core/int.ts';
import type { Kv, KvRange } from '#core/ports/kv.ts';
import { err, ok } from '#core/result.ts';
import { type Answer, eventValues, type SearchRequest } from '#rpc/backend.ts';
import { byEventType, type Condition, matchesQuery, matchesValue, parseDecimal, type Query } from '#rpc/query.ts';
import type { Indexer } from './indexer.ts';
import {
  attributeRange,
  type EventPlace,
  type EventPrefix,
  eventPlace,
  type HeightRange,
  heightOfPosition,
  indexOfPosition,
  type Position,
  position,
  positionOfEvent,
  positionRange,
  readEventKey,
  readPairs,
  readPlaces,
  readPosition,
  storedName,
  valueRange,
} from './keys.ts';
import { INDEX_LIMITS } from './limits.ts';

export interface PositionPage {
  readonly total: number;
  readonly positions: readonly Position[];
}

export interface Searcher {
  txs(request: SearchRequest): Promise<Answer<PositionPage>>;
  blocks(request: SearchRequest): Promise<Answer<PositionPage>>;
}

interface Target {
  readonly heightKey: string;
  readonly events: EventPrefix;
  readonly positions: 'txPosition' | 'blockPosition';
}

const TXS: Target = { heightKey: 'tx.height', events: 'txEvent', positions: 'txPosition' };
const BLOCKS: Target = { heightKey: 'block.height', events: 'blockEvent', positions: 'blockPosition' };
const TX_HASH = 'tx.hash';

/** Thrown inside a search when it has looked at too much. */
class TooMuch extends Error {
  override readonly name = 'TooMuch';
}

type SearchLimits = Readonly<Record<'maxScannedEntries' | 'scanChunkEntries' | 'maxConcurrentSearches', number>>;

export function createSearcher(
  { kv, indexer }: { readonly kv: Kv; readonly indexer: Indexer },
  limits: SearchLimits = INDEX_LIMITS,
): Searcher {
  let running = 0;

  async function search(target: Target, request: SearchRequest): Promise<Answer<PositionPage>> {
    if (running >= limits.maxConcurrentSearches)
      return err({ kind: 'unavailable', message: `${running} searches are running already; try again` });
    running++;
    try {
      const found = await findPositions(createScan(kv, limits), indexer, target, request.query);
      return ok(pageOf(found, request));
    } catch (error) {
      if (!(error instanceof TooMuch)) throw error;
      return err({
        kind: 'invalid',
        message: `the query looks at more than ${limits.maxScannedEntries} index entries: narrow it, for example by ${target.heightKey}`,
      });
    } finally {
      running--;
    }
  }

  return { txs: (request) => search(TXS, request), blocks: (request) => search(BLOCKS, request) };
}

function pageOf(found: readonly Position[], { order, page, perPage }: SearchRequest): PositionPage {
  const sorted = [...found].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  if (order === 'desc') sorted.reverse();
  return { total: sorted.length, positions: sorted.slice((page - 1) * perPage, page * perPage) };
}

async function findPositions(scan: Scan, indexer: Indexer, target: Target, query: Query): Promise<Position[]> {
  const { heights, rest } = takeHeights(target, query, { from: 0n, to: indexer.indexedHeight() });
  if (heights.from > heights.to) return [];
  if (target === TXS) {
    const hash = rest.find((condition) => condition.key === TX_HASH);
    if (hash !== undefined) return findByHash(indexer, rest, heights);
  }
  if (rest.length === 0) {
    const all: Position[] = [];
    await scan(positionRange(target.positions, heights), (key, value) => {
      const at = readPosition(key);
      // The entry of a block is one place, that of a segment names a row of them.
      const [[first, count] = [0, 0]] = target === BLOCKS ? [[0, 1] as const] : readPairs(value);
      for (let i = 0; i < count; i++) all.push(position(heightOfPosition(at), first + i));
      return count;
    });
    return all;
  }
  let found: Set<Position> | undefined;
  for (const group of byEventType({ conditions: rest }).values()) {
    const positions = new Set<Position>();
    for (const place of await findEvents(scan, target.events, group, heights)) positions.add(positionOfEvent(place));
    found = found === undefined ? positions : common(found, positions);
    if (found.size === 0) return [];
  }
  return [...(found ?? [])];
}

/** The events that satisfy every condition of a group. */
async function findEvents(
  scan: Scan,
  prefix: EventPrefix,
  group: readonly Condition[],
  heights: HeightRange,
): Promise<Set<EventPlace>> {
  let found: Set<EventPlace> | undefined;
  for (const condition of group) {
    const places = new Set<EventPlace>();
    const { key: storedKey, member } = storedName(condition.key);
    const nameLength = utf8(storedKey).length;
    const exact = exactValue(condition);
    const range =
      exact === undefined ? attributeRange(prefix, condition.key) : valueRange(prefix, condition.key, exact, heights);
    await scan(range, (key, value) => {
      const { value: found, segment } = readEventKey(key, nameLength);
      const height = heightOfPosition(segment);
      const pairs = readPlaces(value, indexOfPosition(segment), member);
      if (height >= heights.from && height <= heights.to)
        if (exact !== undefined || matchesValue(condition, fromUtf8(found)))
          for (const [index, event] of pairs) places.add(eventPlace(height, index, event));
      // An entry of other names alone has been looked at as well.
      return Math.max(1, pairs.length);
    });
    found = found === undefined ? places : common(found, places);
    if (found.size === 0) return found;
  }
  return found ?? new Set();
}

function common(a: ReadonlySet<bigint>, b: ReadonlySet<bigint>): Set<bigint> {
  const [small, large] = a.size < b.size ? [a, b] : [b, a];
  const out = new Set<bigint>();
  for (const item of small) if (large.has(item)) out.add(item);
  return out;
}

/** The one value that a condition admits, where it admits exactly one. */
function exactValue(condition: Condition): string | undefined {
  if (condition.kind !== 'compare' || condition.operator !== '=' || condition.operand.kind === 'time') return undefined;
  return condition.operand.text;
}

/** @param visit answers at how many places it has looked. */
type Scan = (range: KvRange, visit: (key: Uint8Array, value: Uint8Array) => number) => Promise<void>;

/** Reads ranges chunk by chunk; all scans of one search share its bound. */
function createScan(kv: Kv, limits: SearchLimits): Scan {
  let left = limits.maxScannedEntries;
  return async (range, visit) => {
    let from = range.gte;
    for (;;) {
      let places = 0;
      let entries = 0;
      let last: Uint8Array | undefined;
      const chunk = { ...range, ...(from && { gte: from }), limit: limits.scanChunkEntries };
      for (const [key, value] of kv.entries(chunk)) {
        places += visit(key, value);
        last = key;
        entries++;
        if (places >= limits.scanChunkEntries) break;
      }
      left -= places;
      if (left < 0) throw new TooMuch();
      if (last === undefined || (entries < limits.scanChunkEntries && places < limits.scanChunkEntries)) return;
      // The least key above the last one read.
      from = new Uint8Array(last.length + 1);
      from.set(last);
      await setImmediate();
    }
  };
}

/** Turns the conditions on the height into a range, and leaves the others. */
function takeHeights(
  target: Target,
  query: Query,
  all: HeightRange,
): { readonly heights: HeightRange; readonly rest: readonly Condition[] } {
  let { from, to } = all;
  const rest: Condition[] = [];
  for (const condition of query.conditions) {
    if (condition.key !== target.heightKey || condition.kind === 'contains') rest.push(condition);
    else if (condition.kind === 'compare') {
      const bounds = heightBounds(condition);
      from = maxBig(from, bounds.from);
      to = minBig(to, bounds.to);
    }
    // `height EXISTS` holds for everything.
  }
  return { heights: { from, to }, rest };
}

const NONE: HeightRange = { from: 1n, to: 0n };
const ABOVE_ALL = 1n << 63n;

function heightBounds({ operator, operand }: Extract<Condition, { kind: 'compare' }>): HeightRange {
  // Some clients quote the height.
  const number = operand.kind === 'number' ? operand.number : parseDecimal(operand.text);
  if (number === undefined) return NONE;
  const unit = 10n ** BigInt(number.scale);
  const whole = number.units % unit === 0n;
  const truncated = number.units / unit;
  // Rounded down, so that ranges with a fraction are right for whole heights.
  const floor = whole || number.units >= 0n ? truncated : truncated - 1n;
  const ceiling = whole ? floor : floor + 1n;
  switch (operator) {
    case '=':
      return whole ? { from: floor, to: floor } : NONE;
    case '<':
      return { from: 0n, to: ceiling - 1n };
    case '<=':
      return { from: 0n, to: floor };
    case '>':
      return { from: floor + 1n, to: ABOVE_ALL };
    case '>=':
      return { from: ceiling, to: ABOVE_ALL };
  }
}

/** A hash names at most one transaction: it is fetched, and the other conditions are tried on its own events. */
function findByHash(indexer: Indexer, conditions: readonly Condition[], heights: HeightRange): Position[] {
  const others: Condition[] = [];
  let wanted: string | undefined;
  for (const condition of conditions) {
    if (condition.key !== TX_HASH) others.push(condition);
    else {
      const hash = exactValue(condition)?.toUpperCase();
      if (hash === undefined || !/^[0-9A-F]{64}$/.test(hash) || (wanted !== undefined && wanted !== hash)) return [];
      wanted = hash;
    }
  }
  const record = wanted === undefined ? undefined : indexer.txByHash(fromHex(wanted));
  if (record === undefined || record.height < heights.from || record.height > heights.to) return [];
  if (others.length > 0 && !matchesQuery({ conditions: others }, eventValues(record.result.events, true))) return [];
  return [position(record.height, record.index)];
}
