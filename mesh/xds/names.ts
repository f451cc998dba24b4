/**
 * Names of xDS resources, as Istio has them, so that its tools and its sidecars read ours.
 */

/** Cluster of a service port, or of one of its subsets: `outbound|9080|v1|reviews.default.svc.cluster.local`. */
export function outboundClusterName(port: number, subset: string, hostname: string): string {
  return `outbound|${port}|${subset}|${hostname}`;
}

/** Cluster of the local application behind a port: `inbound|9080||`. */
export function inboundClusterName(servicePort: number): string {
  return `inbound|${servicePort}||`;
}

/** A listener that really binds: `127.0.0.1_9080`. */
export function listenerName(address: string, port: number): string {
  return `${address}_${port}`;
}

/** Route configuration of one service port's own listener: `reviews.default.svc.cluster.local:9080`. */
export function routeName(hostname: string, port: number): string {
  return `${hostname}:${port}`;
}

/** SNI of a mesh call: `outbound_.9080_.v1_.reviews.default.svc.cluster.local`; routed on by east-west gateways. */
export function meshServerName(port: number, subset: string, hostname: string): string {
  return `outbound_.${port}_.${subset}_.${hostname}`;
}

/** The agent of a proxy's host, on its unix socket; every bootstrap has it, by Istio's name. */
export const AGENT_CLUSTER = "xds-grpc";

/** Answers nothing: where a route points when its destination does not exist. */
export const BLACK_HOLE_CLUSTER = "BlackHoleCluster";

/** Goes on to the address that was called, past the mesh: outbound, and inbound to the application. */
export const PASSTHROUGH_CLUSTER = "PassthroughCluster";
/** Calls of hosts that are looked up by their names, whatever address was called. */
export const DYNAMIC_DNS_CLUSTER = "AllowAnyDynamicDNSCluster";
export const INBOUND_PASSTHROUGH_CLUSTER = "InboundPassthroughCluster";

/** What captured connections come in at, by Istio's names; its ports, where a workload has none of its own. */
export const VIRTUAL_OUTBOUND = { name: "virtualOutbound", port: 15_001 } as const;
export const VIRTUAL_INBOUND = { name: "virtualInbound", port: 15_006 } as const;
export const CAPTURED_AT = {
  outbound: VIRTUAL_OUTBOUND.port,
  inbound: VIRTUAL_INBOUND.port,
  ipv6: false,
} as const;

/** The workload's own SVID and key, and the trust bundle: what the agent's SDS serves. */
export const SVID_SECRET = "default";
export const TRUST_BUNDLE_SECRET = "ROOTCA";

/** ALPN that Istio's proxies choose a filter chain by. */
export const ALPN_ISTIO = ["istio-http/1.0", "istio-http/1.1", "istio-h2", "istio"] as const;

/** What the calling side of mesh TLS offers: the `istio` names tell the server's proxy that it is no TLS of the application's. */
export const CLIENT_ALPN = {
  http1: ["istio-http/1.1", "istio", "http/1.1"],
  http2: ["istio-h2", "istio", "h2"],
  tcp: ["istio"],
} as const;

/**
 * The filters by which a caller says that what it found to be HTTP is. The first has the name of Istio's that does so:
 * patches are placed beside it.
 */
export const ALPN_FILTERS = { "as-called": "istio.alpn", http1: "istio.alpn.http1" } as const;

/** Under which names the filters of policies leave their results: those that are tried out, by Istio's names, and AUDIT. */
export const DRY_RUN_RESULTS = { DENY: "istio_dry_run_deny_", ALLOW: "istio_dry_run_allow_" } as const;
export const AUDIT_RESULTS = "lateen_audit_";

/** Likewise those that say whether an authorizer is asked, by Istio's name. */
export const ASKED_RESULTS = "istio_ext_authz_";

/** What the names of rules begin with that say what a provider is asked about. */
export function askedPrefix(provider: string): string {
  return `istio-ext-authz-${provider}-`;
}

const ASKED_RULE = /^istio-ext-authz-.*?-(ns\[.*)$/s;

/** The name without that beginning, whoever is asked; undefined for one that has none. */
export function ruleOfAsked(name: unknown): string | undefined {
  return typeof name === "string" ? ASKED_RULE.exec(name)?.[1] : undefined;
}

/** What Istio calls a proxy of each role. */
const NODE_TYPES = { sidecar: "sidecar", gateway: "router" } as const;

/** xDS node id in Istio's form: `sidecar~10.0.0.3~reviews-v1.default~default.svc.cluster.local`. */
export function nodeId(
  address: string,
  name: string,
  namespace: string,
  domainSuffix: string,
  role: keyof typeof NODE_TYPES = "sidecar",
): string {
  return `${NODE_TYPES[role]}~${address}~${name}.${namespace}~${namespace}.svc.${domainSuffix}`;
}

/** The workload that an xDS node id names, or undefined when it has another form. */
export function parseNodeId(id: string): { readonly name: string; readonly namespace: string } | undefined {
  const [kind, , pod, domain, ...rest] = id.split("~");
  const namespace = domain?.split(".svc.")[0];
  const isKnown = Object.values(NODE_TYPES).some((type) => type === kind);
  if (!isKnown || rest.length > 0 || !pod || !namespace) return undefined;
  if (!pod.endsWith(`.${namespace}`) || pod.length === namespace.length + 1) return undefined;
  return { name: pod.slice(0, -namespace.length - 1), namespace };
}
