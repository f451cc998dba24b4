import type { WorkloadId } from "../../mesh/model/workload.ts";
import type { EncodedResource } from "../../mesh/xds/encoded-resource.ts";
import { Cluster } from "../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import type { Metadata } from "../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import { Listener } from "../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import { RouteConfiguration } from "../../mesh/xds/gen/envoy/config/route/v3/route.ts";
import { VirtualHost } from "../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import type { MessageTypes } from "../../mesh/xds/message-types.ts";
import { TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import { selectPatches } from "../policy/envoy-filters.ts";
import { byText } from "../snapshot/text-order.ts";
import { objectAt, originOf } from "./config-metadata.ts";
import type { Scope } from "./memo.ts";
import { nodeMap } from "./node-resources.ts";
import { patchSet } from "./patches/patch-set.ts";
import { patchedWorkload } from "./patches/patched-resources.ts";

/** Resources of a workload. */
export interface NamedResources {
  readonly type: TypeUrl;
  readonly names: readonly string[];
}

/** More resources than these are not looked at: nobody reads so many names. */
const MOST_RESOURCES = 20;

/**
 * The objects that resources of a workload come from, as `Kind/namespace/name`, sorted: those that their metadata name,
 * and the EnvoyFilters by whose patches they are other than they were, or there at all.
 */
export function causesOf(
  scope: Scope,
  id: WorkloadId,
  { type, names }: NamedResources,
  messageTypes: MessageTypes | undefined,
): readonly string[] {
  const workload = scope.view.workload(id);
  if (workload === undefined) return [];
  const selected = selectPatches(scope.view, workload);
  const patches =
    messageTypes === undefined || selected.length === 0 ? undefined : patchSet(scope, messageTypes, selected);
  const unpatched = nodeMap(scope, id, type);
  const subjects = names.slice(0, MOST_RESOURCES).flatMap((name) => {
    const resource = unpatched.get(name);
    return [
      ...(resource === undefined ? [] : originsOf(type, resource)),
      ...(patches?.behind(type, name, resource, patchedWorkload(scope, id)) ?? []),
    ];
  });
  return [...new Set(subjects)].sort(byText);
}

type WithMetadata = { readonly metadata: Metadata | undefined };

function originsOf(type: TypeUrl, { bytes }: EncodedResource): readonly string[] {
  return partsOf(type, bytes).flatMap((part) => {
    const object = objectAt(originOf(part));
    return object === null ? [] : [`${object.kind}/${object.namespace}/${object.name}`];
  });
}

function partsOf(type: TypeUrl, bytes: Uint8Array): readonly WithMetadata[] {
  switch (type) {
    case TYPE_URL.cluster:
      return [Cluster.decode(bytes)];
    case TYPE_URL.listener:
      return Listener.decode(bytes).filterChains;
    case TYPE_URL.route:
      return RouteConfiguration.decode(bytes).virtualHosts.flatMap(({ routes }) => routes);
    case TYPE_URL.virtualHost:
      return VirtualHost.decode(bytes).routes;
    default:
      return [];
  }
}
