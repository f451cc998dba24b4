import { join, resolve } from "node:path";
import { Command } from "commander";
import { invitationOf } from "../../agent/identity/invitation.ts";
import { routedAddress } from "../../agent/offline.ts";
import { loadServerConfig, type ServerConfig } from "../../controlplane/config.ts";
import type { CreatedTokenReply, List, TokenReply } from "../../mesh/admin-api/replies.ts";
import { MeshError } from "../../mesh/errors.ts";
import { AdminClient } from "../client.ts";
import type { CliContext, Exit } from "../context.ts";
import { readNamedFile } from "../daemon.ts";
import { EXIT } from "../exit-codes.ts";
import { agentStatus } from "../host/agent-socket.ts";
import { agentDaemon, enrol, type HostSetup, hostSetup, startAgent, supervisorOf } from "../host/enrol.ts";
import { type HostLock, lockHost } from "../host/host-lock.ts";
import { lookBefore } from "../host/look-before.ts";
import { isThere } from "../host/presence.ts";
import type { Daemon } from "../host/supervisor.ts";
import { writeNewConfig } from "../new-file.ts";
import { toYaml } from "../output/render.ts";
import { CONFIG_DIR, SERVER_CONFIG, SERVER_RUN_DIR } from "../places.ts";
import { nextSteps } from "./join.ts";

interface InitOptions {
  readonly dir: string;
  readonly trustDomain?: string;
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
      "names every identity of the mesh; cannot be changed later; cluster.local if not given",
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

/** What an `init` that failed or was interrupted has done stays: the next one goes on from there. */
async function init(context: CliContext, options: InitOptions): Promise<number> {
  const path = join(resolve(options.dir), "server.yaml");
  const { stdout } = context;
  using lock = await lockHost(resolve(options.dir), context);
  const isNew = !options.start || !isThere(path);
  const config = isNew
    ? await writeConfig(context, options, path)
    : keptConfig(path, options, context.environment);
  stdout.write(`${isNew ? "wrote" : "kept"} ${path}\n`);
  if (!options.start) {
    stdout.write(`\nNext:\n${nextCommands(path, options, config)}`);
    return EXIT.ok;
  }
  try {
    await startServer(context, serverDaemon(path, config), config);
  } catch (error) {
    stdout.write("the server does not run: once it is mended, lateen init goes on from here\n");
    throw error;
  }
  await using server = new AdminClient({ socketPath: socketOf(config) });
  const failure = options.agent ? await triedToJoinHere(context, options, server, lock) : undefined;
  const token = await createToken(server, context.signal);
  stdout.write(`
Let another host in, within 15 minutes and once (lateen token create makes more):
  lateen join ${token}
${options.agent && failure === undefined ? nextSteps() : ""}`);
  if (failure === undefined) return EXIT.ok;
  stdout.write(
    "\nThe server runs, and this host is not among its hosts: once it is mended, lateen init goes on from here\n",
  );
  throw failure.error;
}

async function writeConfig(context: CliContext, options: InitOptions, path: string): Promise<ServerConfig> {
  const { trustDomain = "cluster.local", consul } = options;
  const written = {
    trustDomain,
    ...(options.stateDir === undefined ? {} : { stateDir: resolve(options.stateDir) }),
    runDir: options.runDir === undefined ? SERVER_RUN_DIR : resolve(options.runDir),
    agents: { advertise: options.advertise ?? [`${bracketed(await routedAddress())}:15012`] },
    ...(consul === undefined ? {} : { consul: { address: consul } }),
  };
  const config = loadServerConfig({ file: undefined, environment: {}, flags: written });
  if (options.start) {
    const daemons = [
      serverDaemon(path, config),
      ...(options.agent ? [agentDaemon(await hostSetup(context, { dir: options.dir }))] : []),
    ];
    for (const daemon of daemons) await supervisorOf(context, daemon).assertAble(daemon);
  }
  writeNewConfig(path, `# lateen server: docs/config.md has every key and its default.\n${toYaml(written)}`);
  return config;
}

/** Of a server.yaml that is there: throws `config.exists` when a flag says something else. */
function keptConfig(
  path: string,
  options: InitOptions,
  environment: CliContext["environment"],
): ServerConfig {
  const file = readNamedFile(path);
  const said = loadServerConfig({ file, environment: {}, flags: {} });
  const { advertise, trustDomain, stateDir, runDir, consul } = options;
  const settings = [
    { flag: "--trust-domain", given: trustDomain, has: said.trustDomain },
    { flag: "--advertise", given: advertise?.join(" "), has: said.agents.advertise.join(" ") },
    { flag: "--state-dir", given: stateDir && resolve(stateDir), has: said.stateDir },
    { flag: "--run-dir", given: runDir && resolve(runDir), has: said.runDir },
    { flag: "--consul", given: consul, has: said.consul?.address },
  ];
  const against = settings.filter(({ given, has }) => given !== undefined && given !== has);
  if (against.length === 0) return loadServerConfig({ file, environment, flags: {} });
  const lines = against.map(
    ({ flag, given, has }) => `${flag} ${given}, and there it is ${has ?? "not set"}`,
  );
  throw new MeshError("config.exists", `use ${path}, which is there already: ${lines.join("; ")}`, {
    hint: `edit it, or leave ${against.map(({ flag }) => flag).join(" and ")} out; another mesh wants another place: mv ${path} ${path}.old`,
  });
}

function serverDaemon(path: string, config: ServerConfig): Daemon {
  const { stateDir, runDir } = config;
  return { name: "server", config: path, stateDir, runDir, socket: socketOf(config) };
}

async function startServer(context: CliContext, daemon: Daemon, config: ServerConfig): Promise<void> {
  const { stdout, signal } = context;
  if (await isUp(config, signal)) {
    stdout.write("the server runs already\n");
    return;
  }
  const supervisor = supervisorOf(context, daemon);
  const done = await supervisor.start(daemon, () => isUp(config, signal));
  for (const line of done) stdout.write(`${line}\n`);
  if (!supervisor.keepsAlive)
    stdout.write(`nothing starts it at boot: that is ${serverCommandLine(daemon.config)}\n`);
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

/** The host of the server is one of the mesh's hosts, like all others. What went wrong is told after the token. */
async function triedToJoinHere(
  context: CliContext,
  { dir }: InitOptions,
  server: AdminClient,
  lock: HostLock,
): Promise<{ readonly error: unknown } | undefined> {
  try {
    await joinHere(context, await hostSetup(context, { dir }), server, lock);
    return undefined;
  } catch (error) {
    context.signal.throwIfAborted();
    return { error };
  }
}

async function joinHere(
  context: CliContext,
  setup: HostSetup,
  server: AdminClient,
  lock: HostLock,
): Promise<void> {
  const say = (line: string): void => context.stdout.write(`${line}\n`);
  const { stateDir, runDir } = setup.config;
  if ((await agentStatus(runDir, context.signal)) !== undefined) return say("this host's agent runs already");
  if (!isThere(join(stateDir, "identity", "agent.json"))) {
    const invitation = invitationOf(await createToken(server, context.signal));
    await lookBefore(context, setup.config, invitation);
    for (const line of (await enrol(context, setup, { invitation, force: false, lock })).done) say(line);
  }
  for (const line of await startAgent(context, setup)) say(line);
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
