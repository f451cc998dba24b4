import type { CommandFacts, OptionFacts } from "../reference/command-tree.ts";

/** A script for zsh: a function for each command, options and choices with their descriptions. */
export function zshCompletion(commands: readonly CommandFacts[]): string {
  const root = { name: "lateen", commands, options: [], arguments: [] };
  return `#compdef lateen
${functionsOf("_lateen", root).join("\n")}
_lateen "$@"
`;
}

type Node = Pick<CommandFacts, "name" | "commands" | "options" | "arguments">;

function functionsOf(name: string, { commands, options, arguments: words }: Node): readonly string[] {
  const specs = options.flatMap(optionSpecs);
  if (commands.length === 0) {
    const rest = words.map(({ choices, description }) =>
      choices.length === 0
        ? quoted(`*:${escaped(description)}:_files`)
        : quoted(`*:${escaped(description)}:(${choices.join(" ")})`),
    );
    return [
      `${name}() {\n  _arguments -s${continued([...specs, ...(rest.length === 0 ? [] : rest.slice(0, 1))])}\n}\n`,
    ];
  }
  const described = commands.flatMap(({ name: first, aliases, summary }) =>
    [first, ...aliases].map((word) => `    ${quoted(`${word.replaceAll(":", "\\:")}:${summary}`)}`),
  );
  const cases = commands.map(
    ({ name: first, aliases }) => `      ${[first, ...aliases].join("|")}) ${name}_${identifier(first)} ;;`,
  );
  return [
    `${name}() {
  local line state
  local -a commands=(
${described.join("\n")}
  )
  _arguments -C${continued([...specs, "'1: :->command'", "'*:: :->rest'"])}
  case $state in
    command) _describe -t commands command commands ;;
    rest) case $words[1] in
${cases.join("\n")}
    esac ;;
  esac
}
`,
    ...commands.flatMap((command) => functionsOf(`${name}_${identifier(command.name)}`, command)),
  ];
}

function optionSpecs({ names, description, takesValue, choices }: OptionFacts): readonly string[] {
  const value = takesValue ? `:value:${choices.length === 0 ? "_files" : `(${choices.join(" ")})`}` : "";
  return names.map((name) => quoted(`*${name}[${escaped(description)}]${value}`));
}

function continued(specs: readonly string[]): string {
  return specs.map((spec) => ` \\\n    ${spec}`).join("");
}

/** What `_arguments` reads for itself. */
function escaped(text: string): string {
  return text.replaceAll(/[\\:[\]]/g, (one) => `\\${one}`);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function identifier(name: string): string {
  return name.replaceAll(/[^a-z0-9]/g, "_");
}
