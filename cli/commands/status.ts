import { join } from "node:path";
import { Command } from "commander";
import { loadAgentConfig } from "../../agent/config.ts";
import type { AgentStatus, WorkloadStatus } from "../../mesh/admin-api/agent-status.ts";
import { AdminClient } from "../client.ts";
import type { CliContext, Exit } from "../context.ts";
import { commonFlags, type DaemonOptions, readConfigFile } from "../daemon.ts";
import { EXIT } from "../exit-codes.ts";
import { tellFindings } from "../output/findings.ts";
import { type Column, render } from "../output/render.ts";
import { AGENT_CONFIG } from "../places.ts";
import { type FormatOptions, withOutput } from "./client-options.ts";

type Options = FormatOptions & Pick<DaemonOptions, "config" | "runDir">;

const COLUMNS: readonly Column<WorkloadStatus>[] = [
  { header: "WORKLOAD", cell: ({ workload }) => workload },
  { header: "STATE", cell: ({ state }) => state },
  { header: "CONFIGURATION", cell: ({ configuration }) => configuration },
  { header: "SVID ENDS", cell: ({ svidExpires }) => svidExpires ?? "" },
  { header: "DATA PLANE", cell: ({ dataPlane }) => dataPlane.kind },
  { header: "REASON", cell: ({ reason }) => reason ?? "" },
];

export function statusCommand(context: CliContext, exit: Exit): Command {
  const command = new Command("status")
    .description("how this host's agent is: exits with 0 when every workload is served, else with 1")
    .option("--config <file>", `the agent's configuration (default: ${AGENT_CONFIG}, if it exists)`)
    .option("--run-dir <path>", "where its sockets are")
    .action(async (options: Options) => exit(await showStatus(context, options)));
  return withOutput(command, context);
}

async function showStatus(context: CliContext, options: Options): Promise<number> {
  const { runDir } = loadAgentConfig({
    file: readConfigFile(options.config, AGENT_CONFIG),
    environment: context.environment,
    flags: commonFlags(options),
  });
  const endpoint = { socketPath: join(runDir, "agent.sock") };
  await using agent = new AdminClient(endpoint, "start the agent (lateen agent), or name its --run-dir");
  const status = await agent.get<AgentStatus>("/status", { signal: context.signal });
  if (options.output === "table" || options.output === "wide") tellHost(context, status);
  const { workloads } = status;
  const none = "No workload is on this host.";
  const name = ({ workload }: WorkloadStatus): string => `workload/${workload}`;
  render(context, { items: workloads, columns: COLUMNS, name, value: status, none }, options);
  const isWell = status.server.problem === undefined && workloads.every(({ state }) => state === "serving");
  return isWell ? EXIT.ok : EXIT.negative;
}

function tellHost(context: CliContext, { agent, server, dns, problems }: AgentStatus): void {
  const { stdout } = context;
  const { address, connected, problem } = server;
  stdout.write(`agent   ${agent.id}, certificate until ${agent.certificateExpires}\n`);
  stdout.write(`server  ${address}, ${connected ? "connected" : "not connected"}\n`);
  const places = dns.listening.flatMap(({ at, problem }) => (problem === undefined ? [at] : []));
  if (places.length > 0) stdout.write(`dns     ${places.join(", ")}, ${dns.hosts} hosts of the mesh\n`);
  if (problem !== undefined)
    stdout.write(`\nTHIS HOST IS NOT OF THE MESH ANY MORE: ${problem.message}\n${problem.hint}\n`);
  if (problems.length > 0) {
    stdout.write("\n");
    tellFindings(context, problems);
  }
  stdout.write("\n");
}
