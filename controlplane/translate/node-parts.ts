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

/** Those of `parts`, and of `more` what has no namesake among them. */
export function joinedParts(parts: NodeParts, more: NodeParts): NodeParts {
  const joined = new Map(parts);
  for (const [type, resources] of more) {
    const own = parts.get(type) ?? [];
    const added = resources.filter((one) => !own.some(({ name }) => name === one.name));
    joined.set(type, [...own, ...added]);
  }
  return joined;
}
