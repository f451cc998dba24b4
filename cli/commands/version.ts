import { Command, Option } from "commander";
import type { VersionReply } from "../../mesh/admin-api/replies.ts";
import { VERSION } from "../../mesh/version.ts";
import type { CliContext, Exit } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { toYaml } from "../output/render.ts";
import { type ClientOptions, openClient, withClient } from "./client-options.ts";

interface VersionOptions extends ClientOptions {
  readonly client: boolean;
  readonly output: "table" | "json" | "yaml";
}

const ANSWER_TIMEOUT_MS = 2_000;

export function versionCommand(context: CliContext, exit: Exit): Command {
  const command = new Command("version")
    .description("versions of this program and of the server")
    .option("--client", "of this program only", false)
    .addOption(
      new Option("-o, --output <format>", "output format")
        .choices(["table", "json", "yaml"])
        .default("table"),
    );
  return withClient(command).action(async (options: VersionOptions) => exit(await version(context, options)));
}

/** A server that does not answer is no failure of this command: it is an answer. */
async function version(context: CliContext, options: VersionOptions): Promise<number> {
  const client = { version: VERSION, node: process.version };
  const server = options.client ? undefined : await serverVersion(context, options);
  const value = { client, ...(server === undefined ? {} : { server }) };
  if (options.output === "json") context.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
  else if (options.output === "yaml") context.stdout.write(toYaml(value));
  else {
    context.stdout.write(`client: ${client.version} (Node ${client.node})\n`);
    if (!options.client)
      context.stdout.write(`server: ${server === undefined ? "not reached" : describe(server)}\n`);
  }
  return EXIT.ok;
}

function describe({ version, node, trustDomain }: VersionReply): string {
  return `${version} (Node ${node}), trust domain ${trustDomain}`;
}

async function serverVersion(context: CliContext, options: ClientOptions): Promise<VersionReply | undefined> {
  try {
    await using client = openClient(context, options);
    return await client.get<VersionReply>("/v1/version", {
      signal: context.signal,
      timeoutMs: ANSWER_TIMEOUT_MS,
    });
  } catch {
    return undefined;
  }
}
