import assert from "node:assert/strict";
import type { AdsServer } from "../../controlplane/xds/ads-handlers.ts";
import type { ResourceMap } from "../../mesh/xds/encoded-resource.ts";
import type { TypeUrl } from "../../mesh/xds/type-urls.ts";

/**
 * What the newest proxy of an ADS has not been sent or not acknowledged yet of these resources, all that are published;
 * undefined: it has them all. Throws with its own words when it refuses one.
 */
export function unanswered(
  { status }: Pick<AdsServer, "status">,
  snapshot: number,
  resources: ReadonlyMap<TypeUrl, ResourceMap>,
): string | undefined {
  const proxy = status.list().at(-1);
  assert.ok(proxy, "the proxy is connected");
  if (proxy.snapshot !== snapshot) return "the publication reaches the stream";
  // What is refused asks for nothing that it names, so that comes first.
  for (const [url, { state, lastNack }] of proxy.types)
    assert.notEqual(state, "REJECTED", `NACK of ${shortName(url)}: ${lastNack?.message}`);
  for (const [url, { state, resources: count }] of proxy.types) {
    const short = shortName(url);
    if (state !== "SYNCED" && state !== "IGNORED") return `${short}: ${state}`;
    const wanted = resources.get(url)?.size ?? 0;
    if (count !== wanted) return `${short}: the proxy asked for ${count} of ${wanted}`;
  }
  return undefined;
}

function shortName(url: TypeUrl): string {
  return url.slice(url.lastIndexOf(".") + 1);
}
