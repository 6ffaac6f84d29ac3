/**
 * Where the operating system keeps secrets: the Secret Service of freedesktop.org (GNOME Keyring, KWallet and others), through
 * libsecret's program `secret-tool`. Others have no adapter yet.
 */
import { spawn } from 'node:child_process';
import { err, ok, type Result } from '#core/result.ts';
import { NODE_LIMITS } from '../limits.ts';

/** Texts by id. A failure is a sentence for the user. */
export interface Vault {
  /** Replaces what is there. `label` is shown to people. */
  store(id: string, label: string, secret: string): Promise<Result<true, string>>;
  /** `undefined`: there is none of this id. */
  lookup(id: string): Promise<Result<string | undefined, string>>;
  /** Done when there is none afterwards. */
  clear(id: string): Promise<Result<true, string>>;
}

const PROGRAM = 'secret-tool';
const INSTEAD = '--keyring-backend file needs no such thing';

export interface VaultEnvironment {
  readonly platform: NodeJS.Platform;
  readonly env: NodeJS.ProcessEnv;
}

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export function secretService({ platform, env }: VaultEnvironment): Vault {
  async function run(args: readonly string[], input: string): Promise<Result<Ran, string>> {
    if (platform === 'win32' || platform === 'darwin')
      return err(`keyring backend os: of ${platform} no keychain is supported; ${INSTEAD}`);
    const ran = await runProgram(PROGRAM, args, input, env);
    if (ran === 'absent')
      return err(`keyring backend os: the program ${PROGRAM} is not installed (libsecret-tools on Debian); ${INSTEAD}`);
    if (ran === 'silent') return err(`keyring backend os: ${PROGRAM} has not answered in time; ${INSTEAD}`);
    return ok(ran);
  }

  const failed = ({ code, err: said }: Ran): Result<never, string> =>
    err(`keyring backend os: the Secret Service refuses: ${said.trim() || `exit code ${code}`}; ${INSTEAD}`);
  const attributes = (id: string): string[] => ['service', 'autond', 'key', id];

  /** The program says as little of what is locked as of what is not there; its search shows both kinds, locked ones bare. */
  async function absent(id: string): Promise<Result<true, string>> {
    const ran = await run(['search', ...attributes(id)], '');
    if (!ran.ok) return ran;
    if (ran.value.out.trim() === '') return ok(true);
    return err('keyring backend os: the Secret Service keeps it locked: unlock the keyring of this user first');
  }

  return {
    async store(id, label, secret) {
      const ran = await run(['store', `--label=${label}`, ...attributes(id)], secret);
      if (!ran.ok) return ran;
      return ran.value.code === 0 ? ok(true) : failed(ran.value);
    },
    async lookup(id) {
      const ran = await run(['lookup', ...attributes(id)], '');
      if (!ran.ok) return ran;
      const { code, out, err: said } = ran.value;
      if (code === 0) return ok(out.trim());
      if (said.trim() !== '') return failed(ran.value);
      const none = await absent(id);
      return none.ok ? ok(undefined) : none;
    },
    async clear(id) {
      const ran = await run(['clear', ...attributes(id)], '');
      if (!ran.ok) return ran;
      if (ran.value.code === 0) return ok(true);
      return ran.value.err.trim() === '' ? absent(id) : failed(ran.value);
    },
  };
}

function runProgram(
  program: string,
  args: readonly string[],
  input: string,
  env: NodeJS.ProcessEnv,
): Promise<Ran | 'absent' | 'silent'> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env });
    let [out, said] = ['', ''];
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, NODE_LIMITS.vaultTimeoutMs);
    child.stdout.on('data', (chunk) => {
      out += String(chunk);
    });
    child.stderr.on('data', (chunk) => {
      said += String(chunk);
    });
    child.stdin.on('error', () => {
      // It may end before it has read.
    });
    child.once('error', (error) => {
      clearTimeout(timer);
      if ('code' in error && error.code === 'ENOENT') resolve('absent');
      else reject(error);
    });
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve(late ? 'silent' : { code, out, err: said });
    });
    child.stdin.end(input);
  });
}
