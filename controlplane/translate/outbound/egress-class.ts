import type { ObjectKey } from "../../../mesh/model/object.ts";
import { workloadId } from "../../../mesh/model/workload.ts";
import { type Client, clientKey, clientOf } from "../../policy/client.ts";
import { type EgressScope, meshScope, scopeOf, sidecarScope } from "../../policy/egress-scope.ts";
import { findService } from "../../policy/services.ts";
import { sidecarFor } from "../../policy/sidecars.ts";
import { keyOf } from "../../snapshot/config-index.ts";
import type { SnapshotView, WorkloadConfig } from "../../snapshot/snapshot-view.ts";
import { byText } from "../../snapshot/text-order.ts";
import { gatewayResources } from "../gateway/gateway-parts.ts";
import type { Scope } from "../memo.ts";
import { destinationsOf } from "../routes/routed-host.ts";
import { calledHosts } from "./called-hosts.ts";
import type { Ways } from "./egress-plan.ts";

/** Workloads of one class share everything that they have of the calling side, but for declared upstreams. */
export interface EgressClass {
  /** Equal for equal classes. */
  readonly key: string;
  readonly client: Client;
  readonly source: ScopeSource;
  readonly ways: Ways;
}

/** Where the list of what may be called comes from. */
type ScopeSource =
  | { readonly kind: "mesh" }
  | { readonly kind: "sidecar"; readonly key: ObjectKey; readonly namespace: string }
  /** These and where their VirtualServices lead. `onDemand`: the other hosts are asked for when they are called. */
  | { readonly kind: "hosts"; readonly hosts: readonly string[]; readonly onDemand: boolean };

export function egressClass(scope: Scope, workload: WorkloadConfig): EgressClass {
  const { view } = scope;
  const client = clientOf(view, workload);
  const source = workload.role === "gateway" ? gatewaySource(scope, workload) : scopeSource(view, workload);
  const ways: Ways = {
    captured: workload.interception !== "none",
    bindsVips: workload.bindsVips && workload.interception === "none",
    httpProxy: workload.httpProxy ?? proxyOfMesh(view, workload),
  };
  return { key: `${JSON.stringify([source, ways])}/${clientKey(client)}`, client, source, ways };
}

/** MeshConfig `proxyHttpPort` is for those that have a way to all of the mesh. */
function proxyOfMesh({ settings }: SnapshotView, { discovery }: WorkloadConfig): Ways["httpProxy"] {
  const port = settings.mesh.proxyHttpPort;
  return port === undefined || discovery === "upstreams" ? undefined : { address: "127.0.0.1", port };
}

/** A gateway calls what its Gateways lead to. */
function gatewaySource(scope: Scope, workload: WorkloadConfig): ScopeSource {
  return { kind: "hosts", hosts: gatewayResources(scope, workload).hosts, onDemand: false };
}

function scopeSource(view: SnapshotView, workload: WorkloadConfig): ScopeSource {
  if (workload.discovery !== "mesh") {
    const upstreams = workload.upstreams.flatMap(
      ({ host }) => findService(view, host, workload.namespace)?.hostname ?? [],
    );
    const onDemand = workload.discovery === "on-demand";
    const called = onDemand ? calledHosts(view, workloadId(workload), workload.namespace) : [];
    return { kind: "hosts", hosts: [...new Set([...upstreams, ...called])].sort(byText), onDemand };
  }
  const sidecar = sidecarFor(view, workload);
  return sidecar === undefined
    ? { kind: "mesh" }
    : { kind: "sidecar", key: keyOf(sidecar), namespace: sidecar.metadata.namespace };
}

/** What the workloads of a class may call. */
export function egressScope(scope: Scope, { client, source }: EgressClass): EgressScope {
  return scope.get(
    `egress-scope/${client.namespace}/${JSON.stringify(source)}`,
    ({ view }) => {
      switch (source.kind) {
        case "mesh":
          return meshScope(view, client.namespace);
        case "sidecar": {
          const sidecar = view.sidecars(source.namespace).find((one) => keyOf(one) === source.key);
          return sidecar === undefined
            ? meshScope(view, client.namespace)
            : sidecarScope(view, sidecar, client.namespace);
        }
        case "hosts":
          return scopeOf(view, source.hosts);
        default:
          return source satisfies never;
      }
    },
    sameScope,
  );
}

/**
 * The services that there must be clusters for: all that may be called, and where their VirtualServices lead. Within the
 * whole mesh these are the same.
 */
export function clusterHosts(scope: Scope, of: EgressClass): readonly string[] {
  return scope.get(
    `cluster-hosts/${of.key}`,
    (inner) => {
      const { listeners, outboundTrafficPolicy } = egressScope(inner, of);
      const [only, ...others] = listeners;
      const proxy = outboundTrafficPolicy.egressProxy;
      if (of.source.kind === "mesh" && only !== undefined && others.length === 0 && proxy === undefined) {
        return only.hosts;
      }
      const own = listeners.flatMap((listener) => listener.hosts);
      const hosts = new Set(own);
      for (const host of own) {
        for (const { number } of inner.view.service(host)?.ports ?? []) {
          for (const { hostname } of destinationsOf(inner, of.client, host, number)) hosts.add(hostname);
        }
      }
      const beyond = proxy && findService(inner.view, proxy.host, of.client.namespace);
      if (beyond !== undefined) hosts.add(beyond.hostname);
      return [...hosts];
    },
    (a, b) => a.length === b.length && a.every((host, index) => host === b[index]),
  );
}

function sameScope(a: EgressScope, b: EgressScope): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
