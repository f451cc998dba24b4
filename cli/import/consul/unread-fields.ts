import type { Loss } from "./manifest.ts";
import { leafPaths, type RawEntry } from "./raw-entry.ts";

/** Of every entry: what names it, and what Consul keeps for itself. */
const EVERYWHERE =
  "Kind Name Namespace Partition Hash Status.** Meta.** CreateIndex ModifyIndex RaftIndex.**";

const JWT = "Providers[].Name Providers[].VerifyClaims[].**";
const EDITS = "RequestHeaders.** ResponseHeaders.**";

/** What is read of each kind; `*` stands for one name, `**` for all below. */
const READ: Readonly<Record<string, string>> = {
  "service-intentions": [
    within("JWT", JWT),
    within(
      "Sources[]",
      `Name Namespace Partition Peer SamenessGroup Type Description Action Precedence LegacyID LegacyMeta.**
       LegacyCreateTime LegacyUpdateTime Permissions[].Action Permissions[].HTTP.PathExact
       Permissions[].HTTP.PathPrefix Permissions[].HTTP.PathRegex Permissions[].HTTP.Methods[]
       Permissions[].HTTP.Header[].**`,
    ),
    within("Sources[].Permissions[].JWT", JWT),
  ].join(" "),
  "jwt-provider": `Issuer Audiences[] JSONWebKeySet.Local.** JSONWebKeySet.Remote.URI Locations[].Header.**
    Locations[].QueryParam.Name Locations[].Cookie.Name Forwarding.HeaderName`,
  "service-router": [
    within(
      "Routes[].Match.HTTP",
      `PathExact PathPrefix PathRegex CaseInsensitive Methods[] Header[].Name Header[].Present Header[].Exact
       Header[].Prefix Header[].Suffix Header[].Regex Header[].Invert QueryParam[].Name QueryParam[].Present
       QueryParam[].Exact QueryParam[].Regex`,
    ),
    within(
      "Routes[].Destination",
      `Service ServiceSubset Namespace PrefixRewrite RequestTimeout NumRetries RetryOnConnectFailure RetryOn[]
       RetryOnStatusCodes[] ${EDITS}`,
    ),
  ].join(" "),
  "service-splitter": within("Splits[]", `Weight Service ServiceSubset Namespace ${EDITS}`),
  "service-resolver": `DefaultSubset Subsets.*.Filter Redirect.Service Redirect.ServiceSubset Redirect.Namespace
    ConnectTimeout RequestTimeout LoadBalancer.Policy LoadBalancer.RingHashConfig.MinimumRingSize
    LoadBalancer.HashPolicies[].Field LoadBalancer.HashPolicies[].FieldValue LoadBalancer.HashPolicies[].SourceIP
    LoadBalancer.HashPolicies[].CookieConfig.**`,
  "service-defaults": `Protocol MutualTLSMode MaxInboundConnections ${within(
    "UpstreamConfig.Overrides[]",
    `Name Namespace ConnectTimeoutMs Limits.MaxConnections Limits.MaxPendingRequests Limits.MaxConcurrentRequests
     PassiveHealthCheck.Interval PassiveHealthCheck.MaxFailures PassiveHealthCheck.BaseEjectionTime
     PassiveHealthCheck.MaxEjectionPercent`,
  )}`,
  "proxy-defaults": "MutualTLSMode Config.protocol",
  "ingress-gateway": `TLS.Enabled Listeners[].Port Listeners[].Protocol Listeners[].TLS.Enabled ${within(
    "Listeners[].Services[]",
    `Name Namespace Hosts[] ${EDITS}`,
  )}`,
};

const LEFT_OUT = "has no equivalent and is left out";

