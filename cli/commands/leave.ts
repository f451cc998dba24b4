import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { Command } from "commander";
import { type AgentConfig, loadAgentConfig } from "../../agent/config.ts";
import { stopStaleProcesses } from "../../agent/offline.ts";
import { MeshError } from "../../mesh/errors.ts";
import type { CliContext, Exit } from "../context.ts";
import { readNamedFile } from "../daemon.ts";
import { EXIT } from "../exit-codes.ts";
import { agentStatus } from "../host/agent-socket.ts";
import { leaveCapture } from "../host/capture.ts";
import { undoHook } from "../host/dns/apply-hook.ts";
import { agentDaemon, assertAgrees, type HostOptions, supervisorOf } from "../host/enrol.ts";
import { lockHost } from "../host/host-lock.ts";
import { MadeFiles, type PrivateDirectory } from "../host/made-files.ts";
import { isThere } from "../host/presence.ts";
import { removeAdded } from "../host/service-places.ts";
import { hasVipRoute, removeVipRoute } from "../host/vip-route.ts";
import { AGENT_RUN_DIR, CONFIG_DIR } from "../places.ts";

type LeaveOptions = Pick<HostOptions, "dir" | "stateDir" | "runDir">;

export function leaveCommand(context: CliContext, exit: Exit): Command {
  return new Command("leave")
    .description("take this host out of its mesh: requests finish, then all that join made is removed")
    .option("--dir <path>", "where agent.yaml is", CONFIG_DIR)
    .option("--state-dir <path>", "where the agent keeps its keys")
    .option("--run-dir <path>", "where its sockets are")
    .action(async (options: LeaveOptions) => exit(await leave(context, options)));
}

async function leave(context: CliContext, options: LeaveOptions): Promise<number> {
  const path = join(resolve(options.dir), "agent.yaml");
  const file = isThere(path) ? readNamedFile(path) : undefined;
  if (file !== undefined) assertAgrees(path, loadAgentConfig({ file, environment: {}, flags: {} }), options);
  const config = loadAgentConfig({
    file,
    environment: context.environment,
    flags: {
      ...(file === undefined ? { runDir: AGENT_RUN_DIR } : {}),
      ...(options.stateDir === undefined ? {} : { stateDir: resolve(options.stateDir) }),
      ...(options.runDir === undefined ? {} : { runDir: resolve(options.runDir) }),
    },
  });
  const { stateDir, runDir } = config;
  const before = await agentStatus(runDir, context.signal);
  if (before === undefined && !isThere(stateDir) && file === undefined) {
    context.stdout.write("this host is in no mesh: there is nothing to leave\n");
    return EXIT.ok;
  }
  const say = (line: string): void => context.stdout.write(`${line}\n`);
  using lock = await lockHost(dirname(path), context);
  const made = MadeFiles.of(dirname(path));
  made.configuration(lock.made);
  // Before the agent stops: then nobody asks it any more.
  for (const line of unhook(resolve(options.dir))) say(line);
  // Before the proxies go: what is sent to them would go nowhere.
  const removeRules = await leaveCapture(context);
  const daemon = agentDaemon({ path, config });
  const stopped = await supervisorOf(context, daemon).stop(daemon, before?.agent.pid);
  const orphans = isThere(runDir) ? await stopStaleProcesses(runDir, new Set(), context.clock) : [];
  if ((await agentStatus(runDir, context.signal)) !== undefined)
    throw new MeshError("cli.host", "leave the mesh: something starts the agent again", {
      hint: "stop it the way it is started, then run lateen leave again",
    });
  if (before !== undefined) {
    const services = before.workloads.map(({ workload }) => workload);
    if (services.length > 0) say(`drained ${services.join(", ")}`);
    if (services.length > 0)
      say(
        before.server.connected
          ? "the server was told that they are out of the mesh"
          : "the server could not be told: it takes this host's services out once it has missed them for a while",
      );
  }
  for (const line of stopped) say(line);
  if (removeRules !== undefined) say(await removeRules());
  if (orphans.length > 0) say(`stopped data planes that no agent kept (processes ${orphans.join(", ")})`);
  const { kind, path: folder } = config.discovery;
  if (kind === "file") for (const line of removeAdded(folder)) say(line);
  for (const line of made.removeFiles(privateDirectories(config))) say(line);
  lock.release();
  for (const line of made.removeDirectories()) say(line);
  return EXIT.ok;
}

/** A hook that cannot be undone keeps nobody from leaving; it is told, and what it has written stays on record. */
function unhook(configDir: string): readonly string[] {
  return [() => undoHook({ configDir }), () => unroute(configDir)].flatMap((undo) => {
    try {
      return undo();
    } catch (error) {
      const { message, hint = "" } = MeshError.from(error);
      return [message, `try: ${hint}`];
    }
  });
}

function unroute(configDir: string): readonly string[] {
  return hasVipRoute(configDir) ? removeVipRoute({ configDir, dryRun: false }) : [];
}

/** What the agent writes: its keys and what it has kept; its sockets, and a folder for each workload's data plane. */
function privateDirectories({ stateDir, runDir }: AgentConfig): readonly PrivateDirectory[] {
  return [
    { path: stateDir, isAgents: (name) => STATE.has(name) },
    {
      path: runDir,
      isAgents: (name) => RUN.has(name) || existsSync(join(runDir, name, "bootstrap.json")),
    },
  ];
}

const STATE: ReadonlySet<string> = new Set([
  "agent.log",
  "identity",
  "service-files.json",
  "workloads",
  "workloads.json",
]);
const RUN: ReadonlySet<string> = new Set(["agent.pid", "agent.sock", "workload.sock", "xds.sock"]);
