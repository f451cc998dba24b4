import { join } from "node:path";
import { Command } from "commander";
import { verifyAudit } from "../../controlplane/offline.ts";
import type { AuditRecordReply, AuditReply } from "../../mesh/admin-api/replies.ts";
import { MeshError, messageOf } from "../../mesh/errors.ts";
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

interface ListOptions extends ClientOptions, FormatOptions {
  readonly count: string;
}

interface VerifyOptions {
  readonly dir: string;
  readonly expect?: string;
}

const DEFAULT_DIRECTORY = "/var/lib/lateen/server/audit";

export function auditCommand(context: CliContext, exit: Exit): Command {
  const list = new Command("list")
    .alias("ls")
    .description("the newest records")
    .option("-c, --count <number>", "how many", "50")
    .action(async (options: ListOptions) => exit(await listAudit(context, options)));
  const verify = new Command("verify")
    .description("check, on the server's host, that nothing was changed, left out or put in")
    .option("--dir <path>", "where the log is: <state>/audit of the server", DEFAULT_DIRECTORY)
    .option("--expect <seq:hash>", "a head that was noted earlier, and that the log must have")
    .action(async (options: VerifyOptions) => exit(await verifyLog(context, options)));
  return new Command("audit")
    .description("who did what to the mesh (docs/access.md)")
    .addCommand(withClient(withOutput(list, context)))
    .addCommand(verify);
}

async function listAudit(context: CliContext, options: ListOptions): Promise<number> {
  await using client = openClient(context, options);
  const reply = await client.get<AuditReply>("/v1/audit", {
    query: { count: options.count },
    signal: context.signal,
  });
  const now = context.clock.now();
  const columns: readonly Column<AuditRecordReply>[] = [
    { header: "SEQ", cell: ({ seq }) => String(seq) },
    { header: "AGE", cell: ({ at }) => formatAge(now - Date.parse(at)) },
    { header: "ACTOR", cell: ({ actor }) => actor },
    { header: "FROM", cell: ({ from }) => from ?? "" },
    { header: "ACTION", cell: ({ action }) => action },
    {
      header: "OUTCOME",
      cell: ({ outcome }) => ({ text: outcome, tone: outcome === "done" ? "good" : "warning" }),
    },
    { header: "DETAILS", cell: ({ details }) => (details === undefined ? "" : JSON.stringify(details)) },
  ];
  render(
    context,
    {
      items: reply.records,
      columns,
      name: ({ seq }) => `audit/${seq}`,
      value: reply,
      none: "No records.",
    },
    options,
  );
  if (options.output === "table") context.stderr.write(`head ${reply.head.seq}:${reply.head.hash}\n`);
  if (reply.lost > 0) {
    context.stderr.write(`warning: ${reply.lost} records could not be written since the server started\n`);
  }
  return EXIT.ok;
}

async function verifyLog(context: CliContext, { dir, expect }: VerifyOptions): Promise<number> {
  const verdict = await verifyAudit(dir, parseHead(expect)).catch((cause: unknown) => {
    throw new MeshError("cli.usage", `read the audit log in ${dir}: ${messageOf(cause)}`, {
      cause,
      hint: `as the server's user: lateen audit verify --dir ${join("<state>", "audit")}`,
    });
  });
  if (!verdict.ok) {
    throw new MeshError("audit.broken", `${verdict.file}:${verdict.line}: ${verdict.reason}`, {
      hint: "nobody but the server writes into it: find out who did, and treat the host as compromised until then",
    });
  }
  const { first, head } = verdict;
  if (first === 0) context.stdout.write("ok: the log has no record\n");
  else context.stdout.write(`ok: records ${first} to ${head.seq} are whole, head ${head.seq}:${head.hash}\n`);
  return EXIT.ok;
}

function parseHead(text: string | undefined): { readonly seq: number; readonly hash: string } | undefined {
  if (text === undefined) return undefined;
  const [, seq, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (seq !== undefined && hash !== undefined) return { seq: Number(seq), hash };
  throw new MeshError("cli.usage", `${JSON.stringify(text)} is not a head`, {
    hint: "number:hash, as lateen audit list and verify print it",
  });
}
