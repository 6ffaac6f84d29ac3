import { stat } from 'node:fs/promises';
import { Argument, Command } from 'commander';
import { fromUtf8 } from '#core/bytes.ts';
import { toHeight } from '#core/types/brand.ts';
import { parseDecCoins } from '#runtime/coins.ts';
import {
  CLIENT_SETTINGS,
  checkClientSetting,
  readClientConfig,
  renderClientConfig,
} from '../../config/client-config.ts';
import { checkConfig, parseConfig, parseSetting } from '../../config/config.ts';
import { editSetting } from '../../config/edit.ts';
import { homePaths } from '../../config/home.ts';
import { nearest } from '../../config/nearest.ts';
import { fallbackValue, SETTINGS, type SettingValue } from '../../config/schema.ts';
import { NODE_LIMITS } from '../../limits.ts';
import { readFileBounded, replaceFileDurably } from '../../storage/durable-file.ts';
import { CliError, createOutput, homeOption, type OutputFlags, orFail, outputOption, withOptions } from '../context.ts';

interface Flags extends OutputFlags {
  readonly home: string;
}

type Values = Readonly<Record<string, SettingValue>>;

/** One of the two files. */
interface ConfigFile {
  path(home: string): string;
  /** Of a file that is not there; undefined: it must be. */
  readonly absent: string | undefined;
  readonly defaults: Values;
  read(text: string): { readonly errors: readonly string[]; readonly values: Values };
  /** A text as a value, and where it stands. The error names the setting. */
  parse(name: string, text: string): SettingValue;
  place(name: string): readonly [section: string, key: string];
}

function splitName(name: string): readonly [string, string] {
  const at = name.lastIndexOf('.');
  return at < 0 ? ['', name] : [name.slice(0, at), name.slice(at + 1)];
}

const FILES: Readonly<Record<'config' | 'client', ConfigFile>> = {
  config: {
    path: (home) => homePaths(home).config,
    absent: undefined,
    defaults: Object.fromEntries(
      SETTINGS.map((setting) => [
        setting.section === '' ? setting.key : `${setting.section}.${setting.key}`,
        fallbackValue(setting),
      ]),
    ),
    read: checkConfig,
    parse: (name, text) => orFail(parseSetting(name, text)),
    place: splitName,
  },
  client: {
    path: (home) => homePaths(home).clientConfig,
    absent: renderClientConfig(),
    defaults: Object.fromEntries(CLIENT_SETTINGS.map(({ key, fallback }) => [key, fallback])),
    read(text) {
      const { errors, values } = readClientConfig(text);
      return { errors, values: { ...this.defaults, ...values } };
    },
    parse: (name, text) => orFail(checkClientSetting(name, text)),
    place: (name) => ['', name],
  },
};

/** `app` of the Cosmos SDK stands in config.toml here. */
const fileArgument = () =>
  new Argument('<file>', 'config: config.toml, of the node; client: client.toml, of the command line').choices(
    Object.keys(FILES),
  );

const fileOf = (name: string): ConfigFile => FILES[name as keyof typeof FILES];

async function textOf(file: ConfigFile, home: string): Promise<string> {
  const path = file.path(home);
  const bytes = await readFileBounded(path, NODE_LIMITS.maxConfigFileBytes);
  if (bytes !== undefined) return fromUtf8(bytes);
  if (file.absent !== undefined) return file.absent;
  throw new CliError(`there is no ${path}: make a home with autond init`);
}

/** @throws CliError with the first thing that is wrong. */
async function valuesOf(file: ConfigFile, home: string): Promise<Values> {
  const { errors, values } = file.read(await textOf(file, home));
  if (errors[0] !== undefined) throw new CliError(`${file.path(home)}: ${errors[0]}`);
  return values;
}

function namedValue(values: Values, name: string): SettingValue {
  const value = Object.hasOwn(values, name) ? values[name] : undefined;
  if (value === undefined) throw new CliError(`${name}: no such setting${nearest(name, Object.keys(values))}`);
  return value;
}

const shown = (values: Values): string[] =>
  Object.entries(values).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);

