import { MeshError } from "../../mesh/errors.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import type { ResourceTypes } from "./node-resources.ts";
import { referencesOf } from "./references.ts";

const SHORT_NAME = new Map<string, string>(Object.entries(TYPE_URL).map(([short, url]) => [url, short]));

/**
 * Throws `xds.inconsistent`, naming all of them, when a resource refers to one that is not in the set: a route or TCP
 * proxy to a cluster, an EDS cluster to its assignment, a listener to its route configuration.
 */
export function checkReferences(types: ResourceTypes): void {
  const missing: string[] = [];
  for (const [type, resources] of types) {
    for (const [name, resource] of resources) {
      for (const reference of referencesOf(type, resource)) {
        if (types.get(reference.type)?.has(reference.name)) continue;
        missing.push(
          `${SHORT_NAME.get(type)} ${name} refers to ${SHORT_NAME.get(reference.type)} ${reference.name}`,
        );
      }
    }
  }
  if (missing.length === 0) return;
  throw new MeshError("xds.inconsistent", `resources refer to what does not exist: ${missing.join("; ")}`, {
    hint: "the last good configuration stays in force; please report this with `lateen proxy-config all -o json`",
  });
}
