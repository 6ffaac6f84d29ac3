import { readFile } from 'node:fs/promises';
import { CliError } from './context.ts';

/** @throws CliError that names the file. */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    throw new CliError(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}
