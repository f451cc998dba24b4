import { Command, Option } from "commander";
import type { WorkloadStatus } from "../../mesh/admin-api/agent-status.ts";
import { MeshError } from "../../mesh/errors.ts";
import type { CliContext, Exit } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { agentStatus } from "../host/agent-socket.ts";
import { serviceEnvironment } from "../host/service-environment.ts";
import { joinedConfig } from "../host/service-places.ts";
import { CONFIG_DIR } from "../places.ts";
import { withNamespace } from "./client-options.ts";

interface EnvOptions {
  readonly dir: string;
  readonly namespace: string;
  readonly output: "shell" | "systemd" | "json";
}

export function envCommand(context: CliContext, exit: Exit): Command {
  const command = new Command("env")
    .description(
      'environment variables by which an application of this host calls services: eval "$(lateen env web)"',
    )
    .argument("[service]", "whose application it is; the only one with a way out if not given")
    .option("--dir <path>", "where agent.yaml is", CONFIG_DIR)
    .addOption(
      new Option("-o, --output <format>", "shell: to be evaluated; systemd: an EnvironmentFile")
        .choices(["shell", "systemd", "json"])
        .default("shell"),
    )
    .action(async (service: string | undefined, options: EnvOptions) =>
      exit(await printEnvironment(context, service, options)),
    );
  return withNamespace(command, context);
}

async function printEnvironment(
  context: CliContext,
  service: string | undefined,
  options: EnvOptions,
): Promise<number> {
  const status = await agentStatus(joinedConfig(context, options.dir).runDir, context.signal);
  if (status === undefined)
    throw new MeshError("cli.unreachable", "read the environment: no agent runs on this host", {
      hint: "systemctl start lateen-agent, or lateen agent",
    });
  const variables = serviceEnvironment(chosen(status.workloads, service, options.namespace));
  const lines = Object.entries(variables).map(([name, value]) =>
    options.output === "shell" ? `export ${name}='${value}'` : `${name}="${value}"`,
  );
  const text = options.output === "json" ? JSON.stringify(variables, undefined, 2) : lines.join("\n");
  context.stdout.write(`${text}\n`);
  return EXIT.ok;
}

function chosen(
  workloads: readonly WorkloadStatus[],
  service: string | undefined,
  namespace: string,
): WorkloadStatus {
  const found = workloads.filter(({ workload, httpProxy, upstreams }) =>
    service === undefined
      ? httpProxy !== undefined || upstreams.length > 0
      : workload === `${namespace}/${service}`,
  );
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  const names = workloads.map(({ workload }) => workload).join(", ");
  throw new MeshError(
    "cli.usage",
    service === undefined
      ? `choose a service: ${found.length === 0 ? "none" : "more than one"} of this host has upstreams or a forward proxy`
      : `${namespace}/${service} is not on this host`,
    { hint: names === "" ? "lateen service add" : `lateen env <service>, one of ${names}` },
  );
}
