import { Command, Option } from "commander";
import { type RenderedResource, type RenderedResources, renderWorkload } from "../../controlplane/offline.ts";
import {
  PROXY_RESOURCE_TYPES,
  type ProxyResourceReply,
  type ProxyResourceType,
} from "../../mesh/admin-api/replies.ts";
import type { CliContext, Exit } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { toYaml } from "../output/render.ts";
import { printable } from "../output/table.ts";
import { renderProxyResources } from "../output/xds/proxy-resources.ts";
import { workloadCandidates } from "../workload-name.ts";
import {
  type FormatOptions,
  filesOption,
  recursiveOption,
  withNamespace,
  withOutput,
} from "./client-options.ts";
import { type MeshFilesOptions, readMeshFiles, withMeshConfigFile } from "./mesh-files.ts";

interface RenderOptions extends MeshFilesOptions, FormatOptions {
  readonly workload: string;
  readonly type: ProxyResourceType | "all";
}

const LIST_OF_TYPE: Readonly<Record<ProxyResourceType, keyof RenderedResources>> = {
  listener: "listeners",
  route: "routes",
  cluster: "clusters",
  endpoint: "endpoints",
};

export function renderCommand(context: CliContext, exit: Exit): Command {
  const command = new Command("render")
    .description("the listeners, routes, clusters and endpoints that a workload would get, from files alone")
    .addOption(filesOption().makeOptionMandatory())
    .addOption(recursiveOption())
    .requiredOption("--workload <name>", "a WorkloadEntry of the files: namespace/name, or name")
    .addOption(
      new Option("--type <type>", "only these resources")
        .choices([...PROXY_RESOURCE_TYPES, "all"])
        .default("all"),
    );
  return withOutput(withNamespace(withMeshConfigFile(command), context), context, [
    "table",
    "json",
    "yaml",
  ]).action(async (options: RenderOptions) => {
    exit(await renderFiles(context, options));
  });
}

async function renderFiles(context: CliContext, options: RenderOptions): Promise<number> {
  const { objects, meshConfig } = await readMeshFiles(context, options);
  const candidates = workloadCandidates(options.workload, options.namespace);
  const { resources, warnings } = renderWorkload(objects, candidates, meshConfig);
  for (const warning of warnings) context.stderr.write(`warning: ${printable(warning)}\n`);
  const types = options.type === "all" ? PROXY_RESOURCE_TYPES : [options.type];
  if (options.output === "table") {
    renderProxyResources(context, types, replies(resources, types), options);
    return EXIT.ok;
  }
  const value = Object.fromEntries(types.map((type) => [LIST_OF_TYPE[type], resources[LIST_OF_TYPE[type]]]));
  context.stdout.write(
    options.output === "yaml" ? toYaml(value) : `${JSON.stringify(value, undefined, 2)}\n`,
  );
  return EXIT.ok;
}

/** As the server would answer `proxy-config`, for the same tables. */
function replies(
  resources: RenderedResources,
  types: readonly ProxyResourceType[],
): readonly ProxyResourceReply[] {
  return types.flatMap((type) =>
    resources[LIST_OF_TYPE[type]].map((resource) => ({
      type,
      name: nameOf(resource),
      version: "",
      resource,
    })),
  );
}

function nameOf({ name, clusterName }: RenderedResource): string {
  const given = name ?? clusterName;
  return typeof given === "string" ? given : "";
}
