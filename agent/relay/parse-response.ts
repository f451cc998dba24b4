import { MeshError } from "../../mesh/errors.ts";
import type { EncodedResource } from "../../mesh/xds/encoded-resource.ts";
import type { DeltaDiscoveryResponse } from "../../mesh/xds/gen/envoy/service/discovery/v3/discovery.ts";

/** A delta response whose names and types agree with each other. The resources themselves stay bytes. */
export interface ParsedResponse {
  readonly typeUrl: string;
  readonly upserts: readonly EncodedResource[];
  readonly removals: readonly string[];
}

/** Throws `xds.rejected` for what a client must refuse: a nameless, foreign or repeated resource. */
export function parseDeltaResponse(response: DeltaDiscoveryResponse): ParsedResponse {
  const { typeUrl } = response;
  const names = new Set<string>();
  const upserts = response.resources.map(({ name, version, resource }): EncodedResource => {
    if (name === "" || resource === undefined)
      throw rejected(typeUrl, "a resource without a name or content");
    if (resource.typeUrl !== typeUrl) {
      throw rejected(typeUrl, `resource ${name} is a ${resource.typeUrl}`);
    }
    if (names.has(name)) throw rejected(typeUrl, `resource ${name} is there twice`);
    names.add(name);
    // A copy: the decoded value is a view that would keep the whole message in memory.
    return { name, version, bytes: new Uint8Array(resource.value) };
  });
  const both = response.removedResources.find((name) => names.has(name));
  if (both !== undefined) throw rejected(typeUrl, `resource ${both} is both sent and removed`);
  return { typeUrl, upserts, removals: [...new Set(response.removedResources)] };
}

function rejected(typeUrl: string, what: string): MeshError {
  return new MeshError("xds.rejected", `read a response of ${typeUrl}: ${what}`);
}
