import type { Command } from 'commander';
import { fromUtf8 } from '#core/bytes.ts';
import { readClientConfig } from '../config/client-config.ts';
import { homePaths } from '../config/home.ts';
import { NODE_LIMITS } from '../limits.ts';
import { readFileBounded } from '../storage/durable-file.ts';
import { CliError, defaultHome } from './context.ts';

/** Settings whose flag means something else elsewhere, and the commands where it is the one. */
const ONLY_BELOW: Readonly<Record<string, readonly string[]>> = { 'chain-id': ['tx'] };
/** What the environment says comes before the file. */
const ENVIRONMENT: Readonly<Record<string, string>> = { node: 'AUTOND_NODE' };

/** Gives the flags of `command` that were not given the values of client.toml. @throws CliError when it is wrong. */
export async function applyClientConfig(command: Command): Promise<void> {
  const top = topOf(command);
  // Where it is mended.
  if (top === 'config') return;
  const home = typeof command.opts().home === 'string' ? String(command.opts().home) : defaultHome();
  const path = homePaths(home).clientConfig;
  const bytes = await readFileBounded(path, NODE_LIMITS.maxConfigFileBytes);
  if (bytes === undefined) return;
  const { errors, values } = readClientConfig(fromUtf8(bytes));
  if (errors[0] !== undefined) throw new CliError(`${path}: ${errors[0]}`);
  for (const option of command.options) {
    const name = option.long?.slice(2) ?? '';
    const value = values[name];
    if (value === undefined || value === '' || process.env[ENVIRONMENT[name] ?? ''] !== undefined) continue;
    if (ONLY_BELOW[name]?.includes(top) === false) continue;
    const attribute = option.attributeName();
    const source = command.getOptionValueSource(attribute);
    if (source === undefined || source === 'default') command.setOptionValueWithSource(attribute, value, 'config');
  }
}

/** The command right below the program. */
function topOf(command: Command): string {
  let [top, above] = [command, command.parent];
  while (above !== null && above.parent !== null) [top, above] = [above, above.parent];
  return top.name();
}
