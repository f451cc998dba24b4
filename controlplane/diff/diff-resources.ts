import { PROXY_RESOURCE_TYPES, type ResourceDiff, type WorkloadDiff } from "../../mesh/admin-api/replies.ts";
import type { WorkloadId } from "../../mesh/model/workload.ts";
import type { EncodedResource } from "../../mesh/xds/encoded-resource.ts";
import type { XdsJson } from "../../mesh/xds/json.ts";
import { TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import { byText } from "../snapshot/text-order.ts";
import type { NodeResources, ResourceMap } from "../xds/config-source.ts";
import { diffValues } from "./diff-values.ts";

/** A resource on either side of a change. */
interface Sides {
  readonly before: EncodedResource | undefined;
  readonly after: EncodedResource | undefined;
}

/**
 * The resources of a workload that would not be the same; undefined when all would. With `json` the fields of changed
 * resources are told too.
 */
export function diffWorkload(
  workload: WorkloadId,
  before: NodeResources | undefined,
  after: NodeResources | undefined,
  json: XdsJson | undefined,
): WorkloadDiff | undefined {
  const resources = PROXY_RESOURCE_TYPES.flatMap((type) => {
    const url = TYPE_URL[type === "endpoint" ? "endpoints" : type];
    const [old, next] = [before?.types.get(url), after?.types.get(url)];
    return [...new Set([...namesOf(old), ...namesOf(next)])]
      .sort(byText)
      .flatMap((name) => diffResource({ before: old?.get(name), after: next?.get(name) }, url, json) ?? [])
      .map((diff) => ({ type, ...diff }));
  });
  return resources.length === 0 ? undefined : { workload, resources };
}

function namesOf(resources: ResourceMap | undefined): readonly string[] {
  return [...(resources?.keys() ?? [])];
}

function diffResource(
  { before, after }: Sides,
  url: TypeUrl,
  json: XdsJson | undefined,
): Omit<ResourceDiff, "type"> | undefined {
  if (before === undefined) return after && { name: after.name, change: "added" };
  if (after === undefined) return { name: before.name, change: "removed" };
  if (before.version === after.version) return undefined;
  const changed = { name: after.name, change: "changed" } as const;
  if (json === undefined) return changed;
  const [old, next] = [before, after].map(({ bytes }) => json.resourceToJson(url, bytes));
  return { ...changed, fields: diffValues(old, next) };
}
