import type { Command } from "commander";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { COMMANDS } from "../commands.ts";
import type { CliContext } from "../context.ts";

/** An option of a command, as its `--help` shows it. */
export interface OptionFacts {
  /** `-o, --output <format>`. */
  readonly flags: string;
  /** Each spelling by itself: `-o`, `--output`. */
  readonly names: readonly string[];
  readonly description: string;
  readonly takesValue: boolean;
  /** Empty: any value. */
  readonly choices: readonly string[];
  /** Undefined: there is none worth telling. */
  readonly fallback: string | undefined;
}

export interface ArgumentFacts {
  /** `<token>`, `[file]`, `[names...]`. */
  readonly spelled: string;
  readonly description: string;
  readonly choices: readonly string[];
}

/** A command and all below it. */
export interface CommandFacts {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly summary: string;
  readonly description: string;
  readonly arguments: readonly ArgumentFacts[];
  readonly options: readonly OptionFacts[];
  readonly commands: readonly CommandFacts[];
}

const HELP: OptionFacts = {
  flags: "-h, --help",
  names: ["-h", "--help"],
  description: "what the command does, and its options",
  takesValue: false,
  choices: [],
  fallback: undefined,
};

/** Where commands are only looked at: no environment changes what they offer. */
const NOWHERE: CliContext = {
  stdout: { write: () => true },
  stderr: { write: () => true },
  readStdin: async () => "",
  environment: {},
  clock: systemClock,
  signal: new AbortController().signal,
  color: false,
  interactive: false,
};

/** Every command there is. Loads them all, and runs none. */
export async function commandTree(): Promise<readonly CommandFacts[]> {
  return await Promise.all(
    COMMANDS.map(async ({ name, aliases, summary, load }) => {
      const command = (await load())(NOWHERE, () => {});
      return { ...factsOf(command), name, aliases, summary };
    }),
  );
}

function factsOf(command: Command): CommandFacts {
  return {
    name: command.name(),
    aliases: command.aliases(),
    summary: command.summary() || command.description(),
    description: command.description(),
    arguments: command.registeredArguments.map((argument) => ({
      spelled: spelled(argument.name(), argument.required, argument.variadic),
      description: argument.description,
      choices: argument.argChoices ?? [],
    })),
    options: [
      ...command.options
        .filter(({ hidden }) => !hidden)
        .map((option) => ({
          flags: option.flags,
          names: [option.short, option.long].filter((one) => typeof one === "string"),
          description: option.description,
          takesValue: option.required || option.optional,
          choices: option.argChoices ?? [],
          fallback: fallbackOf(option.defaultValue),
        })),
      HELP,
    ],
    commands: command.commands.map(factsOf),
  };
}

function spelled(name: string, required: boolean, variadic: boolean): string {
  const text = variadic ? `${name}...` : name;
  return required ? `<${text}>` : `[${text}]`;
}

function fallbackOf(value: unknown): string | undefined {
  return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
}
