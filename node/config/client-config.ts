/** What the command line takes for its flags where they are not given: config/client.toml of the home. */
import { parse, TomlError } from 'smol-toml';
import { err, ok, type Result } from '#core/result.ts';
import { KEYRING_BACKENDS } from '../keyring/keyring.ts';
import { nearest } from './nearest.ts';

/** One setting, named as the flag that it stands for. */
export interface ClientSetting {
  readonly key: string;
  readonly fallback: string;
  readonly comment: string;
  readonly oneOf?: readonly string[];
  /** What it must look like, where it is not empty, and how that is said. */
  readonly form?: readonly [pattern: RegExp, said: string];
}

/** The names are those of the Cosmos SDK's client.toml. */
export const CLIENT_SETTINGS: readonly ClientSetting[] = [
  {
    key: 'chain-id',
    fallback: '',
    comment: 'Chain that transactions are for; "" asks the node.',
    form: [/^[\x21-\x7e]{1,50}$/, 'the id of a chain, 1 to 50 printable characters'],
  },
  {
    key: 'keyring-backend',
    fallback: 'file',
    comment: 'Where keys are kept.',
    oneOf: KEYRING_BACKENDS,
  },
  { key: 'output', fallback: 'text', comment: 'How results are printed.', oneOf: ['text', 'json'] },
  {
    key: 'node',
    fallback: 'http://127.0.0.1:26657',
    comment: 'RPC address of the node that is asked.',
    form: [/^(https?|tcp):\/\/\S{1,200}$/, 'an address such as http://127.0.0.1:26657'],
  },
  {
    key: 'gas-prices',
    fallback: '0.025uauton',
    comment: 'Price of a unit of gas.',
    form: [/^\d{1,20}(\.\d{1,18})?[a-zA-Z][a-zA-Z0-9/:._-]{2,127}$/, 'a price such as 0.025uauton'],
  },
];

export type ClientValues = Readonly<Record<string, string>>;

/** Every sentence that is to be said against the text; and the values that stand in it. */
export function readClientConfig(text: string): { readonly errors: readonly string[]; readonly values: ClientValues } {
  let table: Readonly<Record<string, unknown>>;
  try {
    table = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    return { errors: [`not valid TOML: ${error.message.split('\n')[0]}`], values: {} };
  }
  const errors: string[] = [];
  const values: Record<string, string> = {};
  for (const [key, value] of Object.entries(table)) {
    const checked = checkClientSetting(key, value);
    if (checked.ok) values[key] = checked.value;
    else errors.push(checked.error);
  }
  return { errors, values };
}

export function checkClientSetting(key: string, value: unknown): Result<string, string> {
  const setting = CLIENT_SETTINGS.find((each) => each.key === key);
  if (setting === undefined) {
    const keys = CLIENT_SETTINGS.map((each) => each.key);
    return err(`${key}: no such setting${nearest(key, keys)}`);
  }
  const shown = JSON.stringify(value);
  if (typeof value !== 'string') return err(`${key}: expected a text, got ${shown}`);
  const { oneOf, form, fallback } = setting;
  if (oneOf !== undefined && !oneOf.includes(value))
    return err(`${key}: expected one of ${oneOf.join(', ')}, got ${shown}`);
  if (form !== undefined && !(value === '' && fallback === '') && !form[0].test(value))
    return err(`${key}: expected ${form[1]}, got ${shown}`);
  return ok(value);
}

/** The commented file with the defaults. */
export function renderClientConfig(): string {
  const lines = ['# Flags of autond where they are not given. What the environment says comes before.'];
  for (const { key, fallback, comment } of CLIENT_SETTINGS)
    lines.push('', `# ${comment}`, `${key} = ${JSON.stringify(fallback)}`);
  return `${lines.join('\n')}\n`;
}
