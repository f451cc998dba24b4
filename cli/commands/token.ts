import { Command } from "commander";
import type { CreatedTokenReply, List, TokenReply } from "../../mesh/admin-api/replies.ts";
import type { CliContext, Exit } from "../context.ts";
import { formatAge, parseDuration } from "../duration.ts";
import { EXIT } from "../exit-codes.ts";
import { type Column, render } from "../output/render.ts";
import {
  type ClientOptions,
  type FormatOptions,
  openClient,
  withClient,
  withOutput,
} from "./client-options.ts";

interface CreateOptions extends ClientOptions, FormatOptions {
  readonly ttl: string;
  readonly namespace?: string;
  readonly sa?: readonly string[];
  readonly node?: string;
  readonly cidr?: readonly string[];
}

export function tokenCommand(context: CliContext, exit: Exit): Command {
  const create = new Command("create")
    .description("make a join token: one use, told once")
    .option("--ttl <duration>", "how long it can be used", "15m")
    .option("-n, --namespace <name>", "only for workloads of this namespace")
    .option("--sa <name...>", "only for these service accounts")
    .option("--node <name>", "only for the host of this name")
    .option("--cidr <range...>", "only from these addresses, as in 10.1.0.0/16")
    .action(async (options: CreateOptions) => exit(await createToken(context, options)));
  const list = new Command("list")
    .alias("ls")
    .description("the tokens that were made, without their secrets")
    .action(async (options: ClientOptions & FormatOptions) => exit(await listTokens(context, options)));
  const revoke = new Command("revoke")
    .description("make a token useless")
    .argument("<id>", "as lateen token list shows it")
    .action(async (id: string, options: ClientOptions) => exit(await revokeToken(context, id, options)));
  return new Command("token")
    .description("join tokens: what lets a host into the mesh")
    .addCommand(withClient(withOutput(create, context, ["table", "json", "yaml", "name"])))
    .addCommand(withClient(withOutput(list, context)))
    .addCommand(withClient(revoke));
}

async function createToken(context: CliContext, options: CreateOptions): Promise<number> {
  await using client = openClient(context, options);
  const body = {
    ttlMs: parseDuration(options.ttl),
    ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
    ...(options.sa === undefined ? {} : { serviceAccounts: options.sa }),
    ...(options.node === undefined ? {} : { node: options.node }),
    ...(options.cidr === undefined ? {} : { cidrs: options.cidr }),
  };
  const created = await client.post<CreatedTokenReply>("/v1/tokens", body, { signal: context.signal });
  if (options.output !== "table") {
    const item = { ...created };
    render(
      context,
      { items: [item], columns: [], name: ({ token }) => token, value: item, none: "" },
      options,
    );
    return EXIT.ok;
  }
  context.stdout.write(`lateen join ${created.token}\n`);
  context.stderr.write(`Run this on the host that is to join. It works once, within ${options.ttl}.\n`);
  return EXIT.ok;
}

async function listTokens(context: CliContext, options: ClientOptions & FormatOptions): Promise<number> {
  await using client = openClient(context, options);
  const list = await client.get<List<TokenReply>>("/v1/tokens", { signal: context.signal });
  const now = context.clock.now();
  const columns: readonly Column<TokenReply>[] = [
    { header: "ID", cell: ({ id }) => id },
    { header: "STATE", cell: ({ state }) => (state === "active" ? { text: state, tone: "good" } : state) },
    { header: "EXPIRES", cell: (token) => expiry(token, now) },
    { header: "NAMESPACE", cell: ({ binding }) => binding.namespace ?? "any" },
    { header: "SERVICE ACCOUNTS", cell: ({ binding }) => binding.serviceAccounts?.join(",") ?? "any" },
    { header: "NODE", cell: ({ binding }) => binding.node ?? "any" },
    { header: "FROM", cell: ({ binding }) => binding.cidrs?.join(",") ?? "any", wide: true },
    { header: "USED BY", cell: ({ usedBy }) => usedBy ?? "" },
    { header: "AGE", cell: ({ createdAt }) => formatAge(now - Date.parse(createdAt)), wide: true },
  ];
  const none = "No join tokens.";
  render(
    context,
    { items: list.items, columns, name: ({ id }) => `token/${id}`, value: list, none },
    options,
  );
  return EXIT.ok;
}

function expiry({ state, expiresAt }: TokenReply, now: number): string {
  return state === "active" ? `in ${formatAge(Date.parse(expiresAt) - now)}` : "";
}

async function revokeToken(context: CliContext, id: string, options: ClientOptions): Promise<number> {
  await using client = openClient(context, options);
  await client.delete("/v1/tokens", { query: { id }, signal: context.signal });
  context.stdout.write(`token/${id} revoked\n`);
  return EXIT.ok;
}
