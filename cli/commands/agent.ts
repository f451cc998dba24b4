import { Command, InvalidArgumentError, Option } from "commander";
import { runAgent } from "../../agent/app.ts";
import { type AgentConfig, loadAgentConfig } from "../../agent/config.ts";
import type { CliContext, Exit } from "../context.ts";
import {
  commonFlags,
  type DaemonOptions,
  daemonLogger,
  readConfigFile,
  withDaemonOptions,
} from "../daemon.ts";
import { EXIT } from "../exit-codes.ts";
import { AGENT_CONFIG } from "../places.ts";
import { forgetRunDir, sidecarCommand, sidecarConfig } from "./agent-sidecar.ts";

interface AgentOptions extends DaemonOptions {
  readonly nodeName?: string;
  readonly dataPlane?: string;
  readonly gateway?: readonly string[];
  readonly gatewayLabels?: Readonly<Record<string, string>>;
}

export function agentCommand(context: CliContext, exit: Exit): Command {
  const command = new Command("agent")
    .description("run the agent of this host")
    .option("--node-name <name>", "names this host in status and logs")
    .addOption(new Option("--data-plane <kind>", "what carries the traffic").choices(["builtin", "envoy"]))
    .option("--gateway <names...>", "run gateways on this host and nothing else: name, or name.namespace")
    .addOption(
      new Option(
        "--gateway-labels <labels>",
        "what Gateways select them by: key=value, with commas between",
      ).argParser(readLabels),
    );
  const start = async (config: AgentConfig, { logFormat }: DaemonOptions): Promise<void> => {
    const logger = daemonLogger(context, config.logLevel, logFormat);
    const release = new AbortController();
    process.once("SIGUSR2", () => release.abort());
    const { clock, signal } = context;
    await runAgent(config, { logger, clock, signal, released: release.signal });
    exit(EXIT.ok);
  };
  command.addCommand(
    sidecarCommand(async (options) => {
      const config = sidecarConfig(options, context);
      await start(config, options);
      await forgetRunDir(config);
    }),
  );
  return withDaemonOptions(command, AGENT_CONFIG).action(async (options: AgentOptions) => {
    const config = loadAgentConfig({
      file: readConfigFile(options.config, AGENT_CONFIG),
      environment: context.environment,
      flags: {
        ...commonFlags(options),
        nodeName: options.nodeName,
        dataPlane: options.dataPlane,
        ...gatewayFlags(options),
      },
    });
    await start(config, options);
  });
}

/** A host that is told of its gateways here has them and no services. */
function gatewayFlags({ gateway, gatewayLabels }: AgentOptions): Readonly<Record<string, unknown>> {
  if (gateway === undefined) return {};
  const gateways = gateway.map((written) => {
    const [name, ...namespace] = written.split(".");
    return {
      name,
      ...(namespace.length === 0 ? {} : { namespace: namespace.join(".") }),
      ...(gatewayLabels === undefined ? {} : { labels: gatewayLabels }),
    };
  });
  return { gateways, discovery: { kind: "none" } };
}

function readLabels(text: string): Readonly<Record<string, string>> {
  const pairs = text.split(",").map((pair) => pair.split("="));
  const wrong = pairs.find(
    ([key = "", value, ...rest]) => key === "" || value === undefined || rest.length > 0,
  );
  if (wrong !== undefined)
    throw new InvalidArgumentError(`must be key=value, with commas between: ${wrong.join("=")}`);
  return Object.fromEntries(pairs.map(([key = "", value = ""]) => [key.trim(), value.trim()]));
}
