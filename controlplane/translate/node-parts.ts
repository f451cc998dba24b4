import type { EncodedResource } from "../../mesh/xds/encoded-resource.ts";
import { TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";

/** Resources of one node, by type, before they are put together with what its class shares. */
export type NodeParts = ReadonlyMap<TypeUrl, readonly EncodedResource[]>;

/** Equal resources are the same object, so that identity says it. */
export function sameParts(a: NodeParts, b: NodeParts): boolean {
  return Object.values(TYPE_URL).every((type) => {
    const [before, after] = [a.get(type) ?? [], b.get(type) ?? []];
    return before.length === after.length && before.every((one, index) => one === after[index]);
  });
}
