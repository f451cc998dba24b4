import { SharedMap } from "../../../mesh/collections/shared-map.ts";
import type { WorkloadId } from "../../../mesh/model/workload.ts";
import type { EncodedResource } from "../../../mesh/xds/encoded-resource.ts";
import { TYPE_URL, type TypeUrl } from "../../../mesh/xds/type-urls.ts";
import { serviceHostname } from "../../snapshot/host-names.ts";
import { byText } from "../../snapshot/text-order.ts";
import { missingOf, missingReferences } from "../check-references.ts";
import type { Scope } from "../memo.ts";
import type { NodeParts } from "../node-parts.ts";
import type { ResourceTypes } from "../node-resources.ts";
import type { EgressClass } from "../outbound/egress-class.ts";
import { egressMap } from "../outbound/egress-resources.ts";
import { sameMap } from "../resource.ts";
import { workloadOf } from "../workload-of.ts";
import type { PatchedWorkload, PatchSet } from "./patch-set.ts";
import { patchedMap } from "./patched-map.ts";

type Resources = SharedMap<EncodedResource>;

/** A workload's resources before they are patched. */
export interface UnpatchedNode {
  readonly id: WorkloadId;
  readonly types: ResourceTypes;
  readonly classOf: (scope: Scope, id: WorkloadId) => EgressClass;
  readonly ownParts: (scope: Scope, id: WorkloadId) => NodeParts;
}

/**
 * What a workload gets with its patches. What its class shares is patched once for all of the class that have the same
 * patches. A reference that leads nowhere then is what the patches' author wants, or does not know: it is a warning.
 */
export function patchedResources(scope: Scope, patches: PatchSet, node: UnpatchedNode): ResourceTypes {
  const patched = [...node.types.keys(), TYPE_URL.extension].flatMap((type): [TypeUrl, Resources][] => {
    if (patches.touches(type)) return [[type, patchedNodeMap(scope, patches, node, type)]];
    const map = node.types.get(type);
    return map === undefined ? [] : [[type, map]];
  });
  const types: ResourceTypes = new Map(patched);
  warnOfMissing(scope, patches, node, types);
  return types;
}

function patchedNodeMap(scope: Scope, patches: PatchSet, node: UnpatchedNode, type: TypeUrl): Resources {
  return scope.get(
    `patched-node/${type}/${patches.key}/${node.id}`,
    (inner) =>
      patchedShared(inner, patches, node.classOf(inner, node.id), type).edited(
        patchedOwn(inner, patches, node, type),
      ),
    sameMap,
  );
}

/** What a class shares, patched. */
export function patchedShared(scope: Scope, patches: PatchSet, of: EgressClass, type: TypeUrl): Resources {
  return patchedMap(scope, {
    key: `patched/${type}/${patches.key}/${of.key}`,
    type,
    patches,
    sourceOf: (inner) => egressMap(inner, of, type),
    workloadOf: () => ({ role: of.client.role, services: [] }),
    withAdded: true,
  });
}

/** What is a workload's own, patched. */
export function patchedOwn(
  scope: Scope,
  patches: PatchSet,
  { id, ownParts }: UnpatchedNode,
  type: TypeUrl,
): Resources {
  return patchedMap(scope, {
    key: `patched-own/${type}/${patches.key}/${id}`,
    type,
    patches,
    sourceOf: (inner) =>
      SharedMap.of((ownParts(inner, id).get(type) ?? []).map((one) => [one.name, one] as const)),
    workloadOf: (inner) => patchedWorkload(inner, id),
    withAdded: false,
  });
}

export function patchedWorkload(scope: Scope, id: WorkloadId): PatchedWorkload {
  const { role, service, namespace } = workloadOf(scope, id);
  const { settings } = scope.view;
  return { role, services: service === "" ? [] : [serviceHostname(service, namespace, settings)] };
}

/** References that are told one by one; of more only the number is. */
const MOST_TOLD = 3;

/** What a class shares is looked at once; what is the workload's own, with each of its changes. */
function warnOfMissing(
  scope: Scope,
  patches: PatchSet,
  { id, classOf, ownParts }: UnpatchedNode,
  types: ResourceTypes,
): void {
  const warn = (to: Scope, missing: readonly string[]): void => {
    if (missing.length === 0) return;
    const first = missing.toSorted(byText).slice(0, MOST_TOLD).join("; ");
    const more = missing.length > MOST_TOLD ? `; and ${missing.length - MOST_TOLD} more` : "";
    const message = `leads to what is not there: ${first}${more}`;
    for (const subject of patches.subjects) to.warn({ subject, message });
  };
  const of = classOf(scope, id);
  scope.get<{ readonly types: ResourceTypes; readonly missing: readonly string[] }>(
    `patched-checked/${patches.key}/${of.key}`,
    (inner, before) => {
      const shared = new Map(
        [...types.keys()].map((type) => [type, patchedShared(inner, patches, of, type)] as const),
      );
      const missing = missingReferences(shared, before?.missing.length === 0 ? before.types : undefined);
      warn(inner, missing);
      return { types: shared, missing };
    },
  );
  const own = [...ownParts(scope, id).keys()].map(
    (type) => [type, patchedOwn(scope, patches, { id, types, classOf, ownParts }, type).values()] as const,
  );
  warn(scope, missingOf(own, types));
}
