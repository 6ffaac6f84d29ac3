import { Argument, Command } from 'commander';

/** One command of the tree, as the shells see it. */
export interface CompletionNode {
  /** Names from the program on: `autond tx bank send`. */
  readonly path: string;
  readonly words: readonly { readonly word: string; readonly about: string }[];
}

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

/** What may follow each command: the commands below it, and its flags. */
export function completionNodes(program: Command): readonly CompletionNode[] {
  const nodes: CompletionNode[] = [];
  const visit = (command: Command, path: string): void => {
    const words = [
      ...command.commands.map((child) => ({ word: child.name(), about: child.description() })),
      ...command.options.flatMap(({ long, description }) =>
        long === undefined || long === null ? [] : [{ word: long, about: description }],
      ),
    ];
    nodes.push({ path, words });
    for (const child of command.commands) visit(child, `${path} ${child.name()}`);
  };
  visit(program, program.name());
  return nodes;
}

/** A text in single quotes, as every POSIX shell and fish read it. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''").replaceAll('\n', ' ')}'`;
}

/** One script for bash and zsh, which reads bash's completions when it is asked to. */
function bashScript(nodes: readonly CompletionNode[], zsh: boolean): string {
  const cases = nodes.map(
    ({ path, words }) => `    ${quoted(path)}) words=${quoted(words.map(({ word }) => word).join(' '))} ;;`,
  );
  return [
    ...(zsh ? ['autoload -U +X compinit && compinit', 'autoload -U +X bashcompinit && bashcompinit'] : []),
    '_autond() {',
    '  local path=autond word words',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's
    '  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
    '    case "$word" in -*) break ;; *) path="$path $word" ;; esac',
    '  done',
    '  case "$path" in',
    ...cases,
    '    *) words= ;;',
    '  esac',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's
    '  COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))',
    '}',
    'complete -o default -F _autond autond',
    '',
  ].join('\n');
}

function fishScript(nodes: readonly CompletionNode[]): string {
  return [
    '# The words before the cursor, without flags, are the command.',
    'function __autond_path',
    '  set -l path autond',
    '  for word in (commandline -opc)[2..-1]',
    "    string match -q -- '-*' $word; and break",
    '    set path "$path $word"',
    '  end',
    '  echo $path',
    'end',
    ...nodes.flatMap(({ path, words }) =>
      words.map(({ word, about }) => {
        const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-f -a ${quoted(word)}`;
        return `complete -c autond -n ${quoted(`test (__autond_path) = '${path}'`)} ${what} -d ${quoted(about)}`;
      }),
    ),
    '',
  ].join('\n');
}

export function completionScript(shell: Shell, nodes: readonly CompletionNode[]): string {
  switch (shell) {
    case 'bash':
      return bashScript(nodes, false);
    case 'zsh':
      return bashScript(nodes, true);
    case 'fish':
      return fishScript(nodes);
  }
}

/** @param program all commands, made when they are asked for. */
export function completionCommand(program: () => Promise<Command>): Command {
  return new Command('completion')
    .description('a script that lets the shell complete autond: source <(autond completion bash)')
    .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
    .action(async (shell: Shell) => {
      process.stdout.write(completionScript(shell, completionNodes(await program())));
    });
}
