import { SharedMap } from "../../mesh/collections/shared-map.ts";
import type { WorkloadId } from "../../mesh/model/workload.ts";
import type { EncodedResource } from "../../mesh/xds/encoded-resource.ts";
import type { MessageTypes } from "../../mesh/xds/message-types.ts";
import { TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import { selectPatches } from "../policy/envoy-filters.ts";
import { checkOwnReferences } from "./check-references.ts";
import { gatewayResources } from "./gateway/gateway-parts.ts";
import type { Scope } from "./memo.ts";
import { joinedParts, type NodeParts, sameParts } from "./node-parts.ts";
import { type EgressClass, egressClass } from "./outbound/egress-class.ts";
import { checkEgress, egressMap } from "./outbound/egress-resources.ts";
import { patchSet } from "./patches/patch-set.ts";
import { patchedOwn, patchedResources, patchedShared } from "./patches/patched-resources.ts";
import { sameMap } from "./resource.ts";
import { sidecarParts } from "./sidecar-parts.ts";
import { nodeListeners, providerParts } from "./telemetry/node-telemetry.ts";
import { workloadOf } from "./workload-of.ts";

export type ResourceTypes = ReadonlyMap<TypeUrl, SharedMap<EncodedResource>>;

/** The memo's key of everything that one workload gets. */
export function nodeKey(id: WorkloadId): string {
  return `node/${id}`;
}

/** Endpoints are not among them: see NodeTranslation. */
const TYPES: readonly TypeUrl[] = [
  TYPE_URL.cluster,
  TYPE_URL.listener,
  TYPE_URL.route,
  TYPE_URL.virtualHost,
  TYPE_URL.secret,
  TYPE_URL.hostName,
];

/** What a workload gets, but for the endpoints that it shares: these change far more often than all the rest. */
export interface NodeTranslation {
  readonly of: EgressClass;
  readonly types: ResourceTypes;
  /** Assignments of its own, beside those of its class. */
  readonly ownEndpoints: readonly EncodedResource[];
}

/**
 * Everything that one workload gets, without its class's endpoints, and with its references checked; undefined when there
 * is no such workload. It is what its class of clients shares, with the few resources that are its own laid over it; and
 * both patched, where an EnvoyFilter is for it.
 */
export function nodeResources(
  scope: Scope,
  id: WorkloadId,
  messageTypes: MessageTypes | undefined,
): NodeTranslation | undefined {
  const workload = scope.view.workload(id);
  if (workload === undefined) return undefined;
  const of = classOf(scope, id);
  const own = ownParts(scope, id);
  const types = new Map(TYPES.map((type) => [type, nodeMap(scope, id, type)]));
  const ownEndpoints = own.get(TYPE_URL.endpoints) ?? [];
  checkOwnReferences(own, new Map([...types, [TYPE_URL.endpoints, namedMap(ownEndpoints)]]));
  const selected = selectPatches(scope.view, workload);
  if (selected.length === 0) {
    const listeners = nodeListeners(scope, id, {
      classKey: of.key,
      shared: (inner) => egressMap(inner, of, TYPE_URL.listener),
      own: (inner) => namedMap(ownParts(inner, id).get(TYPE_URL.listener) ?? []),
    });
    return { of, types: withListeners(types, listeners), ownEndpoints };
  }
  if (messageTypes === undefined) throw new Error("patches need a translator that has message types");
  const patches = patchSet(scope, messageTypes, selected);
  const node = { id, types, classOf, ownParts };
  const patched = patchedResources(scope, patches, node);
  const listeners = nodeListeners(scope, id, {
    classKey: `${patches.key}/${of.key}`,
    shared: (inner) => patchedShared(inner, patches, of, TYPE_URL.listener),
    own: (inner) => patchedOwn(inner, patches, node, TYPE_URL.listener),
  });
  return { of, types: withListeners(patched, listeners), ownEndpoints };
}

/** Undefined: they stay as they are. */
function withListeners(
  types: ResourceTypes,
  listeners: SharedMap<EncodedResource> | undefined,
): ResourceTypes {
  return listeners === undefined ? types : new Map([...types, [TYPE_URL.listener, listeners]]);
}

/** The memo's key of the endpoints that a class shares. */
export function classKey({ key }: EgressClass): string {
  return `endpoints/${key}`;
}

/** The endpoints that a class shares, once what it shares is found consistent. */
export function classEndpoints(scope: Scope, of: EgressClass): SharedMap<EncodedResource> {
  checkEgress(scope, of);
  return egressMap(scope, of, TYPE_URL.endpoints);
}

function namedMap(resources: readonly EncodedResource[]): SharedMap<EncodedResource> {
  return SharedMap.of(resources.map((one) => [one.name, one] as const));
}

/** What a workload has of a type before it is patched. */
export function nodeMap(scope: Scope, id: WorkloadId, type: TypeUrl): SharedMap<EncodedResource> {
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
      const providers = providerParts(inner, id, classOf(inner, id));
      // Kept apart, so that a collector that moves has nothing of the workload's made again.
      return providers === undefined
        ? madeParts(inner, id)
        : joinedParts(
            inner.get(`made/${id}`, (scope) => madeParts(scope, id), sameParts),
            providers,
          );
    },
    sameParts,
  );
}

function madeParts(scope: Scope, id: WorkloadId): NodeParts {
  const workload = workloadOf(scope, id);
  return workload.role === "gateway"
    ? gatewayResources(scope, workload).parts
    : sidecarParts(scope, id, classOf(scope, id));
}
