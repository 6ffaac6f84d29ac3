import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { createOutput, type OutputFlags, outputOption, withOptions } from '../context.ts';

/** The version in package.json, which lies beside the sources and in the published package. */
export function programVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return manifest.version;
}

export function versionCommand(): Command {
  const command = new Command('version').description('version of this program');
  return withOptions(command, [outputOption()]).action((flags: OutputFlags) => {
    const version = programVersion();
    createOutput(flags.output).result({ name: 'autond', version, node: process.version }, [version]);
  });
}
