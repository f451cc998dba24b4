import { Command, Option } from "commander";
import type { CliContext, Exit } from "../context.ts";
import { addService } from "../host/add-service.ts";
import { listServices } from "../host/list-services.ts";
import { removeService } from "../host/remove-service.ts";
import { CONFIG_DIR } from "../places.ts";
import { withNamespace, withOutput } from "./client-options.ts";

export function serviceCommand(context: CliContext, exit: Exit): Command {
  const add = new Command("add")
    .description("put a service of this host into the mesh, or change it")
    .argument("<service>")
    .requiredOption("-p, --port <number>", "the port that callers use and that its application listens on")
    .option(
      "--upstream <service...>",
      "what it calls: service, service:port, service@local-port or service:port@[address:]local-port",
    )
    .addOption(
      new Option("--protocol <name>", "what it speaks")
        .choices(["http", "http2", "grpc", "tcp", "tls"])
        .default("tcp"),
    )
    .option("--vips", "its application calls all services by their names: see lateen host dns")
    .option(
      "--http-proxy <[address:]port>",
      "its application calls all services by HTTP through a proxy: see lateen env",
    )
    .option("--id <id>", "names this instance among those of the host; the service's name if not given")
    .option("--sa <name>", "its service account, which is its identity; the service's name if not given")
    .option("-l, --label <key=value...>", "labels, for subsets and selectors")
    .option("--app <address:port>", "where its application listens, if it is neither loopback nor that port")
    .option("--wait <duration>", "how long to wait until it is served", "15s")
    .action(async (service: string, options) => exit(await addService(context, service, options)));
  const remove = new Command("remove")
    .alias("rm")
    .description("take a service that was added here out of the mesh: its requests finish first")
    .argument("<id>")
    .option("--wait <duration>", "how long to wait until it is gone", "30s")
    .action(async (id: string, options) => exit(await removeService(context, id, options)));
  const list = new Command("list")
    .alias("ls")
    .description("the services of this host")
    .action(async (options) => exit(await listServices(context, options)));
  return new Command("service")
    .description("the services of this host that its agent brings into the mesh")
    .addCommand(withPlaces(withNamespace(add, context)))
    .addCommand(withPlaces(withNamespace(remove, context)))
    .addCommand(withPlaces(withOutput(list, context)));
}

function withPlaces(command: Command): Command {
  return command.option("--dir <path>", "where agent.yaml is", CONFIG_DIR);
}
