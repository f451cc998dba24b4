import { Argument, Command } from "commander";
import {
  type List,
  listOf,
  PROXY_RESOURCE_TYPES,
  type ProxyResourceReply,
  type ProxyResourceType,
} from "../../mesh/admin-api/replies.ts";
import { MeshError } from "../../mesh/errors.ts";
import { type AdminClient, apiPath } from "../client.ts";
import type { CliContext, Exit } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { type Column, render } from "../output/render.ts";
import { CLUSTER_COLUMNS, clusterRows } from "../output/xds/cluster-rows.ts";
import { ENDPOINT_COLUMNS, endpointRows } from "../output/xds/endpoint-rows.ts";
import { LISTENER_COLUMNS, listenerRows } from "../output/xds/listener-rows.ts";
import { ROUTE_COLUMNS, routeRows } from "../output/xds/route-rows.ts";
import { workloadCandidates } from "../workload-name.ts";
import {
  type ClientOptions,
  type FormatOptions,
  type NamespaceOptions,
  openClient,
  withClient,
  withNamespace,
  withOutput,
} from "./client-options.ts";

type ConfigOptions = ClientOptions & NamespaceOptions & FormatOptions;

/** Singular, plural and istioctl's abbreviations. */
const TYPE_WORDS: Readonly<Record<string, ProxyResourceType | "all">> = {
  all: "all",
  cluster: "cluster",
  clusters: "cluster",
  c: "cluster",
  listener: "listener",
  listeners: "listener",
  l: "listener",
  route: "route",
  routes: "route",
  r: "route",
  endpoint: "endpoint",
  endpoints: "endpoint",
  ep: "endpoint",
};

export function proxyConfigCommand(context: CliContext, exit: Exit): Command {
  const command = new Command("proxy-config")
    .alias("pc")
    .description("the configuration that a workload's proxy gets")
    .addArgument(
      new Argument("<type>", "cluster, listener, route, endpoint or all").choices(Object.keys(TYPE_WORDS)),
    )
    .argument("<workload>", "name, name.namespace or namespace/name");
  return withClient(withOutput(withNamespace(command, context), context)).action(
    async (type: string, workload: string, options: ConfigOptions) => {
      exit(await proxyConfig(context, TYPE_WORDS[type] ?? "all", workload, options));
    },
  );
}

async function proxyConfig(
  context: CliContext,
  type: ProxyResourceType | "all",
  workload: string,
  options: ConfigOptions,
): Promise<number> {
  await using client = openClient(context, options);
  const items = await fetchConfig(context, client, type, workload, options.namespace);
  const structured = options.output === "json" || options.output === "yaml";
  if (structured || type !== "all") {
    renderType(context, type === "all" ? "listener" : type, items, options);
    return EXIT.ok;
  }
  for (const [index, each] of PROXY_RESOURCE_TYPES.entries()) {
    if (index > 0) context.stdout.write("\n");
    const ofType = items.filter((item) => item.type === each);
    renderType(context, each, ofType, options);
  }
  return EXIT.ok;
}

async function fetchConfig(
  context: CliContext,
  client: AdminClient,
  type: string,
  workload: string,
  namespace: string,
): Promise<readonly ProxyResourceReply[]> {
  let notFound: unknown;
  for (const candidate of workloadCandidates(workload, namespace)) {
    const [inNamespace = "", ...name] = candidate.split("/");
    const path = apiPath`/v1/proxies/${inNamespace}/${name.join("/")}/config`;
    try {
      const { items } = await client.get<List<ProxyResourceReply>>(path, {
        query: { type },
        signal: context.signal,
      });
      return items.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    } catch (error) {
      if (!(error instanceof MeshError) || error.code !== "admin.not-found") throw error;
      notFound ??= error;
    }
  }
  throw notFound;
}

function renderType(
  context: CliContext,
  shown: ProxyResourceType,
  items: readonly ProxyResourceReply[],
  options: FormatOptions,
): void {
  const value = listOf(items);
  const none = `No ${shown}s.`;
  const show = <T extends { readonly resource: string }>(
    rows: readonly T[],
    columns: readonly Column<T>[],
  ): void =>
    render(context, { items: rows, columns, name: ({ resource }) => resource, value, none }, options);
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
