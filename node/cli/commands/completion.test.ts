/** What the shells themselves offer. Where zsh or fish are not installed, their tests are left out, and say so. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Argument, Command, Option } from 'commander';
import { afterAll, expect, test } from 'vitest';
import { createProgram } from '../program.ts';
import { type CompletionNode, completionNodes, completionScript } from './completion.ts';

function program(): Command {
  const send = new Command('send')
    .description("one's coins: all of them")
    .option('--amount <coin>', 'how much')
    .addOption(new Option('--output <format>', 'how').choices(['text', 'json']))
    .option('-y, --yes');
  const shell = new Command('completion')
    .description('a script')
    .addArgument(new Argument('<shell>', 'which').choices(['bash', 'zsh', 'fish']));
  return new Command('autond')
    .option('--verbose')
    .addCommand(new Command('tx').description('transactions').addCommand(send))
    .addCommand(new Command('status').description('where it stands'))
    .addCommand(shell);
}

const nodes = completionNodes(program());
const folder = mkdtempSync(join(tmpdir(), 'autonomy-completion-'));
afterAll(() => rmSync(folder, { recursive: true }));

function isThere(shell: string): boolean {
  const there = spawnSync(shell, ['--version']).status === 0;
  if (!there) console.info(`${shell} is not installed: its completion is not tested`);
  return there;
}

/** Lines typed before TAB, and what must come of them in every shell. */
const CASES: readonly (readonly [typed: readonly string[], offered: readonly string[]])[] = [
  [['st'], ['status']],
  [['tx', 's'], ['send']],
  [['tx', 'send', '--am'], ['--amount']],
  [['tx', 'send', '--amount', '5', '--y'], ['--yes']],
  [
    ['tx', 'send', '--output', ''],
    ['json', 'text'],
  ],
  [['tx', 'send', '--output', 'j'], ['json']],
  [['completion', 'f'], ['fish']],
  [
    ['completion', ''],
    ['bash', 'fish', 'zsh'],
  ],
];

