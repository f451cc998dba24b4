import type { SharedMap } from "../../mesh/collections/shared-map.ts";
import type { EncodedResource } from "../../mesh/xds/encoded-resource.ts";
import { encodeResource } from "./encode.ts";
import type { Scope } from "./memo.ts";

interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
}

/** A resource as an entry of the memo of its own: built again only when what it read has changed, and kept when it is equal. */
export function resource<T extends { readonly name: string }>(
  scope: Scope,
  key: string,
  codec: Codec<T>,
  build: (scope: Scope) => T,
): EncodedResource {
  return namedResource(scope, key, codec, build, ({ name }) => name);
}

/** The same for messages that have their name elsewhere. */
export function namedResource<T>(
  scope: Scope,
  key: string,
  codec: Codec<T>,
  build: (scope: Scope) => T,
  nameOf: (message: T) => string,
): EncodedResource {
  return scope.get(
    key,
    (inner) => {
      const message = build(inner);
      return encodeResource(nameOf(message), codec, message);
    },
    sameResource,
  );
}

/** For maps that are put together from entries: what has the same content is the same object. */
export function sameMap(a: SharedMap<EncodedResource>, b: SharedMap<EncodedResource>): boolean {
  const { set, removed } = b.changesSince(a);
  return set.length === 0 && removed.length === 0;
}

export function sameResource(a: EncodedResource, b: EncodedResource): boolean {
  return a.version === b.version && a.name === b.name;
}
