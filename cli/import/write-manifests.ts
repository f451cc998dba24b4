import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import { manifestsText } from "../output/imported.ts";
import type { Manifest } from "./consul/manifest.ts";
import { objectName } from "./consul/names.ts";

/**
 * One file for each service, and the objects of a namespace in one of their own. Throws `config.exists` when a file is
 * there, and `cli.usage` when it cannot be written; it overwrites nothing.
 */
export async function writeManifests(directory: string, manifests: readonly Manifest[]): Promise<void> {
  await written(directory, () => mkdir(directory, { recursive: true }));
  for (const [name, of] of Map.groupBy(manifests, fileOf)) {
    const path = join(directory, name);
    await written(path, () => writeFile(path, manifestsText(of), { flag: "wx" }));
  }
}

function fileOf({ metadata, spec }: Manifest): string {
  return `${metadata.namespace}.${objectName(serviceOf(spec) ?? metadata.name)}.yaml`;
}

/** The service that an object is about: the one whose host it has or whose workloads it selects. */
function serviceOf(spec: Manifest["spec"]): string | undefined {
  const [host] = (spec["hosts"] ?? [spec["host"]]) as readonly (string | undefined)[];
  const selector = (spec["selector"] ?? spec["workloadSelector"]) as
    | { readonly matchLabels?: Record<string, string>; readonly labels?: Record<string, string> }
    | undefined;
  if (spec["gateways"] !== undefined || spec["servers"] !== undefined) return undefined;
  return host ?? selector?.matchLabels?.["app"] ?? selector?.labels?.["app"];
}

async function written(path: string, write: () => Promise<unknown>): Promise<void> {
  try {
    await write();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST")
      throw new MeshError("config.exists", `${path} exists and is left as it is`, {
        hint: "give --out a new directory",
      });
    throw new MeshError("cli.usage", `write ${path}: ${messageOf(error)}`, { cause: error });
  }
}
