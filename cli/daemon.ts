import { existsSync, readFileSync } from "node:fs";
import { type Command, Option } from "commander";
import { MeshError, messageOf } from "../mesh/errors.ts";
import type { CliContext } from "./context.ts";
import { createLogger, type LogFormat, type LogLevel } from "./logging.ts";

/** Options of the programs that run until they are told to stop. */
export interface DaemonOptions {
  readonly config?: string;
  readonly stateDir?: string;
  readonly runDir?: string;
  readonly logLevel?: LogLevel;
  readonly logFormat?: LogFormat;
}

export function withDaemonOptions(command: Command, defaultConfig: string): Command {
  return command
    .option("--config <file>", `configuration, YAML or JSON (default: ${defaultConfig}, if it exists)`)
    .option("--state-dir <path>", "where it keeps its state")
    .option("--run-dir <path>", "where its sockets are")
    .addOption(withLevels(new Option("--log-level <level>", "the least that is logged")))
    .addOption(logFormatOption());
}

export function logFormatOption(): Option {
  return new Option("--log-format <format>", "console on a terminal, json otherwise").choices([
    "json",
    "console",
  ]);
}

function withLevels(option: Option): Option {
  return option.choices(["debug", "info", "warn", "error"]);
}

/** The flags that the configuration of every program knows, in its shape. */
export function commonFlags({
  stateDir,
  runDir,
  logLevel,
}: DaemonOptions): Readonly<Record<string, unknown>> {
  return { stateDir, runDir, logLevel };
}

interface NamedText {
  readonly name: string;
  readonly text: string;
}

/** The named file, which must be there, or the usual one, which need not. */
export function readConfigFile(named: string | undefined, usual: string): NamedText | undefined {
  return named === undefined && !existsSync(usual) ? undefined : readNamedFile(named ?? usual);
}

export function readNamedFile(name: string): NamedText {
  try {
    return { name, text: readFileSync(name, "utf8") };
  } catch (error) {
    throw new MeshError("config.invalid", `read the configuration ${name}: ${messageOf(error)}`, {
      cause: error,
      hint: "check that it is there and that this user may read it",
    });
  }
}

/** A daemon's log goes to stderr, where journald and a terminal find it. */
export function daemonLogger(
  context: CliContext,
  level: LogLevel,
  format: LogFormat | undefined,
): ReturnType<typeof createLogger> {
  return createLogger({
    level,
    format: format ?? (context.interactive ? "console" : "json"),
    write: (line) => context.stderr.write(line),
  });
}
