import { Command } from "commander";
import { type List, listOf, type ObjectReply } from "../../mesh/admin-api/replies.ts";
import { MeshError } from "../../mesh/errors.ts";
import type { Kind } from "../../mesh/model/object.ts";
import { type AdminClient, apiPath } from "../client.ts";
import type { CliContext, Exit } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { objectLabel, parseKindOrListing } from "../kinds.ts";
import { listRegistries, listServices, listWorkloads } from "../output/catalog-listings.ts";
import { objectColumns } from "../output/object-columns.ts";
import { type Listed, render, toYaml } from "../output/render.ts";
import {
  type ClientOptions,
  type FormatOptions,
  type NamespaceOptions,
  openClient,
  withClient,
  withNamespace,
  withOutput,
} from "./client-options.ts";

export interface GetOptions extends ClientOptions, NamespaceOptions, FormatOptions {
  readonly allNamespaces: boolean;
}

export function getCommand(context: CliContext, exit: Exit): Command {
  const command = new Command("get")
    .description("list configuration objects, services, workloads or registries")
    .argument(
      "<kind[/name]>",
      "virtualservice (vs), destinationrule (dr), serviceentry (se), workloadentry (we), workloadgroup (wg), " +
        "gateway (gw), sidecar, proxyconfig, envoyfilter (ef), meshconfig, secret, peerauthentication (pa), " +
        "authorizationpolicy (ap), services (svc), workloads (wl), registries",
    )
    .argument("[name]")
    .option("-A, --all-namespaces", "of every namespace", false);
  return withClient(withOutput(withNamespace(command, context), context)).action(
    async (target: string, name: string | undefined, options: GetOptions) => {
      exit(await get(context, target, name, options));
    },
  );
}

async function get(
  context: CliContext,
  target: string,
  second: string | undefined,
  options: GetOptions,
): Promise<number> {
  const [kindWord = "", ...rest] = target.split("/");
  const name = rest.length > 0 ? rest.join("/") : second;
  if (name === "" || (rest.length > 0 && second !== undefined)) {
    throw new MeshError("cli.usage", `${target} does not name one object`, {
      hint: "lateen get virtualservice/reviews",
    });
  }
  const what = parseKindOrListing(kindWord);
  await using client = openClient(context, options);
  switch (what) {
    case "services":
      await listServices(context, client, name, options);
      return EXIT.ok;
    case "workloads":
      await listWorkloads(context, client, name, options);
      return EXIT.ok;
    case "registries":
      await listRegistries(context, client, options);
      return EXIT.ok;
    default:
      if (name === undefined) await listObjects(context, client, what, options);
      else await getObject(context, client, what, name, options);
      return EXIT.ok;
  }
}

async function listObjects(
  context: CliContext,
  client: AdminClient,
  kind: Kind,
  options: GetOptions,
): Promise<void> {
  const namespace = options.allNamespaces ? undefined : options.namespace;
  const { items } = await client.get<List<ObjectReply>>(apiPath`/v1/objects/${kind}`, {
    query: { namespace },
    signal: context.signal,
  });
  const sorted = items.toSorted((a, b) => compare(a.namespace, b.namespace) || compare(a.name, b.name));
  const documents = sorted.map(({ object }) => object);
  if (options.output === "yaml") {
    // Documents, not a List: what is printed can be applied again as it is.
    context.stdout.write(documents.map(toYaml).join("---\n"));
    return;
  }
  const none = `No ${kind}s found${namespace === undefined ? "" : ` in namespace ${namespace}`}.`;
  render(context, listing(context, kind, sorted, listOf(documents), none, options.allNamespaces), options);
}

async function getObject(
  context: CliContext,
  client: AdminClient,
  kind: Kind,
  name: string,
  options: GetOptions,
): Promise<void> {
  const path = apiPath`/v1/objects/${kind}/${options.namespace}/${name}`;
  const reply = await client.get<ObjectReply>(path, { signal: context.signal });
  render(context, listing(context, kind, [reply], reply.object, "", false), options);
}

function listing(
  context: CliContext,
  kind: Kind,
  items: readonly ObjectReply[],
  value: unknown,
  none: string,
  withNamespaces: boolean,
): Listed<ObjectReply> {
  const namespaces = withNamespaces
    ? [{ header: "NAMESPACE", cell: ({ namespace }: ObjectReply) => namespace }]
    : [];
  return {
    items,
    columns: [...namespaces, ...objectColumns(kind, context.clock.now())],
    name: (item) => objectLabel(kind, item.name),
    value,
    none,
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
