import { Argument, Command } from "commander";
import { bashCompletion } from "../completion/bash.ts";
import { fishCompletion } from "../completion/fish.ts";
import { zshCompletion } from "../completion/zsh.ts";
import type { CliContext } from "../context.ts";
import { type CommandFacts, commandTree } from "../reference/command-tree.ts";

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const satisfies Record<
  string,
  (commands: readonly CommandFacts[]) => string
>;
type Shell = keyof typeof SHELLS;

export function completionCommand(context: CliContext): Command {
  return new Command("completion")
    .description("print a script that completes lateen's commands, options and their choices")
    .addArgument(new Argument("<shell>", "for which shell").choices(Object.keys(SHELLS)))
    .addHelpText(
      "after",
      `
The packages for Debian and Fedora bring these along. Elsewhere, in this shell and until it ends:
  bash:  source <(lateen completion bash)
  zsh:   source <(lateen completion zsh); compdef _lateen lateen
  fish:  lateen completion fish | source
`,
    )
    .action(async (shell: Shell) => {
      context.stdout.write(SHELLS[shell](await commandTree()));
    });
}
