import type { Service, ServiceKey, ServicePort } from "../../../mesh/model/service.ts";
import { Cluster } from "../../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import { Metadata } from "../../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import { destinationPolicy, type RuleReference } from "../../policy/destination-rules.ts";
import { localitySetting, weighsLocalities } from "../../policy/locality.ts";
import { type PortPolicy, portPolicy } from "../../policy/port-policy.ts";
import { keyOf } from "../../snapshot/config-index.ts";
import type { MeshSettings } from "../../snapshot/mesh-snapshot.ts";
import type { SnapshotView } from "../../snapshot/snapshot-view.ts";
import { withServerBans } from "../ban-metadata.ts";
import { configMetadata } from "../config-metadata.ts";
import type { Scope } from "../memo.ts";
import { isHttp, isHttp2 } from "../protocols.ts";
import { connectionPool, type UpstreamHttp } from "./connection-pool.ts";
import { type Discovery, discovered } from "./discovery.ts";
import { balancer, commonBalancing } from "./load-balancing.ts";
import { type OriginatedTls, originatedTls, type TlsCaller } from "./originated-tls.ts";
import { outlierDetection } from "./outlier-detection.ts";
import { withProxyProtocol } from "./proxy-protocol.ts";
import { autoSockets, isAutoMtls, meshSocket, originalDestinationSockets } from "./transport-sockets.ts";

/** A port of a service, or a subset of it, and everything of a client that its cluster depends on. */
export interface ClusterOf {
  readonly name: string;
  readonly hostname: string;
  /** Which of the services of the host. */
  readonly service: ServiceKey;
  readonly port: number;
  readonly subset: string;
  readonly rules: RuleReference | undefined;
  readonly discovery: Discovery;
  /** Undefined where the cluster has no TLS of the application's. */
  readonly caller: TlsCaller | undefined;
  /** Bytes go through as they are: the caller has done what there is to do. */
  readonly forwardsOnly: boolean;
  /** The caller's proxy finds out what is spoken, and speaks the same. */
  readonly findsOut: boolean;
}

export function outboundCluster(scope: Scope, of: ClusterOf): Cluster {
  const { view } = scope;
  const { settings } = view;
  const service = view.services(of.hostname).find(({ key }) => key === of.service);
  const port = service?.ports.find(({ number }) => number === of.port);
  if (service === undefined || port === undefined)
    throw new Error(`no service port ${of.hostname}:${of.port}`);
  const rules = destinationPolicy(view, of.rules);
  const policy = portPolicy(rules, of.subset, of.port, settings.mesh.defaultTrafficPolicy);
  const http = of.findsOut ? "as-called" : upstreamHttp(port, policy, settings.mesh);
  const subject = rules.rule === undefined ? `Service/${of.hostname}` : keyOf(rules.rule);
  warnOfLimits(policy, of, (message) => scope.warn({ subject, message: `${of.name}: ${message}` }));
  const tls = of.forwardsOnly ? PLAIN : transport(scope.view, of, policy, { service, port, http });
  const locality = localitySetting(policy.loadBalancer?.locality, settings.mesh.localityLbSetting);
  const outliers = policy.outlierDetection;
  const placed = of.discovery.kind !== "original-dst" && of.discovery.kind !== "dynamic-dns";
  return Cluster.fromPartial({
    name: of.name,
    ...connectionPool(settings, policy.connectionPool, {
      ...tls,
      http,
      retryBudget: policy.retryBudget,
      errorCodes: outliers?.httpErrorCodes,
    }),
    ...balancer(policy.loadBalancer),
    ...discovered(scope, of.discovery, of.name, tls),
    ...commonBalancing(outliers, placed && weighsLocalities(locality, outliers !== undefined)),
    ...(outliers && { outlierDetection: outlierDetection(outliers) }),
    ...(policy.proxyProtocol === undefined || of.forwardsOnly
      ? tls.sockets
      : withProxyProtocol(tls.sockets, policy.proxyProtocol)),
    metadata: withServerBans(
      view,
      [service.key],
      metadataOf(service, of.subset, rules.rule && configMetadata(rules.rule)),
    ),
  });
}

