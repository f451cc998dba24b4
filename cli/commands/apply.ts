import { Command, Option } from "commander";
import { type ApplyReply, filesBody, type SyncReply } from "../../mesh/admin-api/replies.ts";
import type { SourceFile } from "../../mesh/model/parse-files.ts";
import { type AdminClient, RefusedCall } from "../client.ts";
import type { CliContext, Exit } from "../context.ts";
import { parseDuration } from "../duration.ts";
import { EXIT } from "../exit-codes.ts";
import { readInputs } from "../input-files.ts";
import { objectLabel } from "../kinds.ts";
import { causesText } from "../output/causes.ts";
import { printable } from "../output/table.ts";
import { tellViolations } from "../output/violations.ts";
import {
  type ClientOptions,
  type FileOptions,
  filesOption,
  type NamespaceOptions,
  openClient,
  recursiveOption,
  withClient,
  withNamespace,
} from "./client-options.ts";

/** Without `--wait`, how long a change may take to be reported as synced; what is slower is only told. */
const CASUAL_WAIT_MS = 5_000;

interface ApplyOptions extends ClientOptions, NamespaceOptions, FileOptions {
  readonly dryRun?: "server";
  readonly strict: boolean;
  readonly wait?: string;
}

export function applyCommand(context: CliContext, exit: Exit): Command {
  const command = new Command("apply")
    .description("store configuration objects: all that are given, or none")
    .addOption(filesOption().makeOptionMandatory())
    .addOption(recursiveOption())
    .addOption(new Option("--dry-run <where>", "check and tell, store nothing").choices(["server"]))
    .option("--strict", "refuse on warnings too, such as unknown fields", false)
    .option("--wait <duration>", "fail with 124 unless all proxies have it in time; 0 does not wait");
  return withClient(withNamespace(command, context)).action(async (options: ApplyOptions) => {
    exit(await apply(context, options));
  });
}

async function apply(context: CliContext, options: ApplyOptions): Promise<number> {
  const waitMs = options.wait === undefined ? undefined : parseDuration(options.wait);
  const files = await readInputs(options.filename, context, options);
  await using client = openClient(context, options);
  const started = context.clock.monotonic();
  const reply = await send(client, context, files, options);
  tellViolations(context, reply.violations);
  const changed = reply.objects.some(({ outcome }) => outcome !== "unchanged");
  if (reply.snapshot === undefined || !changed || waitMs === 0) {
    const note = reply.dryRun ? " (server dry run)" : "";
    printOutcomes(context, reply, note);
    tellNotices(context, reply);
    return EXIT.ok;
  }
  const sync = await waitForSync(client, context, reply.snapshot, waitMs ?? CASUAL_WAIT_MS);
  const tookMs = Math.round(context.clock.monotonic() - started);
  printOutcomes(context, reply, ` (${describeSync(sync, tookMs)})`);
  tellNotices(context, reply);
  return concludeSync(context, sync, waitMs !== undefined);
}

async function send(
  client: AdminClient,
  context: CliContext,
  files: readonly SourceFile[],
  { dryRun, strict, namespace }: ApplyOptions,
): Promise<ApplyReply> {
  try {
    return await client.post<ApplyReply>("/v1/apply", filesBody(files), {
      query: { namespace, dryRun: dryRun === "server", strict },
      signal: context.signal,
    });
  } catch (error) {
    if (error instanceof RefusedCall) tellViolations(context, error.violations);
    throw error;
  }
}

async function waitForSync(
  client: AdminClient,
  context: CliContext,
  snapshot: number,
  timeoutMs: number,
): Promise<SyncReply> {
  return await client.get<SyncReply>("/v1/sync", {
    query: { snapshot, timeoutMs: Math.min(timeoutMs, 60_000) },
    timeoutMs: timeoutMs + 10_000,
    signal: context.signal,
  });
}

function describeSync({ acked, total }: SyncReply, tookMs: number): string {
  if (total === 0) return "no proxy is connected";
  return `synced ${acked}/${total} ${total === 1 ? "proxy" : "proxies"} in ${tookMs} ms`;
}

function concludeSync(context: CliContext, sync: SyncReply, insisted: boolean): number {
  for (const { workload, type, message, causes } of sync.rejected) {
    const from = causesText(causes);
    context.stderr.write(`${workload} rejected its new ${type}${from}: ${printable(message)}\n`);
  }
  if (sync.rejected.length > 0) {
    context.stderr.write("these proxies keep what they had\ntry: lateen proxy-status\n");
    return EXIT.negative;
  }
  if (sync.acked === sync.total) return EXIT.ok;
  const left = sync.total - sync.acked;
  const who = left === 1 ? "1 proxy has" : `${left} proxies have`;
  context.stderr.write(`${who} not answered yet\ntry: lateen proxy-status\n`);
  return insisted ? EXIT.timedOut : EXIT.ok;
}

/** What the author may not expect of an object that is stored and in force. */
function tellNotices(context: CliContext, { notices }: ApplyReply): void {
  for (const { kind, namespace, name, message } of notices) {
    const label = `${objectLabel(kind, name)} in ${namespace}`;
    context.stderr.write(`warning: ${label} is in force otherwise than it says: ${printable(message)}\n`);
  }
  if (notices.length > 0) context.stderr.write("try: lateen analyze\n");
}

function printOutcomes(context: CliContext, { objects }: ApplyReply, note: string): void {
  for (const [index, { kind, name, outcome }] of objects.entries()) {
    const last = index === objects.length - 1;
    context.stdout.write(`${objectLabel(kind, name)} ${outcome}${last ? note : ""}\n`);
  }
}
