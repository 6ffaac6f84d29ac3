import { Argument, Command } from 'commander';

export interface CompletionWord {
  readonly word: string;
  readonly about: string;
  /** Of a flag that takes a value: those that it may have; none when it may be anything. Undefined: it takes none. */
  readonly values?: readonly string[];
}

/** One command of the tree, as the shells see it. */
export interface CompletionNode {
  /** Names from the program on: `autond tx bank send`. */
  readonly path: string;
  readonly words: readonly CompletionWord[];
}

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

/** What may follow each command: the commands below it, what its arguments may be, and its flags. */
export function completionNodes(program: Command): readonly CompletionNode[] {
  const nodes: CompletionNode[] = [];
  const visit = (command: Command, path: string): void => {
    const words = [
      ...command.commands.map((child) => ({ word: child.name(), about: child.description() })),
      ...command.registeredArguments.flatMap(({ argChoices = [], description }) =>
        argChoices.map((word) => ({ word, about: description })),
      ),
      ...command.options.flatMap(({ long, description, required, argChoices }): CompletionWord[] => {
        if (long === undefined || long === null) return [];
        return [{ word: long, about: description, ...(required ? { values: argChoices ?? [] } : {}) }];
      }),
    ];
    nodes.push({ path, words });
    for (const child of command.commands) visit(child, `${path} ${child.name()}`);
  };
  visit(program, program.name());
  return nodes;
}

/** The values of each flag that has a choice of them: the same flag means the same wherever it is. */
function choicesOf(nodes: readonly CompletionNode[]): readonly (readonly [flag: string, values: readonly string[]])[] {
  const choices = new Map<string, Set<string>>();
  for (const { words } of nodes)
    for (const { word, values = [] } of words)
      if (values.length > 0) choices.set(word, new Set([...(choices.get(word) ?? []), ...values]));
  return [...choices].map(([flag, values]) => [flag, [...values]]);
}

/** A text in single quotes, as every POSIX shell and fish read it. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''").replaceAll('\n', ' ')}'`;
}

function bashScript(nodes: readonly CompletionNode[]): string {
  const listed = (words: readonly string[]) => quoted(words.join(' '));
  return [
    '_autond() {',
    '  local command=autond word offered before',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's
    '  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
    '    case "$word" in -*) break ;; *) command="$command $word" ;; esac',
    '  done',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's
    '  before="${COMP_WORDS[COMP_CWORD-1]}"',
    '  case "$before" in',
    ...choicesOf(nodes).map(([flag, values]) => `    ${flag}) offered=${listed(values)} ;;`),
    '    *)',
    '      case "$command" in',
    ...nodes.map(({ path, words }) => `        ${quoted(path)}) offered=${listed(words.map(({ word }) => word))} ;;`),
    '        *) offered= ;;',
    '      esac ;;',
    '  esac',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's
    '  COMPREPLY=($(compgen -W "$offered" -- "${COMP_WORDS[COMP_CWORD]}"))',
    '}',
    'complete -o default -F _autond autond',
    '',
  ].join('\n');
}

function zshScript(nodes: readonly CompletionNode[]): string {
  // A colon parts a word from what is said about it.
  const described = ({ word, about }: CompletionWord) => quoted(about === '' ? word : `${word}:${about}`);
  return [
    '#compdef autond',
    '_autond() {',
    '  local command=autond word',
    '  local -a offered',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's
    '  for word in "${(@)words[2,CURRENT-1]}"; do',
    '    [[ $word == -* ]] && break',
    '    command="$command $word"',
    '  done',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's
    '  case "${words[CURRENT-1]}" in',
    ...choicesOf(nodes).map(([flag, values]) => `    ${flag}) offered=(${values.map(quoted).join(' ')}) ;;`),
    '    *)',
    '      case "$command" in',
    ...nodes.map(({ path, words }) => `        ${quoted(path)}) offered=(${words.map(described).join(' ')}) ;;`),
    '      esac ;;',
    '  esac',
    '  if (( $#offered )); then _describe autond offered; else _files; fi',
    '}',
    '(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -u }',
    'compdef _autond autond',
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
      words.map((word) => {
        const where = `complete -c autond -n ${quoted(`test (__autond_path) = '${path}'`)}`;
        return `${where} ${fishWord(word)} -d ${quoted(word.about)}`;
      }),
    ),
    '',
  ].join('\n');
}

function fishWord({ word, values }: CompletionWord): string {
  if (!word.startsWith('--')) return `-f -a ${quoted(word)}`;
  const flag = `-l ${word.slice(2)}`;
  if (values === undefined) return flag;
  return values.length === 0 ? `${flag} -r` : `${flag} -x -a ${quoted(values.join(' '))}`;
}

export function completionScript(shell: Shell, nodes: readonly CompletionNode[]): string {
  switch (shell) {
    case 'bash':
      return bashScript(nodes);
    case 'zsh':
      return zshScript(nodes);
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
