import { connect } from "node:net";
import { join, resolve } from "node:path";
import { type AgentConfig, loadAgentConfig } from "../../agent/config.ts";
import type { Invitation } from "../../agent/identity/invitation.ts";
import { joinMesh } from "../../agent/identity/join.ts";
import { MeshError } from "../../mesh/errors.ts";
import { VERSION } from "../../mesh/version.ts";
import type { CliContext } from "../context.ts";
import { daemonLogger, readNamedFile } from "../daemon.ts";
import { writeNewConfig } from "../new-file.ts";
import { toYaml } from "../output/render.ts";
import { AGENT_CONFIG, AGENT_RUN_DIR } from "../places.ts";
import { agentSocket, agentStatus } from "./agent-socket.ts";
import type { HostLock } from "./host-lock.ts";
import { MadeFiles } from "./made-files.ts";
import { isThere } from "./presence.ts";
import { chooseSupervisor, type Daemon, type Supervisor } from "./supervisor.ts";

export interface HostOptions {
  readonly dir: string;
  readonly nodeName?: string;
  readonly stateDir?: string;
  readonly runDir?: string;
  readonly discovery?: string;
}

/** This host's agent.yaml as it is, or as `join` is going to write it. */
export interface HostSetup {
  readonly path: string;
  readonly isNew: boolean;
  /** What is written when there is no agent.yaml. */
  readonly written: Readonly<Record<string, unknown>>;
  readonly config: AgentConfig;
}

const CONSUL_PATIENCE_MS = 300;

/** What is already in agent.yaml holds: a flag that says something else is refused (`config.exists`). */
export async function hostSetup(context: CliContext, options: HostOptions): Promise<HostSetup> {
  const dir = resolve(options.dir);
  const path = join(dir, "agent.yaml");
  const { environment } = context;
  const given = givenFlags(options);
  if (isThere(path)) {
    const file = readNamedFile(path);
    assertAgrees(path, loadAgentConfig({ file, environment: {}, flags: {} }), options);
    return { path, isNew: false, written: {}, config: loadAgentConfig({ file, environment, flags: {} }) };
  }
  const flags = {
    ...(environment["LATEEN_AGENT_RUN_DIR"] ? {} : { runDir: AGENT_RUN_DIR }),
    ...given,
    discovery: await discoveryFor(dir, options.discovery),
  };
  const config = loadAgentConfig({ file: undefined, environment, flags });
  const { nodeName, stateDir, runDir } = config;
  const usual = loadAgentConfig({ file: undefined, environment: {}, flags: {} });
  const written = {
    nodeName,
    // Also where the environment says so: the agent that is started at boot has another one.
    ...(stateDir === usual.stateDir ? {} : { stateDir }),
    runDir,
    discovery: flags.discovery,
  };
  return { path, isNew: true, written, config };
}

function givenFlags({ nodeName, stateDir, runDir }: HostOptions): Readonly<Record<string, string>> {
  return {
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(stateDir === undefined ? {} : { stateDir: resolve(stateDir) }),
    ...(runDir === undefined ? {} : { runDir: resolve(runDir) }),
  };
}

/** Throws `config.exists` when a flag says something else than the agent.yaml that is there. */
export function assertAgrees(path: string, config: AgentConfig, options: HostOptions): void {
  const { nodeName, stateDir, runDir } = givenFlags(options);
  const settings = [
    { flag: "--node-name", key: "nodeName", given: nodeName, has: config.nodeName },
    { flag: "--state-dir", key: "stateDir", given: stateDir, has: config.stateDir },
    { flag: "--run-dir", key: "runDir", given: runDir, has: config.runDir },
    { flag: "--discovery", key: "discovery.kind", given: options.discovery, has: config.discovery.kind },
  ];
  const against = settings.filter(({ given, has }) => given !== undefined && given !== has);
  if (against.length === 0) return;
  const said = against.map(({ flag, key, given, has }) => `${flag} ${given}, and there ${key} is ${has}`);
  throw new MeshError("config.exists", `use ${path}, which is there already: ${said.join("; ")}`, {
    hint: `edit it, or leave ${against.map(({ flag }) => flag).join(" and ")} out`,
  });
}

