import { join, resolve } from "node:path";
import { Command } from "commander";
import { loadServerConfig } from "../../controlplane/config.ts";
import type { CliContext, Exit } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { writeNewConfig } from "../new-file.ts";
import { toYaml } from "../output/render.ts";
import { CONFIG_DIR, SERVER_CONFIG } from "../places.ts";

interface InitOptions {
  readonly dir: string;
  readonly trustDomain: string;
  readonly advertise?: readonly string[];
  readonly stateDir?: string;
  readonly runDir?: string;
  readonly consul?: string;
}

export function initCommand(context: CliContext, exit: Exit): Command {
  return new Command("init")
    .description("write the server's configuration and say what comes next")
    .option("--dir <path>", "where to", CONFIG_DIR)
    .option(
      "--trust-domain <name>",
      "names every identity of the mesh; cannot be changed later",
      "cluster.local",
    )
    .option("--advertise <host:port...>", "how agents reach this server; goes into join tokens")
    .option("--state-dir <path>", "where the server keeps its state")
    .option("--run-dir <path>", "where its sockets are")
    .option("--consul <url>", "read the catalog of this Consul")
    .action((options: InitOptions) => exit(init(context, options)));
}

function init(context: CliContext, options: InitOptions): number {
  const path = join(resolve(options.dir), "server.yaml");
  const flags = {
    trustDomain: options.trustDomain,
    ...(options.stateDir === undefined ? {} : { stateDir: resolve(options.stateDir) }),
    ...(options.runDir === undefined ? {} : { runDir: resolve(options.runDir) }),
    ...(options.advertise === undefined ? {} : { agents: { advertise: options.advertise } }),
    ...(options.consul === undefined ? {} : { consul: { address: options.consul } }),
  };
  const config = loadServerConfig({ file: undefined, environment: {}, flags });
  writeNewConfig(path, `# lateen server: docs/config.md has every key and its default.\n${toYaml(flags)}`);
  const start = path === SERVER_CONFIG ? "lateen server" : `lateen server --config ${path}`;
  const address =
    options.runDir === undefined ? "" : `  export LATEEN_ADDR=unix://${join(config.runDir, "admin.sock")}\n`;
  context.stdout.write(`wrote ${path}

Next:
  ${start}
${address}  lateen token create

The last one prints the line that lets another host in: lateen join lateen1.…
`);
  return EXIT.ok;
}