/** What is not read and wants more than a word; the first pattern that fits tells. */
const MEANINGS: readonly (readonly [kind: string, fields: string, meaning: string])[] = [
  [
    "service-resolver",
    "Failover.**",
    "calls stay with the service: say localityLbSetting in the DestinationRule, or take a second route",
  ],
  [
    "service-resolver",
    "Redirect.Datacenter Redirect.Peer",
    "another datacenter is another mesh: reach it through a gateway and a ServiceEntry",
  ],
  ["service-resolver", "Subsets.*.OnlyPassing", "an instance with a warning is called too"],
  ["service-resolver", "LoadBalancer.LeastRequestConfig.**", "two instances are compared, as is the default"],
  ["service-resolver", "LoadBalancer.HashPolicies[].Terminal", "only the first policy is taken"],
  [
    "service-resolver",
    "PrioritizeByLocality.**",
    "the nearest instances are called first where the catalog says localities",
  ],
  [
    "service-router",
    "Routes[].Destination.IdleTimeout",
    "a route has no idle time-out of its own: connectionPool.http.idleTimeout of the DestinationRule",
  ],
  [
    "service-defaults",
    "UpstreamConfig.Defaults.**",
    "settings for whatever a caller calls: say them in the DestinationRule of each service",
  ],
  ["service-defaults", "ExternalSNI Destination.** ", "a service outside of the mesh: write a ServiceEntry"],
  [
    "service-defaults",
    "LocalRequestTimeoutMs LocalConnectTimeoutMs",
    "say timeout in the VirtualService of the service",
  ],
  [
    "service-defaults",
    "Expose.**",
    "paths without mutual TLS: say portLevelMtls in a PeerAuthentication, or let the agent probe",
  ],
  [
    "proxy-defaults",
    "Expose.**",
    "paths without mutual TLS: say portLevelMtls in a PeerAuthentication, or let the agent probe",
  ],
  ["proxy-defaults", "AccessLogs.**", "write a Telemetry with accessLogging"],
  [
    "proxy-defaults",
    "Config.envoy_tracing_json Config.envoy_extra_static_clusters_json",
    "write a Telemetry with tracing",
  ],
  ["proxy-defaults", "Config.envoy_prometheus_bind_addr", "metrics are at the agent, port 15020"],
  ["service-defaults", "EnvoyExtensions[].**", "write an EnvoyFilter, or a Telemetry"],
  ["proxy-defaults", "EnvoyExtensions[].**", "write an EnvoyFilter, or a Telemetry"],
];

/** What a whole kind is here. */
const KINDS: Readonly<Record<string, string>> = {
  "terminating-gateway":
    "services outside are called from the callers' own proxies: write ServiceEntries with a DestinationRule's tls",
  "exported-services": "namespaces see one another; exportTo hides, and another mesh is reached by gateways",
  "sameness-group": "there are no partitions and peers",
  mesh: "settings of the mesh are in a MeshConfig",
  "api-gateway": "write a Gateway and VirtualServices",
  "http-route": "write a VirtualService for its Gateway",
  "tcp-route": "write a VirtualService for its Gateway",
  "inline-certificate": "write a Secret",
  "file-system-certificate": "write a Secret",
};

/** What an entry says and nothing here reads. */
export function unreadFields(entry: RawEntry): readonly Loss[] {
  const kind = String(entry["Kind"]);
  const name = String(entry["Name"]);
  const read = READ[kind];
  if (read === undefined) return [{ kind, name, field: "", meaning: KINDS[kind] ?? LEFT_OUT }];
  const losses = new Map<string, Loss>();
  for (const path of leafPaths(entry)) {
    if (matches(EVERYWHERE, path) || matches(read, path)) continue;
    const told = MEANINGS.find(([of, fields]) => of === kind && matches(fields, path));
    // One line for all below a field that is left out whole.
    const whole = told?.[1].split(/\s+/).find((pattern) => pattern.endsWith(".**") && matches(pattern, path));
    const field = whole?.slice(0, -".**".length) ?? path;
    losses.set(field, { kind, name, field, meaning: told?.[2] ?? LEFT_OUT });
  }
  return [...losses.values()];
}

/** The same patterns, below a path. */
function within(path: string, patterns: string): string {
  return patterns
    .split(/\s+/)
    .map((pattern) => `${path}.${pattern}`)
    .join(" ");
}

function matches(patterns: string, path: string): boolean {
  return patterns.split(/\s+/).some((pattern) => pattern !== "" && matchesOne(pattern, path));
}

function matchesOne(pattern: string, path: string): boolean {
  const wanted = pattern.split(".");
  const given = path.split(".");
  if (wanted.at(-1) === "**") {
    const above = wanted.slice(0, -1);
    return given.length >= above.length && above.every((step, index) => isStep(step, given[index]));
  }
  return wanted.length === given.length && wanted.every((step, index) => isStep(step, given[index]));
}

function isStep(pattern: string, step: string | undefined): boolean {
  return pattern === "*" || pattern === step;
}
