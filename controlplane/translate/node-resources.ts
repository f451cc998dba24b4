import type { SharedMap } from "../../mesh/collections/shared-map.ts";
import type { WorkloadId } from "../../mesh/model/workload.ts";
import type { EncodedResource } from "../../mesh/xds/encoded-resource.ts";
import { TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import { checkOwnReferences } from "./check-references.ts";
import type { Scope } from "./memo.ts";
import { type NodeParts, sameParts } from "./node-parts.ts";
import { type EgressClass, egressClass } from "./outbound/egress-class.ts";
import { checkEgress, egressMap } from "./outbound/egress-resources.ts";
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
];

/**
 * Everything that one workload gets, with its references checked; undefined when there is no such workload. It is what
 * its class of clients shares, with the few resources that are its own laid over it.
 */
export function nodeResources(scope: Scope, id: WorkloadId): ResourceTypes | undefined {
  if (scope.view.workload(id) === undefined) return undefined;
  const types = new Map(TYPES.map((type) => [type, nodeMap(scope, id, type)]));
  checkEgress(scope, classOf(scope, id));
  checkOwnReferences(ownParts(scope, id), types);
  return types;
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
  return scope.get(`own/${id}`, (inner) => sidecarParts(inner, id, classOf(inner, id)), sameParts);
}
