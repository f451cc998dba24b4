import { MeshError } from "../../mesh/errors.ts";
import { TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import type { EncodedResource } from "../xds/config-source.ts";
import type { NodeParts } from "./node-parts.ts";
import type { ResourceTypes } from "./node-resources.ts";
import { referencesOf } from "./references.ts";

const SHORT_NAME = new Map<string, string>(Object.entries(TYPE_URL).map(([short, url]) => [url, short]));

/** What is referred to; when one of these is gone, everything that refers has to be looked at. */
const REFERRED: readonly TypeUrl[] = [TYPE_URL.cluster, TYPE_URL.endpoints, TYPE_URL.route];

/**
 * Throws `xds.inconsistent`, naming all of them, when a resource refers to one that is not in the set: a route or TCP
 * proxy to a cluster, an EDS cluster to its assignment, a listener to its route configuration. `before` is a set that was
 * found right: only what is different from it is looked at.
 */
export function checkReferences(types: ResourceTypes, before?: ResourceTypes): void {
  refuse(missingReferences(types, before));
}

/** The same for resources of a node that are its own, among all that it has. */
export function checkOwnReferences(own: NodeParts, types: ResourceTypes): void {
  refuse(missingOf(own, types));
}

/** References that lead nowhere, as text: those of what is different from a set that had none. */
export function missingReferences(types: ResourceTypes, before?: ResourceTypes): readonly string[] {
  return missingOf(toCheck(types, before), types);
}

/** References of some resources that lead nowhere in a set; a type that the set does not speak of is not looked at. */
export function missingOf(
  resourcesByType: Iterable<readonly [TypeUrl, Iterable<EncodedResource>]>,
  types: ResourceTypes,
): readonly string[] {
  const missing: string[] = [];
  for (const [type, resources] of resourcesByType) {
    for (const resource of resources) {
      for (const reference of referencesOf(type, resource)) {
        if (types.get(reference.type)?.has(reference.name) ?? true) continue;
        missing.push(
          `${SHORT_NAME.get(type)} ${resource.name} refers to ${SHORT_NAME.get(reference.type)} ${reference.name}`,
        );
      }
    }
  }
  return missing;
}

function refuse(missing: readonly string[]): void {
  if (missing.length === 0) return;
  throw new MeshError("xds.inconsistent", `resources refer to what does not exist: ${missing.join("; ")}`, {
    hint: "the last good configuration stays in force; please report this with `lateen proxy-config all -o json`",
  });
}

function toCheck(
  types: ResourceTypes,
  before: ResourceTypes | undefined,
): readonly (readonly [TypeUrl, Iterable<EncodedResource>])[] {
  const changes = [...types].map(([type, map]) => {
    const old = before?.get(type);
    return { type, map, change: old === undefined ? undefined : map.changesSince(old) };
  });
  const lost = changes.some(
    ({ type, change }) => change !== undefined && change.removed.length > 0 && REFERRED.includes(type),
  );
  return changes.map(({ type, map, change }) => [
    type,
    change === undefined || lost ? map.values() : change.set.map(([, resource]) => resource),
  ]);
}
