import { COMMANDS } from "./commands.ts";
import { EXIT } from "./exit-codes.ts";

/** `lateen --help`: made from the table of commands, so that no command needs to be loaded. */
export function rootHelp(): string {
  const labels = COMMANDS.map(({ name, aliases }) => [name, ...aliases].join(", "));
  const width = Math.max(...labels.map((label) => label.length));
  const lines = COMMANDS.map(
    ({ summary }, index) => `  ${(labels[index] ?? "").padEnd(width)}   ${summary}\n`,
  );
  return `Lateen: a service mesh for hosts outside Kubernetes.

Usage: lateen <command> [options]

${lines.join("")}
lateen <command> --help tells a command's options, lateen help exit-codes what it exits with.
`;
}

export const EXIT_CODE_HELP = `${EXIT.ok}     done; allowed; no difference
${EXIT.negative}     a negative answer: not there, a difference, refused by the mesh, rejected by a proxy
${EXIT.undecided}     could not tell: unreachable, no credential, an internal failure
${EXIT.usage}    the command line is wrong
${EXIT.invalidInput}    an input file is not valid
${EXIT.findings}    an analysis found issues
${EXIT.timedOut}   --wait ran out of time
${EXIT.interrupted}   interrupted
`;
