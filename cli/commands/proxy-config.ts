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
import { render } from "../output/render.ts";
import { renderProxyResources } from "../output/xds/proxy-resources.ts";
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
  if (structured) renderStructured(context, items, options);
  else renderProxyResources(context, type === "all" ? PROXY_RESOURCE_TYPES : [type], items, options);
  return EXIT.ok;
}

function renderStructured(
  context: CliContext,
  items: readonly ProxyResourceReply[],
  options: FormatOptions,
): void {
  render(context, { items, columns: [], name: ({ name }) => name, value: listOf(items), none: "" }, options);
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
