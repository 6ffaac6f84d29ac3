/**
 * Flags of a command that are the fields of a message, made from its descriptor: what a module can do is on the command
 * line without a line of code for it. Values are read as people write them: `5uauton`, `0.05`, `60s`, a type by its name.
 */
import { Option } from 'commander';
import { toBase64 } from '#core/bytes.ts';
import { err, ok, type Result } from '#core/result.ts';
import type { DescMessage } from '#proto/message.ts';
import { type DescField, isBytesField, isFlagField } from '#proto/reflect.ts';
import { type Coin, toProtoCoin } from '#runtime/coins.ts';
import type { Json } from '#runtime/module.ts';
import { parseCoin, parseCoins } from '../client/amounts.ts';

const COIN = 'cosmos.base.v1beta1.Coin';
/** Messages whose JSON is one text. */
const TEXTS: Readonly<Record<string, string>> = {
  'google.protobuf.Timestamp': 'time',
  'google.protobuf.Duration': 'duration',
};
const PAGE = 'cosmos.base.query.v1beta1.PageRequest';

export type FlagValues = Readonly<Record<string, unknown>>;

/** `MsgWithdrawDelegatorReward` → `withdraw-delegator-reward`. */
export function kebab(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replaceAll('_', '-')
    .toLowerCase();
}

/** How commander calls the value of a flag. */
function camel(flag: string): string {
  return flag.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

const flagOf = (field: DescField): string => kebab(field.name);

/** What stands for the value in the help text. */
function placeholder(field: DescField): string {
  switch (field.fieldKind) {
    case 'scalar':
      return isBytesField(field) ? 'hex' : 'value';
    case 'enum':
      return 'name';
    case 'message':
      return field.message.typeName === COIN ? 'coin' : (TEXTS[field.message.typeName] ?? 'json');
    case 'list':
      if (field.listKind !== 'message') return 'a,b,…';
      return field.message.typeName === COIN ? 'coins' : 'json';
    case 'map':
      return 'json';
  }
}

/** One flag a field. `taken` are flags that mean something else: such a field is reached by --json. */
export function fieldOptions(schema: DescMessage, taken: ReadonlySet<string> = new Set()): Option[] {
  return schema.fields.flatMap((field) => {
    if (field.fieldKind === 'message' && field.message.typeName === PAGE) return pageOptions();
    const flag = flagOf(field);
    if (taken.has(flag)) return [];
    return [isFlagField(field) ? new Option(`--${flag}`) : new Option(`--${flag} <${placeholder(field)}>`)];
  });
}

const pageOptions = (): Option[] => [
  new Option('--limit <count>', 'entries of a page'),
  new Option('--page-key <base64>', 'next_key of the page before'),
  new Option('--count-total', 'also say how many there are'),
  new Option('--reverse', 'last entries first'),
];

/** The JSON of the message that the flags make. Failure: a sentence that names the flag. */
export function messageJson(
  schema: DescMessage,
  values: FlagValues,
): Result<{ readonly [name: string]: Json }, string> {
  const out: { [name: string]: Json } = {};
  for (const field of schema.fields) {
    if (field.fieldKind === 'message' && field.message.typeName === PAGE) {
      const page = pageJson(values);
      if (Object.keys(page).length > 0) out[field.name] = page;
      continue;
    }
    const value = values[camel(flagOf(field))];
    if (value === undefined) continue;
    const read = typeof value === 'string' ? readValue(field, value) : ok<Json>(value === true);
    if (!read.ok) return err(`--${flagOf(field)}: ${read.error}`);
    out[field.name] = read.value;
  }
  return ok(out);
}

function pageJson({ limit, pageKey, countTotal, reverse }: FlagValues): { readonly [name: string]: Json } {
  return {
    ...(typeof limit === 'string' ? { limit } : {}),
    ...(typeof pageKey === 'string' ? { key: pageKey } : {}),
    ...(countTotal === true ? { count_total: true } : {}),
    ...(reverse === true ? { reverse: true } : {}),
  };
}

function readValue(field: DescField, text: string): Result<Json, string> {
  switch (field.fieldKind) {
    case 'scalar':
      return isBytesField(field) ? readBytes(text) : ok(text);
    case 'enum':
      return ok(text);
    case 'message':
      if (field.message.typeName === COIN) return mapped(parseCoin(text), coinJson);
      return field.message.typeName in TEXTS ? ok(text) : readJsonText(text);
    case 'list':
      if (field.listKind !== 'message') return ok(text.split(',').map((part) => part.trim()));
      return field.message.typeName === COIN
        ? mapped(parseCoins(text), (coins) => coins.map(coinJson))
        : readJsonText(text);
    case 'map':
      return readJsonText(text);
  }
}

function coinJson(coin: Coin): Json {
  return { ...toProtoCoin(coin) };
}

function mapped<T>(result: Result<T, string>, to: (value: T) => Json): Result<Json, string> {
  return result.ok ? ok(to(result.value)) : result;
}

function readBytes(text: string): Result<Json, string> {
  if (!/^([0-9a-fA-F]{2})*$/.test(text)) return err('expected pairs of hex digits');
  return ok(toBase64(Buffer.from(text, 'hex')));
}

function readJsonText(text: string): Result<Json, string> {
  try {
    return ok(JSON.parse(text) as Json);
  } catch {
    return err('expected JSON');
  }
}
