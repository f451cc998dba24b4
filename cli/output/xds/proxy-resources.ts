import type { ProxyResourceReply, ProxyResourceType } from "../../../mesh/admin-api/replies.ts";
import type { CliContext } from "../../context.ts";
import { type Column, type OutputOptions, render } from "../render.ts";
import { CLUSTER_COLUMNS, clusterRows } from "./cluster-rows.ts";
import { ENDPOINT_COLUMNS, endpointRows } from "./endpoint-rows.ts";
import { LISTENER_COLUMNS, listenerRows } from "./listener-rows.ts";
import { ROUTE_COLUMNS, routeRows } from "./route-rows.ts";

/** istioctl's tables of what a proxy gets: one for each type, a blank line between them. */
export function renderProxyResources(
  context: CliContext,
  types: readonly ProxyResourceType[],
  items: readonly ProxyResourceReply[],
  options: OutputOptions,
): void {
  for (const [index, type] of types.entries()) {
    if (index > 0) context.stdout.write("\n");
    renderType(
      context,
      type,
      items.filter((item) => item.type === type),
      options,
    );
  }
}

function renderType(
  context: CliContext,
  shown: ProxyResourceType,
  items: readonly ProxyResourceReply[],
  options: OutputOptions,
): void {
  const show = <T extends { readonly resource: string }>(
    rows: readonly T[],
    columns: readonly Column<T>[],
  ): void =>
    render(
      context,
      { items: rows, columns, name: ({ resource }) => resource, value: items, none: `No ${shown}s.` },
      options,
    );
  switch (shown) {
    case "cluster":
      show(items.flatMap(clusterRows), CLUSTER_COLUMNS);
      return;
    case "listener":
      show(items.flatMap(listenerRows), LISTENER_COLUMNS);
      return;
    case "route":
      show(items.flatMap(routeRows), ROUTE_COLUMNS);
      return;
    case "endpoint":
      show(items.flatMap(endpointRows), ENDPOINT_COLUMNS);
      return;
    default:
      shown satisfies never;
  }
}
