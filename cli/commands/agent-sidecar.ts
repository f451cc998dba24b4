import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command, Option } from "commander";
import { type AgentConfig, loadAgentConfig } from "../../agent/config.ts";
import { MeshError } from "../../mesh/errors.ts";
import type { CliContext } from "../context.ts";
import { commonFlags, type DaemonOptions, readConfigFile, withDaemonOptions } from "../daemon.ts";
import { AGENT_CONFIG } from "../places.ts";

export interface SidecarOptions extends DaemonOptions {
  readonly service?: readonly string[];
  readonly client?: readonly string[];
  readonly catalog?: string;
  readonly namespace?: string;
  readonly serviceAccount?: string;
  readonly dataPlane?: string;
}

/** `<run>/<16 hex>/admin.sock` has to fit into 107 bytes (unix(7)). */
const LONGEST_RUN_DIR = 107 - "/0123456789abcdef/admin.sock".length;

export function sidecarCommand(start: (options: SidecarOptions) => Promise<void>): Command {
  const command = new Command("sidecar")
    .description("run the agent of one Nomad allocation, as a task of it")
    .addOption(
      repeated("--service <spec>", "a service of the group: “NAME=PORT tag…”, PORT a label or a number"),
    )
    .addOption(repeated("--client <spec>", "a task that only calls others: “NAME tag…”"))
    .option("--catalog <kind>", "where Nomad registers the services: nomad, consul/NODE or none")
    .option("--namespace <name>", "of the workloads; default: NOMAD_NAMESPACE")
    .option("--service-account <name>", "their identity; default: the job's id")
    .addOption(new Option("--data-plane <kind>", "what carries the traffic").choices(["builtin", "envoy"]));
  return withDaemonOptions(command, AGENT_CONFIG).action(start);
}

/** Throws `config.invalid`, as `lateen agent` does, and when this is no task of Nomad's. */
export function sidecarConfig(options: SidecarOptions, { environment }: CliContext): AgentConfig {
  const { service, client, catalog, namespace, serviceAccount, dataPlane } = options;
  const sidecar = { services: service, clients: client, catalog, namespace, serviceAccount };
  return loadAgentConfig({
    file: readConfigFile(options.config, AGENT_CONFIG),
    environment,
    defaults: sidecarDefaults(environment),
    flags: { ...commonFlags(options), dataPlane, discovery: { kind: "sidecar", sidecar } },
  });
}

/** What is outside the allocation does not go with it. */
export async function forgetRunDir({ runDir }: AgentConfig): Promise<void> {
  if (runDir.startsWith(join(tmpdir(), "lateen-"))) await rm(runDir, { recursive: true, force: true });
}

function sidecarDefaults(environment: CliContext["environment"]): Readonly<Record<string, unknown>> {
  const need = (name: string): string => {
    const value = environment[name];
    if (value !== undefined && value !== "") return value;
    throw new MeshError("config.invalid", `start a sidecar: ${name} is not set`, {
      hint: "it runs as a task of a Nomad job: docs/nomad.md; on a host of its own it is `lateen agent`",
    });
  };
  const [allocation, group, task, secrets, shared] = [
    "ALLOC_ID",
    "GROUP_NAME",
    "TASK_NAME",
    "SECRETS_DIR",
    "ALLOC_DIR",
  ].map((name) => need(`NOMAD_${name}`)) as [string, string, string, string, string];
  const short = allocation.slice(0, 8);
  const runDir = join(secrets, "run");
  return {
    nodeName: `${group}-${short}`,
    stateDir: join(secrets, "lateen", "state"),
    runDir: Buffer.byteLength(runDir) <= LONGEST_RUN_DIR ? runDir : join(tmpdir(), `lateen-${short}-${task}`),
    status: {
      socket: join(shared, "lateen.sock"),
      port: Number(environment["NOMAD_PORT_lateen_status"] ?? 0),
    },
    join: { method: "nomad-jwt" },
  };
}

function repeated(flags: string, description: string): Option {
  return new Option(flags, description).argParser((text: string, before: readonly string[] | undefined) => [
    ...(before ?? []),
    text,
  ]);
}
