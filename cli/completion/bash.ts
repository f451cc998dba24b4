import type { CommandFacts, OptionFacts } from "../reference/command-tree.ts";

/**
 * A script for bash that completes commands, options and their choices; whatever else is a file, as `complete -o default`
 * has it. It needs nothing of the package bash-completion.
 */
export function bashCompletion(commands: readonly CommandFacts[]): string {
  const all = placed("lateen", commands);
  return `# bash completion for lateen
_lateen() {
  local word at=lateen current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD - 1]}" words=
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do
    case "$at $word" in
${all.map(({ at, spellings }) => `      ${spellings.map(quoted).join(" | ")}) at=${quoted(at)} ;;\n`).join("")}    esac
  done
  case "$at $previous" in
${all.flatMap(({ at, command }) => command.options.flatMap((option) => values(at, option))).join("")}  esac
  case "$at" in
    lateen) words=${quoted([...names(commands), "--help", "--version"].join(" "))} ;;
${all.map(({ at, command }) => `    ${quoted(at)}) words=${quoted(wordsOf(command).join(" "))} ;;\n`).join("")}  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _lateen lateen
`;
}

interface Placed {
  /** `lateen ca prepare`. */
  readonly at: string;
  /** The same with each of the command's names. */
  readonly spellings: readonly string[];
  readonly command: CommandFacts;
}

function placed(at: string, commands: readonly CommandFacts[]): readonly Placed[] {
  return commands.flatMap((command) => {
    const own = `${at} ${command.name}`;
    const spellings = [command.name, ...command.aliases].map((name) => `${at} ${name}`);
    return [{ at: own, spellings, command }, ...placed(own, command.commands)];
  });
}

/** What comes after an option that takes a value: one of its choices, or nothing that we know. */
function values(at: string, { takesValue, names: spellings, choices }: OptionFacts): readonly string[] {
  if (!takesValue) return [];
  const patterns = spellings.map((name) => quoted(`${at} ${name}`)).join(" | ");
  const reply =
    choices.length === 0
      ? "return"
      : `COMPREPLY=($(compgen -W ${quoted(choices.join(" "))} -- "$current")); return`;
  return [`    ${patterns}) ${reply} ;;\n`];
}

function wordsOf(command: CommandFacts): readonly string[] {
  return [
    ...names(command.commands),
    ...command.arguments.flatMap(({ choices }) => choices),
    ...command.options.flatMap((option) => option.names.filter((name) => name.startsWith("--"))),
  ];
}

function names(commands: readonly CommandFacts[]): readonly string[] {
  return commands.flatMap(({ name, aliases }) => [name, ...aliases]);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
