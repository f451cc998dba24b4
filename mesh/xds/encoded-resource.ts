import { SharedMap } from "../collections/shared-map.ts";

/** A resource as it goes over the wire. Built once, sent to every stream that wants it. */
export interface EncodedResource {
  readonly name: string;
  /** Content hash: equal content has an equal version, on every server and after every restart. */
  readonly version: string;
  /** The encoded message (the `value` of its Any). */
  readonly bytes: Uint8Array;
}

/**
 * All resources of one type for one node. The same object (identity) means: nothing changed; nodes with the same
 * configuration share it. In no order.
 */
export type ResourceMap = SharedMap<EncodedResource>;

export const NO_RESOURCES: ResourceMap = SharedMap.empty();

export function resourceMap(resources: Iterable<EncodedResource>): ResourceMap {
  return SharedMap.of([...resources].map((resource) => [resource.name, resource] as const));
}
