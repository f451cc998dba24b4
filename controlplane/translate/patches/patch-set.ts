import { messageOf } from "../../../mesh/errors.ts";
import type { Workload } from "../../../mesh/model/workload.ts";
import type { EncodedResource } from "../../../mesh/xds/encoded-resource.ts";
import { Cluster } from "../../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import { TrafficDirection } from "../../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import { Listener } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import { RouteConfiguration } from "../../../mesh/xds/gen/envoy/config/route/v3/route.ts";
import { VirtualHost } from "../../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import type { MessageTypes } from "../../../mesh/xds/message-types.ts";
import { INBOUND_PASSTHROUGH_CLUSTER } from "../../../mesh/xds/names.ts";
import { TYPE_URL, type TypeUrl } from "../../../mesh/xds/type-urls.ts";
import { patchesKey, type SelectedPatch } from "../../policy/envoy-filters.ts";
import { byText } from "../../snapshot/text-order.ts";
import { encodedResource } from "../encode.ts";
import type { Scope } from "../memo.ts";
import { parseAskedHost } from "../outbound/called-hosts.ts";
import type { Patch, ResourceContext, Target } from "./patch.ts";
import { patchCluster } from "./patch-cluster.ts";
import { patchListener } from "./patch-listener.ts";
import { patchRouteConfiguration, patchVirtualHost } from "./patch-routes.ts";
import { Patching, type PatchProblem } from "./patching.ts";
import { type PatchLists, preparePatches } from "./prepare-patches.ts";

/** What the outcome of a patch depends on beside the resource. */
export interface PatchedWorkload {
  readonly role: Workload["role"];
  /** Host names of the services that it belongs to. */
  readonly services: readonly string[];
}

export interface AddedResource {
  readonly resource: EncodedResource;
  /** What is wrong when there is a resource of that name already. */
  readonly ifTaken: PatchProblem;
}

export interface PatchOutcome {
  /** The same object when nothing has changed; undefined: a patch removes it. */
  readonly resource: EncodedResource | undefined;
  readonly problems: readonly PatchProblem[];
}

const ROUTE_TARGETS: readonly Target[] = ["ROUTE_CONFIGURATION", "VIRTUAL_HOST", "HTTP_ROUTE"];

/** Listeners may have routes in themselves. Endpoints and secrets are never patched. */
const TARGETS: Readonly<Partial<Record<TypeUrl, readonly Target[]>>> = {
  [TYPE_URL.cluster]: ["CLUSTER"],
  [TYPE_URL.listener]: [
    "LISTENER",
    "LISTENER_FILTER",
    "FILTER_CHAIN",
    "NETWORK_FILTER",
    "HTTP_FILTER",
    ...ROUTE_TARGETS,
  ],
  [TYPE_URL.route]: ROUTE_TARGETS,
  [TYPE_URL.virtualHost]: ["VIRTUAL_HOST", "HTTP_ROUTE"],
  [TYPE_URL.extension]: ["EXTENSION_CONFIG"],
};

/** The patches that were selected for a workload, as one entry for all that have the same. Warns of those that have no effect. */
export function patchSet(scope: Scope, types: MessageTypes, selected: readonly SelectedPatch[]): PatchSet {
  const key = patchesKey(selected);
  return scope.get(`patches/${key}`, ({ view, warn }) => {
    const { lists, warnings } = preparePatches(types, selected, view.settings);
    for (const warning of warnings) warn(warning);
    return new PatchSet(types, lists, key);
  });
}

/** The patches that some workloads have in common, ready to be applied to their resources. */
export class PatchSet {
  /** Equal for the same patches. */
  readonly key: string;
  readonly #types: MessageTypes;
  readonly #lists: PatchLists;

  constructor(types: MessageTypes, lists: PatchLists, key: string) {
    this.key = key;
    this.#types = types;
    this.#lists = lists;
  }