/** Whether and how calls to a cluster are TLS that ends at a mesh proxy. */
export function usesMeshTls(view: SnapshotView, service: Service, { tls }: Pick<PortPolicy, "tls">): boolean {
  return tls === undefined ? isAutoMtls(view, service) : tls.mode === "ISTIO_MUTUAL";
}

interface Transport extends Pick<OriginatedTls, "autoSni" | "autoSan"> {
  readonly sockets: Partial<Pick<Cluster, "transportSocket" | "transportSocketMatches">>;
}

const PLAIN: Transport = { sockets: {}, autoSni: false, autoSan: false };

interface Target {
  readonly service: Service;
  readonly port: ServicePort;
  readonly http: UpstreamHttp;
}

function transport(view: SnapshotView, of: ClusterOf, { tls }: PortPolicy, target: Target): Transport {
  const { service, port, http } = target;
  const meshTls = { service, port, subset: of.subset, http, tls };
  if (tls === undefined) {
    if (!isAutoMtls(view, service)) return PLAIN;
    const sockets = of.discovery.kind === "original-dst" ? originalDestinationSockets : autoSockets;
    return { ...PLAIN, sockets: sockets(view, meshTls) };
  }
  switch (tls.mode) {
    case "DISABLE":
      return PLAIN;
    case "ISTIO_MUTUAL":
      return { ...PLAIN, sockets: { transportSocket: meshSocket(view, meshTls) } };
    case "SIMPLE":
    case "MUTUAL": {
      const { caller } = of;
      if (caller === undefined || (tls.credentialName !== "" && !caller.hasSecrets)) return PLAIN;
      const limits = view.settings.mesh.tlsDefaults;
      const called = { isHttp: isHttp(port.protocol), http, caller, limits };
      const { socket, ...auto } = originatedTls(service, tls, called);
      return { ...auto, sockets: { transportSocket: socket } };
    }
    default:
      return tls.mode satisfies never;
  }
}

/** A rule decides over the mesh, and what the caller speaks over both. */
export function upstreamHttp(
  { protocol }: ServicePort,
  { connectionPool: pool }: PortPolicy,
  mesh: MeshSettings["mesh"],
): UpstreamHttp {
  if (pool?.useClientProtocol) return "as-called";
  if (isHttp2(protocol)) return "http2";
  const upgrade = pool?.h2UpgradePolicy ?? (isHttp(protocol) ? mesh.h2UpgradePolicy : undefined);
  return upgrade === "UPGRADE" ? "http2" : "http1";
}

/** What Envoy, or this client, cannot do. */
function warnOfLimits(
  { loadBalancer, tls }: PortPolicy,
  { discovery, caller }: ClusterOf,
  warn: (message: string) => void,
): void {
  if (loadBalancer?.simple === "PASSTHROUGH" && discovery.kind !== "original-dst") {
    warn("loadBalancer PASSTHROUGH needs captured traffic; LEAST_REQUEST is used");
  }
  if (tls !== undefined && tls.credentialName !== "" && caller !== undefined && !caller.hasSecrets) {
    warn("tls.credentialName is for gateways and rules with a workloadSelector; others call without TLS");
  }
}

/** The `istio` metadata of a cluster: whose it is, for telemetry, and what decided it. */
function metadataOf(
  { hostname, name, namespace, external }: Service,
  subset: string,
  config?: Metadata,
): Metadata {
  return Metadata.fromPartial({
    filterMetadata: {
      istio: {
        ...config?.filterMetadata["istio"],
        services: [{ host: hostname, name, namespace }],
        ...(subset !== "" && { subset }),
        ...(external && { external: true }),
      },
    },
  });
}
