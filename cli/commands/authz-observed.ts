import { Command, Option } from "commander";
import type {
  AuthzSimulationReply,
  ObservedCallsReply,
  ObservedReply,
} from "../../mesh/admin-api/observed-replies.ts";
import { filesBody } from "../../mesh/admin-api/replies.ts";
import { MeshError } from "../../mesh/errors.ts";
import { RefusedCall } from "../client.ts";
import type { CliContext, Exit } from "../context.ts";
import { formatAge, parseDuration } from "../duration.ts";
import { EXIT } from "../exit-codes.ts";
import { readInputs } from "../input-files.ts";
import { parseKind } from "../kinds.ts";
import { type Column, render } from "../output/render.ts";
import { callsText, tellSimulation } from "../output/simulation.ts";
import { tellViolations } from "../output/violations.ts";
import { workloadCandidates } from "../workload-name.ts";
import {
  type ClientOptions,
  type FormatOptions,
  filesOption,
  type NamespaceOptions,
  openClient,
  recursiveOption,
  withClient,
  withNamespace,
  withOutput,
} from "./client-options.ts";

interface SeenOptions extends ClientOptions, NamespaceOptions, FormatOptions {
  readonly since: string;
}

interface SimulateOptions extends ClientOptions, NamespaceOptions {
  readonly output: "text" | "json";
  readonly since: string;
  readonly filename?: readonly string[];
  readonly recursive: boolean;
  readonly delete: readonly string[];
}

const SINCE = [
  "--since <duration>",
  "how far back, at most the 24 hours that a server keeps",
  "24h",
] as const;

/** `lateen authz seen`. */
export function seenCommand(context: CliContext, exit: Exit): Command {
  const command = new Command("seen")
    .description("calls that proxies have seen come in, by caller and request")
    .argument("[destination]", "the workload that was called; without it, all")
    .option(...SINCE);
  return withClient(withOutput(withNamespace(command, context), context)).action(
    async (to: string | undefined, options: SeenOptions) => {
      exit(await listSeen(context, to, options));
    },
  );
}

/** `lateen authz simulate`. */
export function simulateCommand(context: CliContext, exit: Exit): Command {
  const command = new Command("simulate")
    .description("which of the calls that were seen a draft of policies would change; nothing is applied")
    .addOption(filesOption("the draft: files, directories, or - for standard input"))
    .addOption(recursiveOption())
    .option("--delete <kind/name>", "as if this object were deleted; may be repeated", collect, [])
    .option(...SINCE);
  const output = new Option("-o, --output <format>", "output format").choices(["text", "json"]);
  command.addOption(output.default(context.environment["LATEEN_OUTPUT"] === "json" ? "json" : "text"));
  return withClient(withNamespace(command, context)).action(async (options: SimulateOptions) => {
    exit(await simulate(context, options));
  });
}

function collect(object: string, before: readonly string[]): readonly string[] {
  return [...before, object];
}

async function listSeen(context: CliContext, to: string | undefined, options: SeenOptions): Promise<number> {
  await using client = openClient(context, options);
  const reply = await client.get<ObservedReply>("/v1/observed-calls", {
    query: { sinceMs: parseDuration(options.since) },
    signal: context.signal,
  });
  const wanted = to === undefined ? undefined : workloadCandidates(to, options.namespace);
  const items = reply.items.filter((one) => wanted?.includes(one.to) ?? true);
  render(
    context,
    {
      items,
      columns: seenColumns(context.clock.now()),
      name: callsText,
      value: { ...reply, items },
      none: "No call was seen.",
    },
    options,
  );
  if (reply.leftOut > 0) context.stderr.write(`${leftOutText(reply.leftOut)}\n`);
  return EXIT.ok;
}

function seenColumns(nowMs: number): readonly Column<ObservedCallsReply>[] {
  return [
    { header: "FROM", cell: ({ from }) => from ?? "outside" },
    { header: "TO", cell: ({ to, port }) => `${to}:${port}` },
    { header: "CALL", cell: callsText },
    { header: "HOST", cell: ({ host }) => host, wide: true },
    { header: "TOKEN OF", cell: ({ issuer }) => issuer, wide: true },
    { header: "RESULT", cell: ({ denied }) => (denied ? "denied" : "allowed") },
    { header: "COUNT", cell: ({ count }) => String(count) },
    { header: "LAST SEEN", cell: ({ lastSeen }) => `${formatAge(nowMs - Date.parse(lastSeen))} ago` },
  ];
}

async function simulate(context: CliContext, options: SimulateOptions): Promise<number> {
  const { filename = [], namespace, since } = options;
  if (filename.length + options.delete.length === 0) {
    throw new MeshError("cli.usage", "authz simulate wants a draft: -f, --delete or both");
  }
  const files = await readInputs(filename, context, options);
  const deleted = options.delete.map((text) => objectPath(text, namespace)).join(",");
  await using client = openClient(context, options);
  let reply: AuthzSimulationReply;
  try {
    reply = await client.post<AuthzSimulationReply>("/v1/authz/simulate", filesBody(files), {
      query: { namespace, sinceMs: parseDuration(since), delete: deleted || undefined },
      signal: context.signal,
    });
  } catch (error) {
    if (error instanceof RefusedCall) tellViolations(context, error.violations);
    throw error;
  }
  if (options.output === "json") context.stdout.write(`${JSON.stringify(reply, undefined, 2)}\n`);
  else tellSimulation(context, reply);
  if (reply.compared.leftOut > 0) context.stderr.write(`${leftOutText(reply.compared.leftOut)}\n`);
  if (reply.changes.length > 0) return EXIT.negative;
  return reply.undecided.length > 0 ? EXIT.undecided : EXIT.ok;
}

/** `Kind/namespace/name` from `kind/name` or `kind/namespace/name`. */
function objectPath(text: string, fallback: string): string {
  const [kind = "", ...names] = text.split("/");
  const [namespace, name] = names.length === 2 ? names : [fallback, names[0]];
  if (name === undefined || name === "" || names.length > 2) {
    throw new MeshError("cli.usage", `${JSON.stringify(text)} is no object`, {
      hint: "--delete authorizationpolicy/deny-all",
    });
  }
  return `${parseKind(kind)}/${namespace}/${name}`;
}

function leftOutText(count: number): string {
  return `warning: ${count} further calls were seen and are not told apart: there were too many kinds of them`;
}