  /** `EnvoyFilter/namespace/name` of all. */
  get subjects(): readonly string[] {
    const patches = Object.values(this.#lists).flat();
    return [...new Set(patches.map(({ subject }) => subject))].sort(byText);
  }

  /** Whether there is a patch that resources of the type could be changed by. */
  touches(type: TypeUrl): boolean {
    return TARGETS[type]?.some((target) => this.#lists[target].length > 0) ?? false;
  }

  /** What patches add of a type; of two of one name the first. */
  added(type: TypeUrl): ReadonlyMap<string, AddedResource> {
    switch (type) {
      case TYPE_URL.cluster:
        return this.#added("CLUSTER");
      case TYPE_URL.listener:
        return this.#added("LISTENER");
      case TYPE_URL.extension:
        return this.#added("EXTENSION_CONFIG");
      default:
        return new Map();
    }
  }

  #added(target: "CLUSTER" | "LISTENER" | "EXTENSION_CONFIG"): ReadonlyMap<string, AddedResource> {
    const found = new Map<string, AddedResource>();
    for (const { operation, value, subject, index } of this.#lists[target]) {
      if (operation !== "ADD" || value === undefined || found.has(value.message.name)) continue;
      const resource = encodedResource(value.message.name, value.bytes);
      const reason = "there is one of that name already, which stays";
      found.set(resource.name, { resource, ifTaken: { subject, index, reason } });
    }
    return found;
  }

  /** The subjects whose patches add a resource, or change the one that there is. */
  behind(
    type: TypeUrl,
    name: string,
    resource: EncodedResource | undefined,
    workload: PatchedWorkload,
  ): readonly string[] {
    if (resource === undefined) return [this.added(type).get(name)?.ifTaken.subject ?? []].flat();
    return this.subjects.filter((subject) => {
      const alone = new PatchSet(this.#types, listsOf(this.#lists, subject), "");
      return alone.patch(type, resource, workload).resource !== resource;
    });
  }

  /** A resource with its patches, under its name. Never throws: what cannot be patched stays as it is. */
  patch(type: TypeUrl, resource: EncodedResource, { role, services }: PatchedWorkload): PatchOutcome {
    const problems: PatchProblem[] = [];
    const patchingIn = (context: ResourceContext): Patching =>
      new Patching(this.#types, this.#lists, role === "gateway" ? "GATEWAY" : context, problems);
    try {
      const bytes = patchedBytes(type, resource, patchingIn, services);
      const patched = bytes && encodedResource(resource.name, bytes);
      return { resource: patched?.version === resource.version ? resource : patched, problems };
    } catch (error) {
      const reason = messageOf(error);
      const patches = Object.values(this.#lists).flat();
      return { resource, problems: patches.map(({ subject, index }) => ({ subject, index, reason })) };
    }
  }
}

function listsOf(lists: PatchLists, subject: string): PatchLists {
  const only = Object.entries(lists).map(([target, list]) => [
    target,
    (list as readonly Patch<Target>[]).filter((patch) => patch.subject === subject),
  ]);
  return Object.fromEntries(only) as PatchLists;
}

function patchedBytes(
  type: TypeUrl,
  { name, bytes }: EncodedResource,
  patchingIn: (context: ResourceContext) => Patching,
  services: readonly string[],
): Uint8Array | undefined {
  switch (type) {
    case TYPE_URL.cluster: {
      const patching = patchingIn(isInbound(name) ? "SIDECAR_INBOUND" : "SIDECAR_OUTBOUND");
      const patched = patchCluster(patching, Cluster.decode(bytes), services);
      return patched && Cluster.encode(patched).finish();
    }
    case TYPE_URL.listener: {
      const listener = Listener.decode(bytes);
      const inbound = listener.trafficDirection === TrafficDirection.INBOUND;
      const patched = patchListener(patchingIn(inbound ? "SIDECAR_INBOUND" : "SIDECAR_OUTBOUND"), listener);
      return patched && Listener.encode(patched).finish();
    }
    case TYPE_URL.route: {
      const configuration = RouteConfiguration.decode(bytes);
      const patched = patchRouteConfiguration(patchingIn("SIDECAR_OUTBOUND"), configuration);
      return RouteConfiguration.encode(patched).finish();
    }
    case TYPE_URL.virtualHost: {
      const host = VirtualHost.decode(bytes);
      const { routeName = name } = parseAskedHost(name) ?? {};
      const patched = patchVirtualHost(patchingIn("SIDECAR_OUTBOUND"), routeName, host);
      // It answers a question: its name and domain are those that were asked for.
      return patched && VirtualHost.encode({ ...patched, name: host.name, domains: host.domains }).finish();
    }
    default:
      return bytes;
  }
}

function isInbound(clusterName: string): boolean {
  return clusterName.startsWith("inbound|") || clusterName === INBOUND_PASSTHROUGH_CLUSTER;
}
