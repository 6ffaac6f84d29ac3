import { spawnSync } from 'node:child_process';
import { Command } from 'commander';
import { expect, test } from 'vitest';
import { completionNodes, completionScript } from './completion.ts';

function program(): Command {
  const send = new Command('send').description("one's coins").option('--amount <coin>', 'how much').option('-y, --yes');
  return new Command('autond')
    .option('--verbose')
    .addCommand(new Command('tx').description('transactions').addCommand(send))
    .addCommand(new Command('status').description('where it stands'));
}

const nodes = completionNodes(program());

/** What bash offers for the last of these words. */
function offered(...words: readonly string[]): string {
  const script = `${completionScript('bash', nodes)}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')})
COMP_CWORD=${words.length - 1}
_autond
echo "\${COMPREPLY[*]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout.trim();
}

test('bash completes commands below the command, and its flags', () => {
  expect(offered('autond', '')).toBe('tx status --verbose');
  expect(offered('autond', 'st')).toBe('status');
  expect(offered('autond', 'tx', 's')).toBe('send');
  expect(offered('autond', 'tx', 'send', '--')).toBe('--amount --yes');
  expect(offered('autond', 'tx', 'send', '--amount', '5', '--y')).toBe('--yes');
  expect(offered('autond', 'nothing', '')).toBe('');
});

test('zsh takes the same functions, fish has one line a word, and no description ends a quotation', () => {
  expect(completionScript('zsh', nodes)).toContain('bashcompinit');
  const fish = completionScript('fish', nodes).split('\n');
  const words = nodes.reduce((sum, { words: all }) => sum + all.length, 0);
  expect(fish.filter((line) => line.startsWith('complete -c autond'))).toHaveLength(words);
  expect(fish.find((line) => line.includes("-a 'send'"))).toContain("-d 'one'\\''s coins'");
});