function byBash(script: string, words: readonly string[]): string[] {
  const asked = `${script}
COMP_WORDS=(autond ${words.map((word) => `'${word}'`).join(' ')})
COMP_CWORD=${words.length}
_autond
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', asked], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout.split('\n').filter((word) => word !== '');
}

test('bash completes commands below the command, its flags, their values and its arguments', () => {
  const script = completionScript('bash', nodes);
  for (const [typed, offered] of CASES) expect([typed, byBash(script, typed).toSorted()]).toEqual([typed, offered]);
  expect(byBash(script, [''])).toEqual(['tx', 'status', 'completion', '--verbose']);
  expect(byBash(script, ['nothing', ''])).toEqual([]);
});

test.skipIf(!isThere('fish'))('fish completes the same, with what each word is for', () => {
  const file = join(folder, 'autond.fish');
  writeFileSync(file, completionScript('fish', nodes));
  const ask = (words: readonly string[]): string[] => {
    const line = `source ${file}; complete -C '${['autond', ...words].join(' ')}'`;
    const { stdout, stderr } = spawnSync('fish', ['--no-config', '-c', line], { encoding: 'utf8', cwd: folder });
    expect(stderr).toBe('');
    return stdout.split('\n').filter((word) => word !== '');
  };
  for (const [typed, offered] of CASES)
    expect([
      typed,
      ask(typed)
        .map((line) => line.split('\t', 1)[0])
        .toSorted(),
    ]).toEqual([typed, offered]);
  expect(ask(['tx', 's'])).toEqual(["send\tone's coins: all of them"]);
});

/**
 * Types into a real zsh on a pseudo terminal of zsh's own, presses TAB, and answers the line as it then is. The word
 * that says that it is ready is typed in two pieces: a terminal may echo what it has not read yet.
 */
const ZSH_DRIVER = `
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PROMPT= PS2= ; stty -echo; unsetopt zle_bracketed_paste 2>/dev/null; source $1"
zpty -w shell 'zstyle ":completion:*" list-prompt ""; LISTMAX=10000'
zpty -w shell 'show-line() { print -r -- "<<$BUFFER>>"; zle kill-buffer }; zle -N show-line; bindkey "^G" show-line'
zpty -w shell 'print -r -- REA""DY'
typeset line seen
until [[ $seen == *READY$'\\r'* ]]; do zpty -r shell line || exit 3; seen+=$line; done
shift
for typed in "$@"; do
  zpty -w -n shell "$typed"$'\\t\\C-g'
  seen=
  until [[ $seen == *'>>'* ]]; do zpty -r shell line || exit 4; seen+=$line; done
  seen=\${seen##*'<<'}
  print -r -- \${seen%%'>>'*}
done
zpty -d shell
`;

test.skipIf(!isThere('zsh'))('zsh completes the same on a terminal', { timeout: 60_000 }, () => {
  const file = join(folder, '_autond');
  writeFileSync(file, completionScript('zsh', nodes));
  writeFileSync(join(folder, 'driver.zsh'), ZSH_DRIVER);
  // Where there is one answer only, the shell writes it; of several, it writes what they have in common.
  const single = CASES.filter(([, offered]) => offered.length === 1);
  const typed = single.map(([words]) => ['autond', ...words].join(' '));
  const { stdout, stderr, status } = spawnSync('zsh', ['-f', join(folder, 'driver.zsh'), file, ...typed], {
    encoding: 'utf8',
    cwd: folder,
    timeout: 50_000,
    env: { ...process.env, HOME: folder, TERM: 'dumb' },
  });
  expect([status, stderr]).toEqual([0, '']);
  expect(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.trimEnd()),
  ).toEqual(single.map(([words, [offered = '']]) => ['autond', ...words.slice(0, -1), offered].join(' ')));
});

test('what works on a stopped node, and settings, are offered with their values', async () => {
  const words = (all: readonly CompletionNode[], path: string) =>
    all.find((each) => each.path === path)?.words.map(({ word }) => word) ?? [];
  const all = completionNodes(await createProgram());
  expect(words(all, 'autond')).toEqual(
    expect.arrayContaining(['rollback', 'prune', 'snapshots', 'index', 'config', 'testnet']),
  );
  expect(words(all, 'autond snapshots')).toEqual(['list', 'export', 'dump', 'load', 'restore', 'delete']);
  expect(words(all, 'autond config set').slice(0, 2)).toEqual(['config', 'client']);
  expect(words(all, 'autond prune')).toEqual(expect.arrayContaining(['default', 'everything', '--min-retain-blocks']));
  const backends = all
    .find(({ path }) => path === 'autond keys add')
    ?.words.find(({ word }) => word === '--keyring-backend');
  expect(backends?.values).toEqual(['file', 'os', 'test']);
}, 60_000);

test('each script is one that its shell reads, for the whole program; fish has one line a word', {
  timeout: 60_000,
}, async () => {
  const whole = completionNodes(await createProgram());
  const checks = { bash: ['--norc', '-n'], zsh: ['-f', '-n'], fish: ['--no-config', '-n'] } as const;
  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    const script = completionScript(shell, whole);
    const file = join(folder, `whole.${shell}`);
    writeFileSync(file, script);
    if (!isThere(shell)) continue;
    const { status, stderr } = spawnSync(shell, [...checks[shell], file], { encoding: 'utf8' });
    expect([shell, status, stderr]).toEqual([shell, 0, '']);
  }
  const lines = completionScript('fish', whole).split('\n');
  const words = whole.reduce((sum, { words: all }) => sum + all.length, 0);
  expect(lines.filter((line) => line.startsWith('complete -c autond'))).toHaveLength(words);
  expect(byBash(completionScript('bash', whole), ['tx', 'multis'])).toEqual(['multisign']);
  expect(byBash(completionScript('bash', whole), ['tx', 'bank', 'send', '--keyring-backend', ''])).toContain('test');
});
