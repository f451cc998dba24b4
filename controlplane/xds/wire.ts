import { createHash } from "node:crypto";
import { DeltaSubscription } from "../../mesh/xds/delta-subscription.ts";
import { encodeDeltaResponse, encodeSotwResponse, scratchMemory } from "../../mesh/xds/encode-response.ts";
import type { EncodedResource } from "../../mesh/xds/encoded-resource.ts";
import type { Node } from "../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import type {
  DeltaDiscoveryRequest,
  DiscoveryRequest,
} from "../../mesh/xds/gen/envoy/service/discovery/v3/discovery.ts";
import type { Answer, Subscription } from "../../mesh/xds/subscription.ts";
import { TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import type { Push } from "./push-scheduler.ts";
import { SotwSubscription } from "./sotw-subscription.ts";

/** What a request of either method has. */
export interface AdsRequest {
  readonly typeUrl: string;
  readonly node: Node | undefined;
}

/** The difference between the two ADS methods. */
export interface Wire<Q extends AdsRequest, S extends Subscription> {
  readonly method: "delta" | "sotw";
  create(typeUrl: TypeUrl): S;
  /** `awaited`: names that are being looked up; until they are there, nothing is said of them. */
  take(subscription: S, request: Q, awaited: readonly string[]): Answer;
  /** What a request asks for by name, beside what was asked for before. To ask on demand takes the delta method. */
  named(request: Q): readonly string[];
  /** The bytes are to be copied before the next call. */
  encode(push: Push, snapshot: number, controlPlane: string): Uint8Array;
}

export const deltaWire: Wire<DeltaDiscoveryRequest, DeltaSubscription> = {
  method: "delta",
  create: (typeUrl) =>
    new DeltaSubscription({
      legacyWildcard: takesWildcard(typeUrl),
      // A virtual host is looked up because it was asked for: it is not there yet.
      absence: typeUrl === TYPE_URL.virtualHost ? "unknown" : "removed",
    }),
  take: (subscription, request, awaited) => subscription.request(request, awaited),
  named: ({ resourceNamesSubscribe }) => resourceNamesSubscribe,
  encode: ({ typeUrl, nonce, change }, snapshot, controlPlane) =>
    encodeDeltaResponse(
      { typeUrl, nonce, version: String(snapshot), controlPlane },
      change.whole ?? change.upserts,
      change.removals,
      scratchMemory,
    ),
};

export const sotwWire: Wire<DiscoveryRequest, SotwSubscription> = {
  method: "sotw",
  create: (typeUrl) => new SotwSubscription({ wholeState: takesWildcard(typeUrl) }),
  take: (subscription, request) => subscription.request(request),
  named: () => [],
  encode: ({ typeUrl, nonce, change }, _snapshot, controlPlane) =>
    encodeSotwResponse(
      { typeUrl, nonce, version: contentVersion(change.upserts), controlPlane },
      change.upserts,
      scratchMemory,
    ),
};

/** Only listeners and clusters have a wildcard that is asked for by naming nothing (xDS protocol). */
function takesWildcard(typeUrl: TypeUrl): boolean {
  return typeUrl === TYPE_URL.listener || typeUrl === TYPE_URL.cluster;
}

/** Equal for equal content, whichever server answers. */
function contentVersion(resources: readonly EncodedResource[]): string {
  const hash = createHash("sha256");
  for (const { name, version } of resources) hash.update(`${name}\0${version}\0`);
  return hash.digest("hex").slice(0, 16);
}
