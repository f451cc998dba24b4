import { Command, Option } from "commander";
import {
  ACCESS_ROLES,
  type AccessRole,
  type AccessTokenReply,
  type CreatedAccessTokenReply,
  type List,
} from "../../mesh/admin-api/replies.ts";
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
  readonly role: AccessRole;
  readonly namespaces?: readonly string[];
  readonly ttl: string;
}

export function accessCommand(context: CliContext, exit: Exit): Command {
  const create = new Command("create")
    .description("make an access token, told once")
    .argument("<name>", "who it is for: the name that the audit log will have")
    .addOption(new Option("--role <role>", "what it may do").choices(ACCESS_ROLES).default("viewer"))
    .option("--namespaces <name...>", "only in these namespaces")
    .option("--ttl <duration>", "how long it can be used", "30d")
    .action(async (name: string, options: CreateOptions) => exit(await createAccess(context, name, options)));
  const list = new Command("list")
    .alias("ls")
    .description("the tokens that were made, without their secrets")
    .action(async (options: ClientOptions & FormatOptions) => exit(await listAccess(context, options)));
  const revoke = new Command("revoke")
    .description("make a token useless at once")
    .argument("<id>", "as lateen access list shows it")
    .action(async (id: string, options: ClientOptions) => exit(await revokeAccess(context, id, options)));
  return new Command("access")
    .description("access tokens: who may use the admin API, and for what (docs/access.md)")
    .addCommand(withClient(withOutput(create, context, ["table", "json", "yaml", "name"])))
    .addCommand(withClient(withOutput(list, context)))
    .addCommand(withClient(revoke));
}

async function createAccess(context: CliContext, name: string, options: CreateOptions): Promise<number> {
  await using client = openClient(context, options);
  const { role, namespaces, ttl } = options;
  const body = { name, role, ttlMs: parseDuration(ttl), ...(namespaces === undefined ? {} : { namespaces }) };
  const created = await client.post<CreatedAccessTokenReply>("/v1/access-tokens", body, {
    signal: context.signal,
  });
  if (options.output !== "table") {
    const item = { ...created };
    render(
      context,
      { items: [item], columns: [], name: ({ token }) => token, value: item, none: "" },
      options,
    );
    return EXIT.ok;
  }
  context.stdout.write(`${created.token}\n`);
  const where = namespaces === undefined ? "in the whole mesh" : `in ${namespaces.join(", ")}`;
  context.stderr.write(
    `It is not told again. It has the role ${role} ${where} for ${ttl}: put it into a file that only its user can read,\nand name that in LATEEN_TOKEN_FILE.\n`,
  );
  return EXIT.ok;
}

async function listAccess(context: CliContext, options: ClientOptions & FormatOptions): Promise<number> {
  await using client = openClient(context, options);
  const list = await client.get<List<AccessTokenReply>>("/v1/access-tokens", { signal: context.signal });
  const now = context.clock.now();
  const columns: readonly Column<AccessTokenReply>[] = [
    { header: "ID", cell: ({ id }) => id },
    { header: "NAME", cell: ({ name }) => name },
    { header: "ROLE", cell: ({ role }) => role },
    { header: "NAMESPACES", cell: ({ namespaces }) => namespaces?.join(",") ?? "all" },
    { header: "STATE", cell: ({ state }) => (state === "active" ? { text: state, tone: "good" } : state) },
    {
      header: "EXPIRES",
      cell: ({ state, expiresAt }) =>
        state === "active" ? `in ${formatAge(Date.parse(expiresAt) - now)}` : "",
    },
    {
      header: "LAST USED",
      cell: ({ lastUsedAt }) => (lastUsedAt === null ? "never" : formatAge(now - Date.parse(lastUsedAt))),
    },
    { header: "AGE", cell: ({ createdAt }) => formatAge(now - Date.parse(createdAt)), wide: true },
  ];
  const none = "No access tokens.";
  render(
    context,
    { items: list.items, columns, name: ({ id }) => `access/${id}`, value: list, none },
    options,
  );
  return EXIT.ok;
}

async function revokeAccess(context: CliContext, id: string, options: ClientOptions): Promise<number> {
  await using client = openClient(context, options);
  await client.delete("/v1/access-tokens", { query: { id }, signal: context.signal });
  context.stdout.write(`access/${id} revoked\n`);
  return EXIT.ok;
}
