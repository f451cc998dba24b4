import type { ArgumentFacts, CommandFacts, OptionFacts } from "../reference/command-tree.ts";

/** A script for fish: each command, option and choice with its description. */
export function fishCompletion(commands: readonly CommandFacts[]): string {
  const rules = [...subcommands([], commands), ...commands.flatMap((command) => rulesOf([], command))];
  return `# fish completion for lateen

# Whether the words before the cursor, options left out, begin with these: alternatives of one place are joined by commas.
function __lateen_at
  set -l words (string match --invert -- '-*' (commandline --cut-at-cursor --tokenize --current-process)[2..])
  test (count $words) -ge (count $argv); or return 1
  for index in (seq (count $argv))
    contains -- $words[$index] (string split , -- $argv[$index]); or return 1
  end
end

function __lateen_exactly
  set -l words (string match --invert -- '-*' (commandline --cut-at-cursor --tokenize --current-process)[2..])
  test (count $words) -eq (count $argv); and __lateen_at $argv
end

${rules.map((rule) => `complete -c lateen ${rule}\n`).join("")}`;
}

function rulesOf(above: readonly string[], command: CommandFacts): readonly string[] {
  const place = [...above, [command.name, ...command.aliases].join(",")];
  return [
    ...subcommands(place, command.commands),
    ...command.arguments.flatMap((argument) => argumentRule(place, argument)),
    ...command.options.map((option) => optionRule(place, option)),
    ...command.commands.flatMap((sub) => rulesOf(place, sub)),
  ];
}

function subcommands(place: readonly string[], commands: readonly CommandFacts[]): readonly string[] {
  return commands.flatMap(({ name, aliases, summary }) =>
    [name, ...aliases].map(
      (word) => `-n ${condition("exactly", place)} -f -a ${quoted(word)} -d ${quoted(summary)}`,
    ),
  );
}

function argumentRule(place: readonly string[], { choices, description }: ArgumentFacts): readonly string[] {
  if (choices.length === 0) return [];
  return [`-n ${condition("at", place)} -f -a ${quoted(choices.join(" "))} -d ${quoted(description)}`];
}

function optionRule(place: readonly string[], option: OptionFacts): string {
  const spelled = option.names.map((name) =>
    name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`,
  );
  const value = option.takesValue ? ["-r"] : [];
  const choices = option.choices.length === 0 ? [] : [`-f -a ${quoted(option.choices.join(" "))}`];
  const parts = [...spelled, ...value, ...choices, `-d ${quoted(option.description)}`];
  return `-n ${condition("at", place)} ${parts.join(" ")}`;
}

function condition(kind: "at" | "exactly", place: readonly string[]): string {
  return quoted([`__lateen_${kind}`, ...place].join(" "));
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", String.raw`\'`)}'`;
}
