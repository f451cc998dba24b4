import { Command } from "commander";
import { type List, listOf, type ProxyReply, type ProxyTypeStatus } from "../../mesh/admin-api/replies.ts";
import { MeshError } from "../../mesh/errors.ts";
import type { CliContext, Exit } from "../context.ts";
import { formatAge } from "../duration.ts";
import { EXIT } from "../exit-codes.ts";
import { causesText } from "../output/causes.ts";
import { type Column, render } from "../output/render.ts";
import { printable, type TonedCell } from "../output/table.ts";
import { workloadCandidates, workloadLabel } from "../workload-name.ts";
import {
  type ClientOptions,
  type FormatOptions,
  type NamespaceOptions,
  openClient,
  withClient,
  withNamespace,
  withOutput,
} from "./client-options.ts";

type StatusOptions = ClientOptions & NamespaceOptions & FormatOptions;

export function proxyStatusCommand(context: CliContext, exit: Exit): Command {
  const command = new Command("proxy-status")
    .alias("ps")
    .description("what each connected proxy has of what it should have, and why not")
    .argument("[workload]", "name, name.namespace or namespace/name");
  return withClient(withOutput(withNamespace(command, context), context)).action(
    async (workload: string | undefined, options: StatusOptions) => {
      exit(await proxyStatus(context, workload, options));
    },
  );
}

async function proxyStatus(
  context: CliContext,
  workload: string | undefined,
  options: StatusOptions,
): Promise<number> {
  await using client = openClient(context, options);
  const list = await client.get<List<ProxyReply>>("/v1/proxy-status", { signal: context.signal });
  const items = select(list.items, workload, options.namespace);
  const columns = columnsAt(context.clock.now());
  const name = (proxy: ProxyReply): string => workloadLabel(proxy.workload);
  render(context, { items, columns, name, value: listOf(items), none: "No proxy is connected." }, options);
  if (options.output === "table" || options.output === "wide") tellRejections(context, items);
  return EXIT.ok;
}

function select(
  items: readonly ProxyReply[],
  workload: string | undefined,
  namespace: string,
): readonly ProxyReply[] {
  const sorted = items.toSorted((a, b) => (a.workload < b.workload ? -1 : a.workload > b.workload ? 1 : 0));
  if (workload === undefined) return sorted;
  const wanted = workloadCandidates(workload, namespace);
  const found = sorted.filter((proxy) => wanted.includes(proxy.workload));
  if (found.length > 0) return found;
  throw new MeshError("admin.not-found", `no proxy of workload ${workload} is connected`, {
    hint: "lateen proxy-status lists those that are",
  });
}

function columnsAt(now: number): readonly Column<ProxyReply>[] {
  return [
    { header: "NAME", cell: ({ workload }) => workloadLabel(workload) },
    { header: "CDS", cell: ({ types }) => stateCell(types.cluster, now) },
    { header: "LDS", cell: ({ types }) => stateCell(types.listener, now) },
    { header: "EDS", cell: ({ types }) => stateCell(types.endpoint, now) },
    { header: "RDS", cell: ({ types }) => stateCell(types.route, now) },
    { header: "DATA PLANE", cell: ({ dataPlane, version }) => `${dataPlane} ${version}`.trim() },
    { header: "AGENT", cell: ({ agent }) => agent },
    { header: "CONNECTED", cell: ({ connectedAt }) => formatAge(now - Date.parse(connectedAt)), wide: true },
    { header: "NODE", cell: ({ nodeId }) => nodeId, wide: true },
  ];
}

const TONE: Readonly<Record<ProxyTypeStatus["state"], TonedCell["tone"] | undefined>> = {
  SYNCED: "good",
  STALE: "warning",
  "NOT SENT": "warning",
  REJECTED: "bad",
  IGNORED: undefined,
};

/** `SYNCED (3m)`: since when, where that is known. */
function stateCell({ state, ackedAt, sentAt }: ProxyTypeStatus, now: number): string | TonedCell {
  const since = state === "SYNCED" ? ackedAt : state === "IGNORED" || state === "NOT SENT" ? null : sentAt;
  const text = since === null ? state : `${state} (${formatAge(now - Date.parse(since))})`;
  const tone = TONE[state];
  return tone === undefined ? text : { text, tone };
}

function tellRejections(context: CliContext, items: readonly ProxyReply[]): void {
  for (const { workload, types } of items) {
    for (const [type, { state, rejection, causes }] of Object.entries(types)) {
      if (state !== "REJECTED" || rejection === null) continue;
      const what = `${type}${causesText(causes)}`;
      context.stdout.write(`${workloadLabel(workload)} rejected its new ${what}: ${printable(rejection)}\n`);
    }
  }
}
