import type { Command } from "commander";

/** Output formats that HashiCorp's tools spell as flags of their own. */
const FORMAT_FLAG = /^--?(json|yaml|wide)$/;

/**
 * Takes what Nomad's and Consul's users have in the fingers: long flags with one dash (`-namespace x`, `-dry-run=server`)
 * and `-json` for `-o json`. Only flags that the command has are touched; what follows `--` never is.
 */
export function acceptSingleDash(argv: readonly string[], command: Command): readonly string[] {
  const known = new Set<string>(["--help"]);
  collectLongFlags(command, known);
  const end = argv.includes("--") ? argv.indexOf("--") : argv.length;
  const taken = argv.slice(0, end).flatMap((argument) => {
    const format = FORMAT_FLAG.exec(argument)?.[1];
    if (format !== undefined && known.has("--output")) return ["--output", format];
    const [, name, value = ""] = /^-([a-z][a-z-]+)(=.*)?$/s.exec(argument) ?? [];
    return name !== undefined && known.has(`--${name}`) ? [`--${name}${value}`] : [argument];
  });
  return [...taken, ...argv.slice(end)];
}

function collectLongFlags(command: Command, known: Set<string>): void {
  for (const { long } of command.options) if (long !== undefined && long !== null) known.add(long);
  for (const sub of command.commands) collectLongFlags(sub, known);
}
