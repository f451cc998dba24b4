import { Command } from "commander";
import { serviceNotifier } from "../../agent/host/notify.ts";
import { runServer } from "../../controlplane/app.ts";
import { loadServerConfig } from "../../controlplane/config.ts";
import type { CliContext, Exit } from "../context.ts";
import {
  commonFlags,
  type DaemonOptions,
  daemonLogger,
  readConfigFile,
  withDaemonOptions,
} from "../daemon.ts";
import { EXIT } from "../exit-codes.ts";
import { SERVER_CONFIG } from "../places.ts";

interface ServerOptions extends DaemonOptions {
  readonly trustDomain?: string;
  readonly consul?: string;
  readonly nomad?: string;
}

export function serverCommand(context: CliContext, exit: Exit): Command {
  const command = new Command("server")
    .description("run the control plane")
    .option("--trust-domain <name>", "names every identity of the mesh; cannot be changed later")
    .option("--consul <url>", "read the catalog of this Consul")
    .option("--nomad <url>", "read the native services of this Nomad");
  return withDaemonOptions(command, SERVER_CONFIG).action(async (options: ServerOptions) => {
    const config = loadServerConfig({
      file: readConfigFile(options.config, SERVER_CONFIG),
      environment: context.environment,
      flags: {
        ...commonFlags(options),
        trustDomain: options.trustDomain,
        ...(options.consul === undefined ? {} : { consul: { address: options.consul } }),
        ...(options.nomad === undefined ? {} : { nomad: { address: options.nomad } }),
      },
    });
    const logger = daemonLogger(context, config.logLevel, options.logFormat);
    const { clock, environment, signal } = context;
    const serviceManager = serviceNotifier({ environment, clock, logger, pid: process.pid });
    await runServer(config, { logger, clock, signal, serviceManager });
    exit(EXIT.ok);
  });
}
