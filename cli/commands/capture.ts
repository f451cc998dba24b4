import { Command, InvalidArgumentError, Option } from "commander";
import type { CliContext, Exit } from "../context.ts";
import {
  applyCapture,
  type CaptureOptions,
  checkCapture,
  confirmCapture,
  expireCapture,
  planCapture,
  removeCapture,
  restoreCapture,
} from "../host/capture.ts";
import { CONFIG_DIR } from "../places.ts";
import { withOutput } from "./client-options.ts";

export function captureCommand(context: CliContext, exit: Exit): Command {
  const plan = new Command("plan")
    .description("the rules that would send connections of this host's services to their proxies")
    .addOption(dnsOption())
    .action(async (options) => exit(await planCapture(context, options)));
  const apply = new Command("apply")
    .description("put the rules into force; they go by themselves unless they are confirmed")
    .option("--within <duration>", "how long they stay without being confirmed", "60s")
    .option("--confirm", "at once: they stay, over reboots too", false)
    .addOption(dnsOption())
    .action(async (options) => exit(await applyCapture(context, options)));
  const confirm = new Command("confirm")
    .description("let the rules that were applied stay, over reboots too")
    .action(async (options) => exit(await confirmCapture(context, options)));
  const check = new Command("check")
    .description("whether the rules are in force and nobody's are in their way; exits with 1 when not")
    .action(async (options) => exit(await checkCapture(context, options)));
  const remove = new Command("remove")
    .description("take the rules away; connections that were captured may end first")
    .option("--drain <duration>", "how long they may take", "30s")
    .action(async (options) => exit(await removeCapture(context, options)));
  const restore = new Command("restore")
    .description("put what was confirmed into force again, as at a boot")
    .option("--wait <duration>", "how long proxies may take to listen", "60s")
    .action(async (options) => exit(await restoreCapture(context, options)));
  const expire = new Command("expire")
    .argument("<mark>")
    .action(async (mark: string, options: CaptureOptions) =>
      exit(await expireCapture(context, mark, options)),
    );
  const command = new Command("capture").description(
    "rules of this host that send connections of services to their proxies, and back",
  );
  for (const one of [plan, withOutput(check, context, ["table", "json", "yaml", "name"])])
    command.addCommand(withPlaces(one));
  for (const one of [apply, confirm, remove, restore]) command.addCommand(withPlaces(one));
  return command.addCommand(withPlaces(expire), { hidden: true });
}

function withPlaces(command: Command): Command {
  return command
    .option("--dir <path>", "where agent.yaml is", CONFIG_DIR)
    .option("--run-dir <path>", "where the agent's sockets are")
    .option("--nft <path>", "the program nft");
}

function dnsOption(): Option {
  return new Option(
    "--dns <port>",
    "send the services' questions to name servers to this port of the host, too",
  ).argParser((text) => {
    const port = Number(text);
    if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
    throw new InvalidArgumentError("must be a port from 1 to 65535");
  });
}
