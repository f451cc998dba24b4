import { Command, Option } from "commander";
import { runAgent } from "../../agent/app.ts";
import { loadAgentConfig } from "../../agent/config.ts";
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

interface AgentOptions extends DaemonOptions {
  readonly nodeName?: string;
  readonly dataPlane?: string;
}

export function agentCommand(context: CliContext, exit: Exit): Command {
  const command = new Command("agent")
    .description("run the agent of this host")
    .option("--node-name <name>", "names this host in status and logs")
    .addOption(new Option("--data-plane <kind>", "what carries the traffic").choices(["builtin", "envoy"]));
  return withDaemonOptions(command, AGENT_CONFIG).action(async (options: AgentOptions) => {
    const config = loadAgentConfig({
      file: readConfigFile(options.config, AGENT_CONFIG),
      environment: context.environment,
      flags: { ...commonFlags(options), nodeName: options.nodeName, dataPlane: options.dataPlane },
    });
    const logger = daemonLogger(context, config.logLevel, options.logFormat);
    await runAgent(config, { logger, clock: context.clock, signal: context.signal });
    exit(EXIT.ok);
  });
}
