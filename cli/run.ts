import { Command, CommanderError } from "commander";
import { MeshError } from "../mesh/errors.ts";
import { closest } from "../mesh/spelling/closest.ts";
import { acceptSingleDash } from "./argv.ts";
import { COMMANDS, type CommandEntry } from "./commands.ts";
import type { CliContext } from "./context.ts";
import { EXIT } from "./exit-codes.ts";
import { EXIT_CODE_HELP, rootHelp } from "./help.ts";
import { reportError } from "./report-error.ts";

/** Runs one command line (without the program's own name) and returns the exit code. Never throws. */
export async function run(argv: readonly string[], context: CliContext): Promise<number> {
  try {
    return await dispatch(argv, context);
  } catch (error) {
    if (context.signal.aborted) return EXIT.interrupted;
    return reportError(context, error);
  }
}

async function dispatch(argv: readonly string[], context: CliContext): Promise<number> {
  const [word, ...rest] = argv;
  if (word === undefined || /^(--?help|-h)$/.test(word)) return say(context, rootHelp());
  if (word === "help") return await help(rest, context);
  if (/^(--?version|-v|-V)$/.test(word))
    return await runCommand(findCommand("version"), ["--client"], context);
  if (word.startsWith("-")) {
    throw new MeshError("cli.usage", `${word} comes before any command`, { hint: "lateen <command> --help" });
  }
  return await runCommand(findCommand(word), rest, context);
}

async function help(topic: readonly string[], context: CliContext): Promise<number> {
  const [word] = topic;
  if (word === undefined) return say(context, rootHelp());
  if (word === "exit-codes") return say(context, EXIT_CODE_HELP);
  return await runCommand(findCommand(word), [...topic.slice(1), "--help"], context);
}

function say(context: CliContext, text: string): number {
  context.stdout.write(text);
  return EXIT.ok;
}

function findCommand(word: string): CommandEntry {
  const found = COMMANDS.find(({ name, aliases }) => name === word || aliases.includes(word));
  if (found !== undefined) return found;
  const near = closest(
    word,
    COMMANDS.map(({ name }) => name),
  );
  throw usageError(`there is no command ${JSON.stringify(word)}`, near, "lateen --help");
}

async function runCommand(
  entry: CommandEntry,
  argv: readonly string[],
  context: CliContext,
): Promise<number> {
  const build = await entry.load();
  let code: number = EXIT.ok;
  const command = build(context, (given) => {
    code = given;
  });
  prepare(command, context);
  const root = new Command("lateen").addCommand(command);
  prepare(root, context);
  try {
    await root.parseAsync([entry.name, ...acceptSingleDash(argv, command)], { from: "user" });
    return code;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return concludeParsing(error, entry);
  }
}

/** Commander writes and exits by itself unless it is told not to, each subcommand on its own. */
function prepare(command: Command, context: CliContext): void {
  command.exitOverride().configureOutput({
    writeOut: (text) => context.stdout.write(text),
    writeErr: () => {},
    getOutHelpWidth: () => 100,
    getErrHelpWidth: () => 100,
    outputError: () => {},
  });
  for (const sub of command.commands) prepare(sub, context);
}

function concludeParsing(error: CommanderError, { name }: CommandEntry): number {
  if (error.exitCode === 0) return EXIT.ok;
  const tryThis = `lateen ${name} --help`;
  // A group of commands, called without naming one of them.
  if (error.code === "commander.help")
    throw usageError(`lateen ${name} wants a subcommand`, undefined, tryThis);
  const [first = "", second = ""] = error.message.split("\n");
  const near = /^\(Did you mean (?:one of )?(.+)\?\)$/.exec(second)?.[1];
  throw usageError(first.replace(/^error: /, "").replace(/\.$/, ""), near, tryThis);
}

function usageError(what: string, near: string | undefined, tryThis: string): MeshError {
  const why = near === undefined ? {} : { cause: new Error(`did you mean ${near}?`) };
  return new MeshError("cli.usage", what, { hint: tryThis, ...why });
}
