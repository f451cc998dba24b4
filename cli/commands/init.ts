import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { Command } from "commander";
import { invitationOf } from "../../agent/identity/invitation.ts";
import { routedAddress } from "../../agent/offline.ts";
import { loadServerConfig, type ServerConfig } from "../../controlplane/config.ts";
import type { CreatedTokenReply, List, TokenReply } from "../../mesh/admin-api/replies.ts";
import { MeshError } from "../../mesh/errors.ts";
import { AdminClient } from "../client.ts";
import type { CliContext, Exit } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { enrol, hostSetup, startAgent, supervisorOf } from "../host/enrol.ts";
import { writeNewConfig } from "../new-file.ts";
import { toYaml } from "../output/render.ts";
import { CONFIG_DIR, SERVER_CONFIG, SERVER_RUN_DIR } from "../places.ts";
import { nextSteps } from "./join.ts";

interface InitOptions {
  readonly dir: string;
  readonly trustDomain: string;
  readonly advertise?: readonly string[];
  readonly stateDir?: string;
  readonly runDir?: string;
  readonly consul?: string;
  readonly start: boolean;
  readonly agent: boolean;
}

const TOKEN_MS = 15 * 60_000;

export function initCommand(context: CliContext, exit: Exit): Command {
  return new Command("init")
    .description("set up a mesh: its server and an agent on this host, and the line that lets others in")
    .option("--dir <path>", "where its configuration goes", CONFIG_DIR)
    .option(
      "--trust-domain <name>",
      "names every identity of the mesh; cannot be changed later",
      "cluster.local",
    )
    .option(
      "--advertise <host:port...>",
      "how agents reach this server; goes into join tokens. This host's address if not given",
    )
    .option("--state-dir <path>", "where the server keeps its state")
    .option("--run-dir <path>", "where its sockets are")
    .option("--consul <url>", "read the catalog of this Consul")
    .option("--no-agent", "run the server alone on this host")
    .option("--no-start", "start nothing, and say what comes next")
    .action(async (options: InitOptions) => exit(await init(context, options)));
}

async function init(context: CliContext, options: InitOptions): Promise<number> {
  const path = join(resolve(options.dir), "server.yaml");
  const { stdout } = context;
  const written = {
    trustDomain: options.trustDomain,
    ...(options.stateDir === undefined ? {} : { stateDir: resolve(options.stateDir) }),
    runDir: options.runDir === undefined ? SERVER_RUN_DIR : resolve(options.runDir),
    agents: { advertise: options.advertise ?? [`${bracketed(await routedAddress())}:15012`] },
    ...(options.consul === undefined ? {} : { consul: { address: options.consul } }),
  };
  const config = loadServerConfig({ file: undefined, environment: {}, flags: written });
  writeNewConfig(path, `# lateen server: docs/config.md has every key and its default.\n${toYaml(written)}`);
  stdout.write(`wrote ${path}\n`);
  if (!options.start) {
    stdout.write(`\nNext:\n${nextCommands(path, options, config)}`);
    return EXIT.ok;
  }
  try {
    await startServer(context, options, path, config);
  } catch (error) {
    // The next attempt must not find a mesh that never was.
    rmSync(path);
    throw error;
  }
  await using server = new AdminClient({ socketPath: socketOf(config) });
  if (options.agent) await joinHere(context, options, server);
  const token = await createToken(server, context.signal);
  stdout.write(`
Let another host in, within 15 minutes and once (lateen token create makes more):
  lateen join ${token}
${options.agent ? nextSteps() : ""}`);
  return EXIT.ok;
}

async function startServer(
  context: CliContext,
  options: InitOptions,
  path: string,
  config: ServerConfig,
): Promise<void> {
  const { stateDir, runDir } = config;
  const supervisor = supervisorOf(context, options);
  const daemon = { name: "server", config: path, stateDir, runDir } as const;
  const done = await supervisor.start(daemon, () => isUp(config, context.signal));
  for (const line of done) context.stdout.write(`${line}\n`);
  if (!supervisor.keepsAlive)
    context.stdout.write(`nothing starts it at boot: that is ${serverCommandLine(path)}\n`);
}

async function isUp(config: ServerConfig, signal: AbortSignal): Promise<boolean> {
  await using server = new AdminClient({ socketPath: socketOf(config) });
  try {
    await server.get<List<TokenReply>>("/v1/tokens", { signal });
    return true;
  } catch (error) {
    if (MeshError.from(error).code === "cli.unreachable" && !signal.aborted) return false;
    throw error;
  }
}

/** The host of the server is one of the mesh's hosts, like all others. */
async function joinHere(context: CliContext, { dir }: InitOptions, server: AdminClient): Promise<void> {
  const setup = await hostSetup(context, { dir });
  const token = await createToken(server, context.signal);
  const { done } = await enrol(context, setup, invitationOf(token), false);
  for (const line of [...done, ...(await startAgent(context, setup, { dir }))])
    context.stdout.write(`${line}\n`);
}

async function createToken(server: AdminClient, signal: AbortSignal): Promise<string> {
  const body = { ttlMs: TOKEN_MS };
  return (await server.post<CreatedTokenReply>("/v1/tokens", body, { signal })).token;
}

function nextCommands(path: string, options: InitOptions, config: ServerConfig): string {
  const address = options.runDir === undefined ? "" : `  export LATEEN_ADDR=unix://${socketOf(config)}\n`;
  return `  ${serverCommandLine(path)}
${address}  lateen token create

The last one prints the line that lets another host in: lateen join lateen1.…
`;
}

function serverCommandLine(path: string): string {
  return path === SERVER_CONFIG ? "lateen server" : `lateen server --config ${path}`;
}

function socketOf({ runDir }: ServerConfig): string {
  return join(runDir, "admin.sock");
}

function bracketed(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}