function command(name: string, description: string): Command {
  return withOptions(new Command(name).description(description), [homeOption(), outputOption()]);
}

export function configCommand(): Command {
  return new Command('config')
    .description('settings of the node (config.toml) and of the command line (client.toml)')
    .addCommand(getCommand())
    .addCommand(setCommand())
    .addCommand(viewCommand())
    .addCommand(diffCommand())
    .addCommand(validateCommand())
    .addCommand(
      command('home', 'the folder of the node').action(({ home, output }: Flags) => {
        createOutput(output).result({ home }, [home]);
      }),
    );
}

function getCommand(): Command {
  return command('get', 'the value of a setting, the default where the file says nothing')
    .addArgument(fileArgument())
    .argument('<setting>', 'such as consensus.timeout_commit')
    .action(async (name: string, setting: string, { home, output }: Flags) => {
      const value = namedValue(await valuesOf(fileOf(name), home), setting);
      createOutput(output).result(value, [String(value)]);
    });
}

function setCommand(): Command {
  return command('set', 'change a setting in its file; comments and all others stay. A node takes it at its next start')
    .addArgument(fileArgument())
    .argument('<setting>', 'such as storage.pruning')
    .argument('<value>')
    .action(async (name: string, setting: string, text: string, { home, output }: Flags) => {
      const file = fileOf(name);
      const path = file.path(home);
      const before = await textOf(file, home);
      const value = file.parse(setting, text);
      const edited = orFail(editSetting(before, ...file.place(setting), value), path);
      await replaceFileDurably(path, edited, await permissionsOf(path));
      // What was wrong before and is not what was set may be mended next.
      for (const error of file.read(edited).errors) createOutput(output).note(`${path}: ${error}`);
      createOutput(output).result({ setting, value }, [`${setting} = ${JSON.stringify(value)}`]);
    });
}

/** Whoever has closed the file to others keeps it closed. */
const permissionsOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ mode }) => mode & 0o777,
    () => 0o644,
  );

function viewCommand(): Command {
  return command('view', 'all settings of a file, defaults included')
    .addArgument(fileArgument())
    .action(async (name: string, { home, output }: Flags) => {
      const values = await valuesOf(fileOf(name), home);
      createOutput(output).result(values, shown(values));
    });
}

function diffCommand(): Command {
  return command('diff', 'the settings that are not as by default')
    .addArgument(fileArgument())
    .action(async (name: string, { home, output }: Flags) => {
      const file = fileOf(name);
      const values = Object.entries(await valuesOf(file, home)).filter(([key, value]) => file.defaults[key] !== value);
      const differing = Object.fromEntries(values);
      createOutput(output).result(
        differing,
        values.length === 0 ? ['all settings are as by default'] : shown(differing),
      );
    });
}

/** What no setting alone can say. */
async function acrossSettings(text: string): Promise<string[]> {
  const config = parseConfig(text);
  if (!config.ok) return [];
  const { minGasPrices, stateSync } = config.value;
  const prices = parseDecCoins(minGasPrices);
  // It brings the light client with it.
  const { missingSetting } = await import('../../statesync/source.ts');
  const missing = stateSync.enable
    ? missingSetting({ ...stateSync, chainId: '', initialHeight: toHeight(1n) })
    : undefined;
  return [...(prices.ok ? [] : [`minimum_gas_prices: ${prices.error}`]), ...(missing === undefined ? [] : [missing])];
}

function validateCommand(): Command {
  return command('validate', 'everything that is wrong with both files').action(async ({ home, output }: Flags) => {
    const wrong: string[] = [];
    for (const file of Object.values(FILES)) {
      const text = await textOf(file, home);
      const errors = [...file.read(text).errors, ...(file === FILES.config ? await acrossSettings(text) : [])];
      wrong.push(...errors.map((error) => `${file.path(home)}: ${error}`));
    }
    if (wrong.length > 0) {
      createOutput(output).result({ valid: false, errors: wrong }, wrong);
      throw new CliError(wrong.length === 1 ? 'one setting is wrong' : `${wrong.length} settings are wrong`);
    }
    createOutput(output).result({ valid: true, errors: [] }, ['all settings are valid']);
  });
}
