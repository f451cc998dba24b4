import {
  type List,
  listOf,
  type RegistryReply,
  type ServiceReply,
  type WorkloadReply,
} from "../../mesh/admin-api/replies.ts";
import { MeshError } from "../../mesh/errors.ts";
import type { AdminClient } from "../client.ts";
import type { CliContext } from "../context.ts";
import { formatAge } from "../duration.ts";
import { type Column, type OutputOptions, render } from "./render.ts";
import type { TonedCell } from "./table.ts";

interface Scope extends OutputOptions {
  readonly namespace: string;
  readonly allNamespaces: boolean;
}

export async function listServices(
  context: CliContext,
  client: AdminClient,
  name: string | undefined,
  scope: Scope,
): Promise<void> {
  const { items } = await client.get<List<ServiceReply>>("/v1/services", { signal: context.signal });
  const columns: readonly Column<ServiceReply>[] = [
    { header: "NAME", cell: (service) => service.name },
    { header: "HOST", cell: (service) => service.hostname },
    {
      header: "PORTS",
      cell: ({ ports }) => ports.map(({ number, protocol }) => `${number}/${protocol}`).join(","),
    },
    { header: "HEALTHY", cell: ({ healthy, endpoints }) => `${healthy}/${endpoints}` },
    { header: "MESHED", cell: ({ meshed, endpoints }) => `${meshed}/${endpoints}` },
    { header: "SOURCE", cell: ({ source }) => source },
  ];
  renderScoped(context, inScope("service", items, name, scope), columns, scope, "service");
}

export async function listWorkloads(
  context: CliContext,
  client: AdminClient,
  name: string | undefined,
  scope: Scope,
): Promise<void> {
  const { items } = await client.get<List<WorkloadReply>>("/v1/workloads", { signal: context.signal });
  const now = context.clock.now();
  const columns: readonly Column<WorkloadReply>[] = [
    { header: "NAME", cell: (workload) => workload.name },
    { header: "SERVICE", cell: ({ service }) => service },
    { header: "INBOUND", cell: ({ inbound }) => inbound.join(",") },
    { header: "HEALTH", cell: ({ healthy }) => health(healthy) },
    { header: "DATA PLANE", cell: ({ dataPlane }) => dataPlane },
    { header: "AGENT", cell: ({ agent }) => agent },
    { header: "AGE", cell: ({ registeredAt }) => formatAge(now - Date.parse(registeredAt)) },
    { header: "IDENTITY", cell: ({ spiffeId }) => spiffeId, wide: true },
    { header: "GROUP", cell: ({ group }) => group ?? "", wide: true },
    {
      header: "LABELS",
      cell: ({ labels }) =>
        Object.entries(labels)
          .map(([key, value]) => `${key}=${value}`)
          .join(","),
      wide: true,
    },
  ];
  renderScoped(context, inScope("workload", items, name, scope), columns, scope, "workload");
}

export async function listRegistries(
  context: CliContext,
  client: AdminClient,
  options: OutputOptions,
): Promise<void> {
  const list = await client.get<List<RegistryReply>>("/v1/registries", { signal: context.signal });
  const now = context.clock.now();
  const columns: readonly Column<RegistryReply>[] = [
    { header: "NAME", cell: ({ name }) => name },
    {
      header: "STATE",
      cell: ({ state }) => ({ text: state, tone: state === "current" ? "good" : "warning" }),
    },
    { header: "SINCE", cell: ({ since }) => (since === null ? "" : formatAge(now - Date.parse(since))) },
    { header: "PROBLEMS", cell: ({ problems }) => String(problems.length) },
    { header: "REASON", cell: ({ reason }) => reason ?? "" },
  ];
  const name = (registry: RegistryReply): string => `registry/${registry.name}`;
  render(context, { items: list.items, columns, name, value: list, none: "No registries." }, options);
  if (options.output !== "table" && options.output !== "wide") return;
  for (const { name: registry, problems } of list.items)
    for (const problem of problems) context.stdout.write(`${registry}: ${problem}\n`);
}

function inScope<T extends { readonly name: string; readonly namespace: string }>(
  what: string,
  items: readonly T[],
  name: string | undefined,
  scope: Scope,
): readonly T[] {
  const found = items.filter(
    (item) =>
      (scope.allNamespaces || item.namespace === scope.namespace) &&
      (name === undefined || item.name === name),
  );
  if (found.length > 0 || name === undefined) return found;
  throw new MeshError("admin.not-found", `${what} ${scope.namespace}/${name} does not exist`, {
    hint: `lateen get ${what}s -A lists what there is`,
  });
}

function renderScoped<T extends { readonly name: string; readonly namespace: string }>(
  context: CliContext,
  items: readonly T[],
  columns: readonly Column<T>[],
  scope: Scope,
  what: string,
): void {
  const namespace: Column<T> = { header: "NAMESPACE", cell: (item) => item.namespace };
  render(
    context,
    {
      items,
      columns: scope.allNamespaces ? [namespace, ...columns] : columns,
      name: (item) => `${what}/${item.name}`,
      value: listOf(items),
      none: `No ${what}s found${scope.allNamespaces ? "" : ` in namespace ${scope.namespace}`}.`,
    },
    scope,
  );
}

function health(healthy: boolean): TonedCell {
  return healthy ? { text: "healthy", tone: "good" } : { text: "unhealthy", tone: "bad" };
}
