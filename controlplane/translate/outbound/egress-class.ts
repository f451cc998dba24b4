import { normalizeHost } from "../../../mesh/model/hosts.ts";
import type { ObjectKey } from "../../../mesh/model/object.ts";
import type { Service } from "../../../mesh/model/service.ts";
import { workloadId } from "../../../mesh/model/workload.ts";
import { CAPTURED_AT } from "../../../mesh/xds/names.ts";
import { type Client, clientKey, clientOf } from "../../policy/client.ts";
import { type EgressScope, meshScope, scopeOf, sidecarScope } from "../../policy/egress-scope.ts";
import { findService, upstreamPort } from "../../policy/services.ts";
import { sidecarFor } from "../../policy/sidecars.ts";
import { keyOf } from "../../snapshot/config-index.ts";
import type { SnapshotView, WorkloadConfig } from "../../snapshot/snapshot-view.ts";
import { by, byText } from "../../snapshot/text-order.ts";
import { gatewayResources } from "../gateway/gateway-parts.ts";
import type { Scope } from "../memo.ts";
import { foreignHostCovering } from "../routes/foreign-hosts.ts";
import { type CalledHost, calledHosts, calledService } from "./called-hosts.ts";
import type { Ways } from "./egress-plan.ts";

/** Workloads of one class share everything that they have of the calling side, but for declared upstreams. */
export interface EgressClass {
  /** Equal for equal classes. */
  readonly key: string;
  readonly client: Client;
  readonly source: ScopeSource;
  readonly ways: Ways;
}

/** Where a host is called that only VirtualServices have there; it may have a wildcard. */
export interface ForeignPlace {
  readonly host: string;
  readonly port: number;
}

/** Where the list of what may be called comes from. */
type ScopeSource =
  | { readonly kind: "mesh" }
  | { readonly kind: "sidecar"; readonly key: ObjectKey; readonly namespace: string }
  /** These and where their VirtualServices lead. `onDemand`: the other hosts are asked for when they are called. */
  | {
      readonly kind: "hosts";
      readonly hosts: readonly string[];
      readonly foreign: readonly ForeignPlace[];
      readonly onDemand: boolean;
    };

export function egressClass(scope: Scope, workload: WorkloadConfig): EgressClass {
  const { view } = scope;
  const client = clientOf(view, workload);
  const source =
    workload.role === "gateway" ? gatewaySource(scope, workload) : scopeSource(view, workload, client);
  const ways: Ways = {
    captured: capturedAt(workload),
    vips: workload.interception === "none" ? workload.vips : "none",
    httpProxy: workload.httpProxy ?? proxyOfMesh(view, workload),
  };
  return { key: `${JSON.stringify([source, ways])}/${clientKey(client)}`, client, source, ways };
}

function capturedAt({ interception, capturedAt: at }: WorkloadConfig): Ways["captured"] {
  return interception === "none" ? undefined : (at ?? CAPTURED_AT);
}

/** MeshConfig `proxyHttpPort` is for those that have a way to all of the mesh. */
function proxyOfMesh({ settings }: SnapshotView, { discovery }: WorkloadConfig): Ways["httpProxy"] {
  const port = settings.mesh.proxyHttpPort;
  return port === undefined || discovery === "upstreams" ? undefined : { address: "127.0.0.1", port };
}

/** A gateway calls what its Gateways lead to. */
function gatewaySource(scope: Scope, workload: WorkloadConfig): ScopeSource {
  return { kind: "hosts", hosts: gatewayResources(scope, workload).hosts, foreign: [], onDemand: false };
}

function scopeSource(view: SnapshotView, workload: WorkloadConfig, client: Client): ScopeSource {
  if (workload.discovery !== "mesh") {
    const onDemand = workload.discovery === "on-demand";
    const declared = workload.upstreams.map(({ host, port }) => {
      const service = findService(view, host, client.namespace, client);
      return { host: normalizeHost(host), port: upstreamPort(service, port), service };
    });
    const called = onDemand
      ? calledHosts(view, workloadId(workload)).map(({ host, port }) => {
          return { host, port, service: calledService(view, host, client) };
        })
      : [];
    return { kind: "hosts", ...namedHosts(view, client, [...declared, ...called]), onDemand };
  }
  const sidecar = sidecarFor(view, workload);
  return sidecar === undefined
    ? { kind: "mesh" }
    : { kind: "sidecar", key: keyOf(sidecar), namespace: sidecar.metadata.namespace };
}

/** What hosts mean to a client that it declares or has called: services, or hosts that only VirtualServices have. */
function namedHosts(
  view: SnapshotView,
  client: Client,
  named: readonly (CalledHost & { readonly service: Service | undefined })[],
): { readonly hosts: readonly string[]; readonly foreign: readonly ForeignPlace[] } {
  const hosts = new Set<string>();
  const foreign = new Map<string, ForeignPlace>();
  for (const { host, port, service } of named) {
    if (service !== undefined) hosts.add(service.hostname);
    if (service?.ports.some(({ number }) => number === port)) continue;
    const pattern = foreignHostCovering(view, client, service?.hostname ?? host, port);
    if (pattern !== undefined) foreign.set(`${pattern}:${port}`, { host: pattern, port });
  }
  return {
    hosts: [...hosts].sort(byText),
    foreign: [...foreign.values()].sort(by(({ host, port }) => `${host}:${port}`)),
  };
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

/** The workloads of a class as clients of what comes in through each of its listeners, by their place in the scope. */
export function clientsThrough(scope: Scope, of: EgressClass): readonly Client[] {
  return egressScope(scope, of).listeners.map(({ imports }) =>
    imports === undefined ? of.client : { ...of.client, imports },
  );
}

function sameScope(a: EgressScope, b: EgressScope): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
