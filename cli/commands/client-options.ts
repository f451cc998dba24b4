import { type Command, Option } from "commander";
import { AdminClient } from "../client.ts";
import type { CliContext } from "../context.ts";
import { resolveEndpoint } from "../endpoint.ts";
import { OUTPUT_FORMATS, type OutputFormat } from "../output/render.ts";

/** Options of every command that talks to the server. */
export interface ClientOptions {
  readonly address?: string;
  readonly tokenFile?: string;
}

export interface NamespaceOptions {
  readonly namespace: string;
}

export interface FileOptions {
  readonly filename: readonly string[];
  readonly recursive: boolean;
}

export interface FormatOptions {
  readonly output: OutputFormat;
  readonly headers: boolean;
}

export function withClient(command: Command): Command {
  return command
    .option("--address <url>", "where the server is (LATEEN_ADDR; default: its socket on this host)")
    .option("--token-file <file>", "file with an access token (LATEEN_TOKEN_FILE, or LATEEN_TOKEN)");
}

export function withNamespace(command: Command, context: CliContext): Command {
  const fallback = context.environment["LATEEN_NAMESPACE"] || "default";
  return command.option("-n, --namespace <name>", "namespace (LATEEN_NAMESPACE)", fallback);
}

/** `-f`, of every command that reads objects from files. */
export function filesOption(description = "files, directories, or - for standard input"): Option {
  return new Option("-f, --filename <path...>", description);
}

export function recursiveOption(): Option {
  return new Option("-R, --recursive", "the directories inside directories too").default(false);
}

export function withOutput(
  command: Command,
  context: CliContext,
  formats: readonly OutputFormat[] = OUTPUT_FORMATS,
): Command {
  const wanted = context.environment["LATEEN_OUTPUT"] ?? "";
  const fallback = formats.find((format) => format === wanted) ?? "table";
  return command
    .addOption(new Option("-o, --output <format>", "output format").choices(formats).default(fallback))
    .option("--no-headers", "leave the table's header line out");
}

/** `withoutServer`: what to try where there is none, beside starting one. */
export function openClient(context: CliContext, options: ClientOptions, withoutServer?: string): AdminClient {
  return new AdminClient(resolveEndpoint(context.environment, options), withoutServer);
}
