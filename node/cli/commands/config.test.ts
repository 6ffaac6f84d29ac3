import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { renderConfig } from '../../config/config.ts';
import { runProgram } from '../program.ts';

let home: string;
let out: string;
let err: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'autonomy-config-'));
  mkdirSync(join(home, 'config'));
  writeFileSync(join(home, 'config/config.toml'), renderConfig({ moniker: 'here' }));
  const write = (add: (text: string) => void) => (text: string | Uint8Array) => {
    add(String(text));
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(write((text) => (out += text)));
  vi.spyOn(process.stderr, 'write').mockImplementation(write((text) => (err += text)));
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true });
});

async function run(...args: string[]): Promise<number> {
  [out, err] = ['', ''];
  return runProgram([...args, '--home', home]);
}

const file = (name: string): string => readFileSync(join(home, 'config', name), 'utf8');

test('get, set, view, diff and home of the node', async () => {
  expect([await run('config', 'get', 'config', 'p2p.pex'), out]).toEqual([0, 'true\n']);
  expect([await run('config', 'get', 'config', 'moniker', '-o', 'json'), out]).toEqual([0, '"here"\n']);
  expect(await run('config', 'set', 'config', 'consensus.timeout_commit', '5s')).toBe(0);
  expect(await run('config', 'set', 'config', 'p2p.max_num_inbound_peers', '7', '-o', 'json')).toBe(0);
  expect(JSON.parse(out)).toEqual({ setting: 'p2p.max_num_inbound_peers', value: 7 });
  expect(file('config.toml')).toContain(
    '# Pause after a commit: sets the time between blocks.\ntimeout_commit = "5s"\n',
  );
  expect([await run('config', 'diff', 'config'), out]).toEqual([
    0,
    'moniker = "here"\np2p.max_num_inbound_peers = 7\nconsensus.timeout_commit = "5s"\n',
  ]);
  expect(await run('config', 'view', 'config', '-o', 'json')).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ 'storage.pruning': 'default', 'consensus.timeout_commit': '5s' });
  expect([await run('config', 'home'), out]).toEqual([0, `${home}\n`]);
});

test('a file that is closed to others stays so', async () => {
  const path = join(home, 'config/config.toml');
  chmodSync(path, 0o600);
  expect(await run('config', 'set', 'config', 'p2p.pex', 'false')).toBe(0);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('what is wrong is named, with what was expected, and nothing is written', async () => {
  const before = file('config.toml');
  const refused = async (...args: string[]): Promise<string> => {
    expect(await run('config', ...args)).not.toBe(0);
    expect(file('config.toml')).toBe(before);
    return err;
  };
  expect(await refused('get', 'config', 'p2p.peks')).toContain('p2p.peks: no such setting, did you mean p2p.pex?');
  expect(await refused('set', 'config', 'storage.prunning', 'x')).toContain('did you mean storage.pruning?');
  expect(await refused('set', 'config', 'storage.pruning', 'some')).toContain(
    'storage.pruning: expected one of default, nothing',
  );
  expect(await refused('set', 'config', 'p2p.pex', 'yes')).toContain('p2p.pex: expected true or false, got "yes"');
  expect(await refused('get', 'app', 'pruning')).toContain('Allowed choices are config, client');
  expect(await refused('set', 'client', 'output', 'yaml')).toContain('output: expected one of text, json, got "yaml"');
});

test('validate says everything that is wrong with both files', async () => {
  expect([await run('config', 'validate'), out]).toEqual([0, 'all settings are valid\n']);
  const text = file('config.toml')
    .replace('pex = true', 'pex = 1')
    .replace('minimum_gas_prices = ""', 'minimum_gas_prices = "much"');
  writeFileSync(join(home, 'config/config.toml'), `${text}\nenabld = 1\n`);
  writeFileSync(join(home, 'config/client.toml'), 'nod = "x"\noutput = 3\n');
  expect(await run('config', 'validate', '-o', 'json')).toBe(1);
  const { errors } = JSON.parse(out) as { errors: string[] };
  expect(errors.map((error) => error.slice(home.length))).toEqual([
    '/config/config.toml: tx_index.enabld: no such setting, did you mean tx_index.enabled?',
    '/config/config.toml: p2p.pex: expected true or false, got 1',
    '/config/client.toml: nod: no such setting, did you mean node?',
    '/config/client.toml: output: expected a text, got 3',
  ]);
  expect(err).toContain('4 settings are wrong');
  // Across settings only what is right by itself is judged.
  writeFileSync(
    join(home, 'config/config.toml'),
    text.replace('pex = 1', 'pex = true').replace('enable = false', 'enable = true'),
  );
  expect(await run('config', 'validate')).toBe(1);
  expect(out).toMatch(/minimum_gas_prices: .*\n.*statesync\.rpc_servers: expected the RPC of at least two/);
});

test('client.toml stands for flags that are not given; flags and the environment come before it', async () => {
  expect(await run('config', 'set', 'client', 'output', 'json')).toBe(0);
  expect(file('client.toml')).toContain('# How results are printed.\noutput = "json"\n');
  expect(await run('config', 'set', 'client', 'keyring-backend', 'test')).toBe(0);
  expect([await run('keys', 'add', 'alice'), JSON.parse(out).name]).toEqual([0, 'alice']);
  expect(readFileSync(join(home, 'keyring-test/alice.json'), 'utf8')).toContain('plain');
  expect([await run('keys', 'show', 'alice', '-o', 'text'), out.startsWith('alice\n')]).toEqual([0, true]);
  expect(await run('config', 'set', 'client', 'node', 'http://127.0.0.1:9')).toBe(0);
  for (const asked of [['status'], ['query', 'mint', 'params'], ['query', 'block']]) {
    expect(await run(...asked)).toBe(1);
    expect(err).toContain('no answer from http://127.0.0.1:9');
  }
  vi.stubEnv('AUTOND_HOME', home);
  expect(await runProgram(['status'])).toBe(1);
  expect(err).toContain('no answer from http://127.0.0.1:9');
  vi.stubEnv('AUTOND_NODE', 'http://127.0.0.1:7');
  expect(await runProgram(['status'])).toBe(1);
  expect(err).toContain('no answer from http://127.0.0.1:7');
  expect(await runProgram(['status', '--node', 'http://127.0.0.1:5'])).toBe(1);
  expect(err).toContain('no answer from http://127.0.0.1:5');
  writeFileSync(join(home, 'config/client.toml'), 'output = "loud"\n');
  expect(await run('keys', 'list')).toBe(1);
  expect(err).toContain('config/client.toml: output: expected one of text, json, got "loud"');
  expect(await run('config', 'set', 'client', 'output', 'text')).toBe(0);
  expect(await run('keys', 'list')).toBe(0);
});
