import type { SharedMap } from "../../mesh/collections/shared-map.ts";
import type { WorkloadId } from "../../mesh/model/workload.ts";
import type { EncodedResource } from "../../mesh/xds/encoded-resource.ts";
import type { MessageTypes } from "../../mesh/xds/message-types.ts";
import { TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import { selectPatches } from "../policy/envoy-filters.ts";
import { checkOwnReferences } from "./check-references.ts";
import { gatewayResources } from "./gateway/gateway-parts.ts";
import type { Scope } from "./memo.ts";
import { type NodeParts, sameParts } from "./node-parts.ts";
import { type EgressClass, egressClass } from "./outbound/egress-class.ts";
import { checkEgress, egressMap } from "./outbound/egress-resources.ts";
import { patchSet } from "./patches/patch-set.ts";
import { patchedResources } from "./patches/patched-resources.ts";
import { sameMap } from "./resource.ts";
import { sidecarParts } from "./sidecar-parts.ts";
import { workloadOf } from "./workload-of.ts";

export type ResourceTypes = ReadonlyMap<TypeUrl, SharedMap<EncodedResource>>;

/** The memo's key of everything that one workload gets. */
export function nodeKey(id: WorkloadId): string {
  return `node/${id}`;
}

const TYPES: readonly TypeUrl[] = [
  TYPE_URL.cluster,
  TYPE_URL.endpoints,
  TYPE_URL.listener,
  TYPE_URL.route,
  TYPE_URL.virtualHost,
  TYPE_URL.secret,
];

/**
 * Everything that one workload gets, with its references checked; undefined when there is no such workload. It is what
 * its class of clients shares, with the few resources that are its own laid over it; and both patched, where an
 * EnvoyFilter is for it.
 */
export function nodeResources(
  scope: Scope,
  id: WorkloadId,
  messageTypes: MessageTypes | undefined,
): ResourceTypes | undefined {
  const workload = scope.view.workload(id);
  if (workload === undefined) return undefined;
  const types = new Map(TYPES.map((type) => [type, nodeMap(scope, id, type)]));
  checkEgress(scope, classOf(scope, id));
  checkOwnReferences(ownParts(scope, id), types);
  const selected = selectPatches(scope.view, workload);
  if (selected.length === 0) return types;
  if (messageTypes === undefined) throw new Error("patches need a translator that has message types");
  return patchedResources(scope, patchSet(scope, messageTypes, selected), { id, types, classOf, ownParts });
}

function nodeMap(scope: Scope, id: WorkloadId, type: TypeUrl): SharedMap<EncodedResource> {
  return scope.get(
    `node-type/${type}/${id}`,
    (inner) => {
      const own = ownParts(inner, id).get(type) ?? [];
      return egressMap(inner, classOf(inner, id), type).edited(own.map((one) => [one.name, one] as const));
    },
    sameMap,
  );
}

function classOf(scope: Scope, id: WorkloadId): EgressClass {
  return scope.get(
    `class/${id}`,
    (inner) => egressClass(inner, workloadOf(inner, id)),
    (a, b) => a.key === b.key,
  );
}

function ownParts(scope: Scope, id: WorkloadId): NodeParts {
  return scope.get(
    `own/${id}`,
    (inner) => {
      const workload = workloadOf(inner, id);
      return workload.role === "gateway"
        ? gatewayResources(inner, workload).parts
        : sidecarParts(inner, id, classOf(inner, id));
    },
    sameParts,
  );
}
