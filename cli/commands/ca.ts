import { Command } from "commander";
import type { CaReply, CaRootsReply } from "../../mesh/admin-api/ca-replies.ts";
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

type Authority = CaReply["authorities"][number];
type Options = ClientOptions & FormatOptions;

interface StepOptions extends Options {
  readonly force?: boolean;
}

/** Keys are made, and remote signers answer, in their own time. */
const PREPARE_TIMEOUT_MS = 120_000;

const STEPS = {
  activate: "let the prepared CA sign; hosts renew their certificates over the configured time",
  taint: "have whoever still uses the old CA renew at once",
  revoke: "take the trust from the old CA, for good",
  abort: "take a prepared CA away, or let the one before sign again",
} as const;

export function caCommand(context: CliContext, exit: Exit): Command {
  const status = new Command("status")
    .description("the authorities, and what the rotation under way waits for")
    .action(async (options: Options) => exit(await showStatus(context, options)));
  const prepare = new Command("prepare")
    .description("make the next CA and tell every host to trust it; it does not sign yet")
    .option("--walk", "let the other steps follow by themselves, each when the hosts are ready", false)
    .action(async (options: Options & { readonly walk: boolean }) => exit(await prepareCa(context, options)));
  const root = new Command("root")
    .description("the mesh's roots in PEM, as LATEEN_CACERT wants them")
    .action(async (options: ClientOptions) => exit(await printRoots(context, options)));
  const ca = new Command("ca")
    .description("the mesh's certificate authority and its rotation")
    .addCommand(withClient(withOutput(status, context)))
    .addCommand(withClient(withOutput(prepare, context)))
    .addCommand(withClient(root));
  for (const [step, description] of Object.entries(STEPS)) {
    const command = new Command(step)
      .description(description)
      .option("--force", "although hosts are not ready for it: their calls may fail")
      .action(async (options: StepOptions) => exit(await takeStep(context, step, options)));
    ca.addCommand(withClient(withOutput(command, context)));
  }
  return ca;
}

async function showStatus(context: CliContext, options: Options): Promise<number> {
  await using client = openClient(context, options);
  print(context, await client.get<CaReply>("/v1/ca", { signal: context.signal }), options);
  return EXIT.ok;
}

async function printRoots(context: CliContext, options: ClientOptions): Promise<number> {
  await using client = openClient(context, options);
  const { roots } = await client.get<CaRootsReply>("/v1/ca/roots", { signal: context.signal });
  context.stdout.write(roots.map((root) => `${root.trimEnd()}\n`).join(""));
  return EXIT.ok;
}

async function prepareCa(
  context: CliContext,
  options: Options & { readonly walk: boolean },
): Promise<number> {
  await using client = openClient(context, options);
  const { signal } = context;
  const call = { signal, timeoutMs: PREPARE_TIMEOUT_MS };
  print(context, await client.post<CaReply>("/v1/ca/prepare", { walk: options.walk }, call), options);
  return EXIT.ok;
}

async function takeStep(context: CliContext, step: string, options: StepOptions): Promise<number> {
  await using client = openClient(context, options);
  const body = { step, force: options.force === true };
  print(context, await client.post<CaReply>("/v1/ca/step", body, { signal: context.signal }), options);
  return EXIT.ok;
}

function print(context: CliContext, reply: CaReply, options: FormatOptions): void {
  const now = context.clock.now();
  const columns: readonly Column<Authority>[] = [
    { header: "ID", cell: ({ id }) => id.slice(0, 16) },
    { header: "STATE", cell: ({ state }) => (state === "active" ? { text: state, tone: "good" } : state) },
    { header: "KEY", cell: ({ key }) => key },
    { header: "ROOT", cell: ({ isRoot }) => (isRoot ? "self" : "above") },
    { header: "CROSS-SIGNED", cell: ({ crossSigned }) => (crossSigned ? "yes" : "no") },
    { header: "EXPIRES", cell: ({ notAfter }) => `in ${formatAge(Date.parse(notAfter) - now)}` },
    { header: "SINCE", cell: ({ since }) => formatAge(now - Date.parse(since)) },
    { header: "SUBJECT", cell: ({ subject }) => subject, wide: true },
  ];
  const none = "No authority.";
  const items = reply.authorities;
  render(context, { items, columns, name: ({ id }) => `ca/${id}`, value: reply, none }, options);
  if (options.output !== "table" && options.output !== "wide") return;
  for (const line of remarks(reply)) context.stderr.write(`${line}\n`);
}

function remarks({ next, walks, away, bansReachPeers, source }: CaReply): readonly string[] {
  const lines: string[] = [];
  if (next !== null) {
    const ready = next.waitsFor.length === 0;
    const wait = ready ? "all hosts are ready for it" : `waits for ${listed(next.waitsFor)}`;
    lines.push(`Next: ${next.step} (${wait})${walks ? ", by itself" : ""}.`);
  }
  if (next !== null && away.length > 0) lines.push(`Away, and not waited for: ${listed(away)}.`);
  if (!bansReachPeers) {
    lines.push(
      `Bans hold for calls of the server only: leaves under this root are not all ours (${source}).`,
    );
  }
  return lines;
}

function listed(names: readonly string[]): string {
  return names.length > 10
    ? `${names.slice(0, 10).join(", ")} and ${names.length - 10} more`
    : names.join(", ");
}
