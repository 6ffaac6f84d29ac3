import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { fromHex, toHex } from '#core/bytes.ts';
import { err, ok } from '#core/result.ts';
import { openKeyring } from './keyring.ts';
import { secretService, type Vault } from './vault.ts';

const root = mkdtempSync(join(tmpdir(), 'autonomy-vault-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const secret = fromHex('5a'.repeat(32));

function memoryVault(held = new Map<string, string>()): Vault & { readonly held: Map<string, string> } {
  return {
    held,
    async store(id, _, text) {
      held.set(id, text);
      return ok(true);
    },
    lookup: async (id) => ok(held.get(id)),
    async clear(id) {
      held.delete(id);
      return ok(true);
    },
  };
}

const ringOf = (name: string, vault: Vault) =>
  openKeyring(
    { backend: 'os', folder: join(root, name) },
    {
      async password() {
        throw new Error('nobody is asked');
      },
      vault,
    },
  );

test('os: the secret is in the vault alone, opens from there, and goes with its key', async () => {
  const vault = memoryVault();
  const ring = ringOf('life', vault);
  expect((await ring.add('alice', secret)).ok).toBe(true);
  expect(vault.held.size).toBe(1);
  const text = readFileSync(join(root, 'life', 'alice.json'), 'utf8');
  expect(text).not.toContain([...vault.held.values()][0]);
  const opened = await ring.unlock('alice');
  expect(opened.ok && toHex(opened.value.privateKey)).toBe('5a'.repeat(32));
  expect(await ringOf('life', memoryVault()).unlock('alice')).toEqual({
    ok: false,
    error: "key alice: its secret is not in the operating system's keyring of this user",
  });
  for (const wrong of ['!', 'AAAA', `${'A'.repeat(43)}=`]) {
    const changed = memoryVault(new Map([...vault.held].map(([id]) => [id, wrong])));
    const result = await ringOf('life', changed)
      .unlock('alice')
      .catch(() => 'thrown');
    expect(result).toMatchObject({ ok: false });
  }
  expect((await ring.remove('alice')).ok).toBe(true);
  expect([vault.held.size, (await ring.list()).length]).toEqual([0, 0]);
});

test('os: a vault that refuses, or loses what it was given, leaves no key behind', async () => {
  const refusing: Vault = { ...memoryVault(), store: async () => err('it is locked') };
  expect(await ringOf('refused', refusing).add('alice', secret)).toEqual({ ok: false, error: 'it is locked' });
  const losing: Vault = { ...memoryVault(), lookup: async () => ok(undefined) };
  expect(await ringOf('refused', losing).add('alice', secret)).toMatchObject({ ok: false });
  expect(await ringOf('refused', memoryVault()).list()).toEqual([]);
});

test('where there is no such keyring, the error says what is missing and what to take instead', async () => {
  const file = expect.stringContaining('--keyring-backend file needs no such thing');
  const without = await secretService({ platform: 'linux', env: { PATH: root } }).lookup('x');
  expect(without).toEqual({ ok: false, error: file });
  expect(without).toMatchObject({ error: expect.stringContaining('secret-tool is not installed') });
  const apple = await secretService({ platform: 'darwin', env: process.env }).store('x', 'y', 'z');
  expect(apple).toMatchObject({ ok: false, error: expect.stringContaining('of darwin no keychain is supported') });
  const refusing = join(root, 'refusing');
  execFileSync('mkdir', [refusing]);
  writeFileSync(join(refusing, 'secret-tool'), '#!/bin/sh\necho "Cannot autolaunch D-Bus" >&2\nexit 1\n');
  chmodSync(join(refusing, 'secret-tool'), 0o755);
  const vault = secretService({ platform: 'linux', env: { PATH: `${refusing}:/bin:/usr/bin` } });
  for (const result of [await vault.lookup('x'), await vault.store('x', 'y', 'z'), await vault.clear('x')])
    expect(result).toMatchObject({ ok: false, error: expect.stringContaining('refuses: Cannot autolaunch D-Bus') });
});

test('what is locked is neither taken for absent nor for deleted', async () => {
  // As secret-tool 0.20 and GNOME Keyring answer.
  const withSearch = (name: string, search: string) => {
    const folder = join(root, name);
    execFileSync('mkdir', [folder]);
    writeFileSync(join(folder, 'secret-tool'), `#!/bin/sh\n[ "$1" = search ] || exit 1\n${search}\n`);
    chmodSync(join(folder, 'secret-tool'), 0o755);
    return secretService({ platform: 'linux', env: { PATH: `${folder}:/bin:/usr/bin` } });
  };
  const locked = withSearch(
    'locked',
    'echo "[/1]"; echo "label = x"; echo "secret-tool: Cannot get secret of a locked object" >&2',
  );
  for (const result of [await locked.lookup('x'), await locked.clear('x')])
    expect(result).toMatchObject({
      ok: false,
      error: expect.stringContaining('unlock the keyring of this user first'),
    });
  const empty = withSearch('empty', 'exit 0');
  expect([await empty.lookup('x'), await empty.clear('x')]).toEqual([
    { ok: true, value: undefined },
    { ok: true, value: true },
  ]);
});

const needed = ['dbus-run-session', 'gnome-keyring-daemon', 'secret-tool'];
const missing = needed.filter((program) => spawnSync('which', [program]).status !== 0);
if (missing.length > 0) console.log(`the real Secret Service is not tested: there is no ${missing.join(', no ')}`);

const AUTOND = fileURLToPath(new URL('../cli/autond.ts', import.meta.url));

/** Runs a script in a session of its own, with GNOME Keyring unlocked by a password; what it keeps is below `root`. */
function inSession(script: string, password = 'of the session'): { status: number | null; out: string; err: string } {
  const home = join(root, 'desktop');
  const unlock = 'printf %s "$PASSWORD" | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1';
  const ran = spawnSync('dbus-run-session', ['--', 'sh', '-c', `${unlock}; ${script}`], {
    encoding: 'utf8',
    env: {
      ...process.env,
      HOME: home,
      XDG_DATA_HOME: join(home, 'data'),
      XDG_RUNTIME_DIR: home,
      PASSWORD: password,
      AUTOND_HOME: join(home, 'autond'),
    },
  });
  return { status: ran.status, out: ran.stdout, err: ran.stderr };
}

test.skipIf(missing.length > 0)(
  'in a real session: a key is kept, found in the next session, exported, and gone when deleted',
  () => {
    execFileSync('mkdir', ['-p', join(root, 'desktop'), '-m', '700']);
    const autond = `"${process.execPath}" "${AUTOND}"`;
    const os = '--keyring-backend os';
    const added = inSession(`${autond} keys add alice ${os} -o json`);
    expect(added).toMatchObject({ status: 0 });
    const { address } = JSON.parse(added.out) as { address: string };
    const file = readFileSync(join(root, 'desktop/autond/keyring-os/alice.json'), 'utf8');
    expect(JSON.parse(file).secret).toEqual({ vault: 'secret-service', id: expect.stringMatching(/^[0-9a-f]{32}$/) });
    const bare = `${autond} keys export alice --unarmored-hex --unsafe ${os}`;
    const next = inSession(
      `${autond} keys show alice -a ${os} && ${bare} && ${autond} keys delete alice -y ${os} && secret-tool search --all service autond`,
    );
    const [shown, hex] = next.out.split('\n');
    expect([shown, hex]).toEqual([address, expect.stringMatching(/^[0-9a-f]{64}$/)]);
    // Nothing is left to be found.
    expect(`${next.out}${next.err}`).not.toContain('secret =');
    const without = spawnSync(process.execPath, [AUTOND, 'keys', 'add', 'bob', '--keyring-backend', 'os'], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, HOME: join(root, 'nobody') },
    });
    expect(without).toMatchObject({ status: 1, stderr: expect.stringContaining('--keyring-backend file') });
  },
  120_000,
);
