import { Command } from "commander";
import type { BanReply } from "../../mesh/admin-api/ca-replies.ts";
import type { List } from "../../mesh/admin-api/replies.ts";
import type { CliContext, Exit } from "../context.ts";
import { formatAge } from "../duration.ts";
import { EXIT } from "../exit-codes.ts";
import { type Column, render } from "../output/render.ts";
import {
  type ClientOptions,
  type FormatOptions,
  openClient,
  withClient,
  withOutput,
} from "./client-options.ts";

interface BanOptions extends ClientOptions {
  readonly reason?: string;
}

const UNKNOWN_SERIAL =
  "warning: this mesh knows no certificate of that serial that is still good, so nobody is refused by the ban; it is kept\n" +
  "(lateen audit list shows certificates as they are issued; ban identity and ban host need no serial)\n";

const TARGETS = {
  serial: "one certificate, by its serial number",
  identity: "everyone with a SPIFFE ID, on every host",
  host: "a host: its agent and every certificate that it was given",
} as const;

export function banCommand(context: CliContext, exit: Exit): Command {
  const ban = new Command("ban").description(
    "refuse a certificate, an identity or a host, everywhere and at once",
  );
  for (const [kind, description] of Object.entries(TARGETS)) {
    const command = new Command(kind)
      .description(description)
      .argument(`<${kind}>`)
      .option("--reason <text>", "why, for those who look later")
      .action(async (value: string, options: BanOptions) =>
        exit(await addBan(context, kind, value, options)),
      );
    ban.addCommand(withClient(command));
  }
  const list = new Command("list")
    .alias("ls")
    .description("who is banned")
    .action(async (options: ClientOptions & FormatOptions) => exit(await listBans(context, options)));
  return ban.addCommand(withClient(withOutput(list, context)));
}

export function unbanCommand(context: CliContext, exit: Exit): Command {
  const unban = new Command("unban").description("lift a ban");
  for (const kind of Object.keys(TARGETS)) {
    const command = new Command(kind)
      .description(`as lateen ban list shows it`)
      .argument(`<${kind}>`)
      .action(async (value: string, options: ClientOptions) =>
        exit(await liftBan(context, kind, value, options)),
      );
    unban.addCommand(withClient(command));
  }
  return unban;
}

async function addBan(
  context: CliContext,
  kind: string,
  value: string,
  options: BanOptions,
): Promise<number> {
  await using client = openClient(context, options);
  const body = { kind, value, reason: options.reason ?? "" };
  const { items } = await client.post<List<BanReply>>("/v1/bans", body, { signal: context.signal });
  for (const ban of items) {
    context.stdout.write(`${nameOf(ban)} banned\n`);
    if (ban.kind === "serial" && ban.certificates === 0) context.stderr.write(UNKNOWN_SERIAL);
  }
  return EXIT.ok;
}

async function liftBan(
  context: CliContext,
  kind: string,
  value: string,
  options: ClientOptions,
): Promise<number> {
  await using client = openClient(context, options);
  await client.delete("/v1/bans", { query: { kind, value }, signal: context.signal });
  context.stdout.write(`${kind}/${value} is not banned any more\n`);
  return EXIT.ok;
}

async function listBans(context: CliContext, options: ClientOptions & FormatOptions): Promise<number> {
  await using client = openClient(context, options);
  const list = await client.get<List<BanReply>>("/v1/bans", { signal: context.signal });
  const now = context.clock.now();
  const columns: readonly Column<BanReply>[] = [
    { header: "KIND", cell: ({ kind }) => kind },
    { header: "BANNED", cell: ({ value, host }) => host ?? value },
    { header: "AGE", cell: ({ since }) => formatAge(now - Date.parse(since)) },
    { header: "REASON", cell: ({ reason }) => reason },
    { header: "AGENT", cell: ({ kind, value }) => (kind === "host" ? value : ""), wide: true },
  ];
  const none = "Nobody is banned.";
  render(context, { items: list.items, columns, name: nameOf, value: list, none }, options);
  return EXIT.ok;
}

function nameOf({ kind, value, host }: BanReply): string {
  return `${kind}/${host ?? value}`;
}
