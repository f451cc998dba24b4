import { existsSync } from "node:fs";
import { connect } from "node:net";
import { join, resolve } from "node:path";
import { type AgentConfig, loadAgentConfig } from "../../agent/config.ts";
import type { Invitation } from "../../agent/identity/invitation.ts";
import { joinMesh } from "../../agent/identity/join.ts";
import { VERSION } from "../../mesh/version.ts";
import type { CliContext } from "../context.ts";
import { daemonLogger, readNamedFile } from "../daemon.ts";
import { writeNewConfig } from "../new-file.ts";
import { toYaml } from "../output/render.ts";
import { AGENT_CONFIG, AGENT_RUN_DIR } from "../places.ts";
import { agentStatus } from "./agent-socket.ts";
import { MadeFiles } from "./made-files.ts";
import { chooseSupervisor, type Daemon } from "./supervisor.ts";

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

/** What is already in agent.yaml holds, with flags over it. */
export async function hostSetup(context: CliContext, options: HostOptions): Promise<HostSetup> {
  const dir = resolve(options.dir);
  const path = join(dir, "agent.yaml");
  const isNew = !existsSync(path);
  const given = {
    ...(options.nodeName === undefined ? {} : { nodeName: options.nodeName }),
    ...(options.stateDir === undefined ? {} : { stateDir: resolve(options.stateDir) }),
    ...(options.runDir === undefined ? {} : { runDir: resolve(options.runDir) }),
    ...(options.discovery === undefined ? {} : { discovery: { kind: options.discovery } }),
  };
  const file = isNew ? undefined : readNamedFile(path);
  const flags = isNew
    ? { runDir: AGENT_RUN_DIR, ...given, discovery: await discoveryFor(dir, options.discovery) }
    : given;
  const config = loadAgentConfig({ file, environment: context.environment, flags });
  return { path, isNew, written: { nodeName: config.nodeName, ...flags }, config };
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

/** Makes this host an agent's: identity, agent.yaml, the directory of its services. */
export async function enrol(
  context: CliContext,
  { path, isNew, written, config }: HostSetup,
  invitation: Invitation,
  force: boolean,
): Promise<Enrolment> {
  const configDir = resolve(path, "..");
  const made = MadeFiles.of(configDir);
  made.directory(configDir, 0o750);
  made.directory(config.stateDir, 0o700);
  const state = await joinMesh(invitation, {
    stateDir: config.stateDir,
    nodeName: config.nodeName,
    agentVersion: VERSION,
    force,
    clock: context.clock,
    logger: daemonLogger(context, "warn", undefined),
    signal: context.signal,
  });
  made.directory(config.runDir, 0o700);
  if (isNew) {
    writeNewConfig(path, `# lateen agent: docs/config.md has every key and its default.\n${toYaml(written)}`);
    made.file(path);
  }
  const { kind, path: services } = config.discovery;
  // A single file that there is not is for its author to write.
  if (kind === "file" && !/\.(ya?ml|json)$/.test(services)) made.directory(services, 0o755);
  const { trustDomain, agentId } = state;
  return { trustDomain, agentId, done: [`${isNew ? "wrote" : "kept"} ${path}`] };
}

/** Starts the agent and waits until it is connected to its server. Returns what was done. */
export async function startAgent(
  context: CliContext,
  setup: HostSetup,
  options: HostOptions,
): Promise<readonly string[]> {
  const { runDir } = setup.config;
  const ready = async (): Promise<boolean> =>
    (await agentStatus(runDir, context.signal))?.server.connected === true;
  const supervisor = supervisorOf(context, options);
  const done = await supervisor.start(agentDaemon(setup), ready);
  if (supervisor.keepsAlive) return done;
  return [...done, `nothing starts it at boot: that is lateen agent${configFlag(setup.path)}`];
}

export function supervisorOf(
  context: CliContext,
  options: Pick<HostOptions, "dir" | "stateDir" | "runDir">,
): ReturnType<typeof chooseSupervisor> {
  const ownPlaces = options.stateDir !== undefined || options.runDir !== undefined;
  return chooseSupervisor({ dir: resolve(options.dir), ownPlaces }, context.clock, context.signal);
}

export function agentDaemon({ path, config }: Pick<HostSetup, "path" | "config">): Daemon {
  return { name: "agent", config: path, stateDir: config.stateDir, runDir: config.runDir };
}

export function configFlag(path: string): string {
  return path === AGENT_CONFIG ? "" : ` --config ${path}`;
}
