import { existsSync, readFileSync } from "node:fs";
import { join as joinPath, resolve } from "node:path";
import { Command } from "commander";
import { type AgentConfig, loadAgentConfig } from "../../agent/config.ts";
import { configuredInvitation, type Invitation, invitationOf } from "../../agent/identity/invitation.ts";
import { joinMesh } from "../../agent/identity/join.ts";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import { VERSION } from "../../mesh/version.ts";
import type { CliContext, Exit } from "../context.ts";
import { daemonLogger, readNamedFile } from "../daemon.ts";
import { EXIT } from "../exit-codes.ts";
import { writeNewConfig } from "../new-file.ts";
import { toYaml } from "../output/render.ts";
import { AGENT_CONFIG, CONFIG_DIR } from "../places.ts";

interface JoinCommandOptions {
  readonly dir: string;
  readonly nodeName?: string;
  readonly stateDir?: string;
  readonly runDir?: string;
  readonly force: boolean;
}

export function joinCommand(context: CliContext, exit: Exit): Command {
  return new Command("join")
    .description("make this host part of a mesh")
    .argument("[token]", "the token, - for standard input, or file:PATH; LATEEN_JOIN_TOKEN if left out")
    .option("--dir <path>", "where agent.yaml is, or will be", CONFIG_DIR)
    .option("--node-name <name>", "names this host in status and logs; its host name if not given")
    .option("--state-dir <path>", "where the agent keeps its keys")
    .option("--run-dir <path>", "where its sockets are")
    .option("--force", "join again although this host has an identity", false)
    .action(async (token: string | undefined, options: JoinCommandOptions) => {
      exit(await join(context, token, options));
    });
}

/** What is already in agent.yaml holds; it is written only when there is none. The token is never printed. */
async function join(
  context: CliContext,
  argument: string | undefined,
  options: JoinCommandOptions,
): Promise<number> {
  const path = joinPath(resolve(options.dir), "agent.yaml");
  const exists = existsSync(path);
  const flags = {
    ...(options.nodeName === undefined ? {} : { nodeName: options.nodeName }),
    ...(options.stateDir === undefined ? {} : { stateDir: resolve(options.stateDir) }),
    ...(options.runDir === undefined ? {} : { runDir: resolve(options.runDir) }),
  };
  const file = exists ? readNamedFile(path) : undefined;
  const config = loadAgentConfig({ file, environment: context.environment, flags });
  const invitation = await invitationFor(context, argument, config);
  const state = await joinMesh(invitation, {
    stateDir: config.stateDir,
    nodeName: config.nodeName,
    agentVersion: VERSION,
    force: options.force,
    clock: context.clock,
    logger: daemonLogger(context, "warn", undefined),
    signal: context.signal,
  });
  if (!exists) {
    const text = toYaml({ nodeName: config.nodeName, ...flags });
    writeNewConfig(path, `# lateen agent: docs/config.md has every key and its default.\n${text}`);
  }
  const start = path === AGENT_CONFIG ? "lateen agent" : `lateen agent --config ${path}`;
  context.stdout.write(`joined trust domain ${state.trustDomain} as agent ${state.agentId}
${exists ? "kept" : "wrote"} ${path}

Next:
  ${start}
`);
  return EXIT.ok;
}

/** A token when there is one; else what the configuration says. */
async function invitationFor(
  context: CliContext,
  argument: string | undefined,
  { join, servers }: AgentConfig,
): Promise<Invitation> {
  const source = argument ?? context.environment["LATEEN_JOIN_TOKEN"] ?? "";
  const text = await readTokenText(context, source);
  if (text.trim() !== "") return invitationOf(text.trim());
  if (join !== undefined) return configuredInvitation(join, servers, context.environment);
  throw new MeshError("cli.usage", "join wants a token", {
    hint:
      "run lateen token create on the server's host: it prints the whole line; " +
      "or say in agent.yaml, under join, how this host proves who it is",
  });
}

async function readTokenText(context: CliContext, source: string): Promise<string> {
  if (source === "-") return context.readStdin();
  if (!source.startsWith("file:")) return source;
  const path = source.slice("file:".length);
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new MeshError("cli.usage", `read the token from ${path}: ${messageOf(error)}`, { cause: error });
  }
}
