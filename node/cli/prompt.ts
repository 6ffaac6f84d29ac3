import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';

const MIN_PASSWORD = 8;

/** A new password that will not do: its message is for the user. */
class PasswordError extends Error {
  override readonly name = 'PasswordError';
}

let piped: Promise<string[]> | undefined;

/** Lines of a standard input that is no terminal, read once. */
async function pipedLine(): Promise<string> {
  piped ??= (async () => {
    let text = '';
    for await (const chunk of process.stdin) text += String(chunk);
    return text.split('\n');
  })();
  return (await piped).shift() ?? '';
}

async function ask(prompt: string, hidden: boolean): Promise<string> {
  if (!process.stdin.isTTY) return pipedLine();
  process.stderr.write(`${prompt}: `);
  const output = hidden ? new Writable({ write: (_chunk, _encoding, done) => done() }) : process.stderr;
  const terminal = createInterface({ input: process.stdin, output, terminal: true });
  try {
    return await terminal.question('');
  } finally {
    terminal.close();
    if (hidden) process.stderr.write('\n');
  }
}

/** One line from the terminal, or the next line of standard input. */
export function readLine(prompt: string): Promise<string> {
  return ask(prompt, false);
}

/**
 * A password, not echoed: from the environment's `variable`, the terminal, or a line of standard input.
 * @throws PasswordError when a new one is too short or not repeated.
 */
export async function readPassword(prompt: string, confirm: boolean, variable = 'AUTOND_PASSWORD'): Promise<string> {
  const given = process.env[variable];
  const password = given ?? (await ask(prompt, true));
  if (confirm && password.length < MIN_PASSWORD)
    throw new PasswordError(`the password needs at least ${MIN_PASSWORD} characters, got ${password.length}`);
  if (confirm && given === undefined && process.stdin.isTTY && (await ask('Once more', true)) !== password)
    throw new PasswordError('the two passwords differ');
  return password;
}