/** The Consul agent of this host, when one answers; else the directory of drop-ins. */
async function discoveryFor(
  dir: string,
  wanted: string | undefined,
): Promise<Readonly<Record<string, unknown>>> {
  const kind = wanted ?? ((await answers("127.0.0.1", 8500)) ? "consul" : "file");
  const path = join(dir, "services.d");
  return kind === "file" ? { kind, path } : { kind };
}

async function answers(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port, timeout: CONSUL_PATIENCE_MS });
  const { promise, resolve } = Promise.withResolvers<boolean>();
  socket.once("connect", () => resolve(true));
  for (const event of ["error", "timeout"]) socket.once(event, () => resolve(false));
  const answered = await promise;
  socket.destroy();
  return answered;
}

export interface Enrolment {
  readonly trustDomain: string;
  readonly agentId: string;
  /** What was made, a line each. */
  readonly done: readonly string[];
}

/**
 * Makes this host an agent's: agent.yaml, identity, the directory of its services. agent.yaml comes first, so that nobody
 * has an identity here without it; when joining fails, it is taken back.
 */
export async function enrol(
  context: CliContext,
  { path, isNew, written, config }: HostSetup,
  { invitation, force, lock }: EnrolOptions,
): Promise<Enrolment> {
  const made = MadeFiles.of(resolve(path, ".."));
  made.configuration(lock.made);
  made.directory(config.stateDir, 0o700);
  if (isNew) {
    made.writing(path, () =>
      writeNewConfig(
        path,
        `# lateen agent: docs/config.md has every key and its default.\n${toYaml(written)}`,
      ),
    );
  }
  const { trustDomain, agentId } = await joinMesh(invitation, {
    stateDir: config.stateDir,
    nodeName: config.nodeName,
    agentVersion: VERSION,
    force,
    clock: context.clock,
    logger: daemonLogger(context, "warn", undefined),
    signal: context.signal,
  }).catch((error: unknown) => {
    if (isNew) made.takeBack(path);
    throw error;
  });
  made.directory(config.runDir, 0o700);
  const { kind, path: services } = config.discovery;
  // A single file that there is not is for its author to write.
  if (kind === "file" && !/\.(ya?ml|json)$/.test(services)) made.directory(services, 0o755);
  return { trustDomain, agentId, done: [`${isNew ? "wrote" : "kept"} ${path}`] };
}

export interface EnrolOptions {
  readonly invitation: Invitation;
  /** Joins again although there is an identity. */
  readonly force: boolean;
  readonly lock: HostLock;
}

/** Starts the agent and waits until it is connected to its server. Returns what was done. */
export async function startAgent(context: CliContext, setup: HostSetup): Promise<readonly string[]> {
  const { runDir } = setup.config;
  const ready = async (): Promise<boolean> =>
    (await agentStatus(runDir, context.signal))?.server.connected === true;
  const daemon = agentDaemon(setup);
  const supervisor = supervisorOf(context, daemon);
  const done = await supervisor.start(daemon, ready);
  if (supervisor.keepsAlive) return done;
  return [...done, `nothing starts it at boot: that is lateen agent${configFlag(setup.path)}`];
}

export function supervisorOf({ clock, signal }: CliContext, daemon: Daemon): Supervisor {
  return chooseSupervisor(daemon, clock, signal);
}

export function agentDaemon({ path, config }: Pick<HostSetup, "path" | "config">): Daemon {
  const { stateDir, runDir } = config;
  return { name: "agent", config: path, stateDir, runDir, socket: agentSocket(runDir) };
}

export function configFlag(path: string): string {
  return path === AGENT_CONFIG ? "" : ` --config ${path}`;
}
