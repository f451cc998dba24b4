/** What Istio says of one of its annotations (istio/api annotation/annotations.yaml). */
export interface AnnotationFacts {
  /** Kinds that it may be on; `Any`: all. */
  readonly kinds: readonly string[];
  readonly status?: "alpha" | "deprecated";
  /** What its values look like, where that is checked. */
  readonly values?: { readonly pattern: RegExp; readonly rule: string };
}

/** Where an author says which codes of `lateen analyze` an object is not to be told for: `IST0101,LAT0001` or `*`. */
export const SUPPRESS_ANNOTATION = "galley.istio.io/analyze-suppress";

const FLAG = { pattern: /^(true|false)$/i, rule: "must be true or false" } as const;
const TIME = { pattern: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/, rule: "must be a time, as in RFC 3339" } as const;

const POD = ["Pod"];

/** Istio's annotations by name. Those of pods are here to say that they are in the wrong place. */
export const ISTIO_ANNOTATIONS: ReadonlyMap<string, AnnotationFacts> = new Map<string, AnnotationFacts>([
  [SUPPRESS_ANNOTATION, { kinds: ["Any"] }],
  ["istio.io/dry-run", { kinds: ["AuthorizationPolicy"], status: "alpha", values: FLAG }],
  ["istio.io/autoRegistrationGroup", { kinds: ["WorkloadEntry"] }],
  ["istio.io/connectedAt", { kinds: ["WorkloadEntry"], values: TIME }],
  ["istio.io/disconnectedAt", { kinds: ["WorkloadEntry"], values: TIME }],
  ["istio.io/workloadController", { kinds: ["WorkloadEntry"] }],
  ["proxy.istio.io/health-checks-enabled", { kinds: ["WorkloadEntry"], values: FLAG }],
  ["networking.istio.io/exportTo", { kinds: ["Service"] }],
  [
    "networking.istio.io/traffic-distribution",
    { kinds: ["Service", "ServiceEntry", "Namespace"], status: "alpha" },
  ],
  ["networking.istio.io/address-type", { kinds: ["Gateway"] }],
  ["networking.istio.io/service-type", { kinds: ["Gateway"] }],
  ["gateway.istio.io/controller-version", { kinds: ["Gateway"] }],
  ["gateway.istio.io/managed", { kinds: ["Gateway"], status: "deprecated" }],
  ["topology.istio.io/controlPlaneClusters", { kinds: ["Namespace"], status: "alpha" }],
  ["ambient.istio.io/redirection", { kinds: POD, status: "alpha" }],
  ["ambient.istio.io/bypass-inbound-capture", { kinds: POD, status: "alpha" }],
  ["ambient.istio.io/dns-capture", { kinds: POD, status: "alpha" }],
  ["inject.istio.io/templates", { kinds: POD }],
  ["prometheus.istio.io/merge-metrics", { kinds: POD, status: "alpha" }],
  ["proxy.istio.io/config", { kinds: POD }],
  ["proxy.istio.io/overrides", { kinds: POD, status: "alpha" }],
  ["readiness.status.sidecar.istio.io/applicationPorts", { kinds: POD, status: "alpha" }],
  ["readiness.status.sidecar.istio.io/failureThreshold", { kinds: POD, status: "alpha" }],
  ["readiness.status.sidecar.istio.io/initialDelaySeconds", { kinds: POD, status: "alpha" }],
  ["readiness.status.sidecar.istio.io/periodSeconds", { kinds: POD, status: "alpha" }],
  ["sidecar.istio.io/agentLogLevel", { kinds: POD, status: "alpha" }],
  ["sidecar.istio.io/bootstrapOverride", { kinds: POD, status: "alpha" }],
  ["sidecar.istio.io/componentLogLevel", { kinds: POD, status: "alpha" }],
  ["sidecar.istio.io/controlPlaneAuthPolicy", { kinds: POD, status: "deprecated" }],
  ["sidecar.istio.io/discoveryAddress", { kinds: POD, status: "deprecated" }],
  ["sidecar.istio.io/extraStatTags", { kinds: POD, status: "alpha" }],
  ["sidecar.istio.io/inject", { kinds: POD, status: "deprecated" }],
  ["sidecar.istio.io/interceptionMode", { kinds: POD, status: "alpha" }],
  ["sidecar.istio.io/logLevel", { kinds: POD, status: "alpha" }],
  ["sidecar.istio.io/proxyCPU", { kinds: POD, status: "alpha" }],
  ["sidecar.istio.io/proxyCPULimit", { kinds: POD, status: "alpha" }],
  ["sidecar.istio.io/proxyImage", { kinds: POD, status: "alpha" }],
  ["sidecar.istio.io/proxyImageType", { kinds: POD, status: "alpha" }],
  ["sidecar.istio.io/proxyMemory", { kinds: POD, status: "alpha" }],
  ["sidecar.istio.io/proxyMemoryLimit", { kinds: POD, status: "alpha" }],
  ["sidecar.istio.io/rewriteAppHTTPProbers", { kinds: POD, status: "alpha" }],
  ["sidecar.istio.io/statsInclusionPrefixes", { kinds: POD, status: "deprecated" }],
  ["sidecar.istio.io/statsInclusionRegexps", { kinds: POD, status: "deprecated" }],
  ["sidecar.istio.io/statsInclusionSuffixes", { kinds: POD, status: "deprecated" }],
  ["sidecar.istio.io/status", { kinds: POD, status: "alpha" }],
  ["sidecar.istio.io/userVolume", { kinds: POD, status: "alpha" }],
  ["sidecar.istio.io/userVolumeMount", { kinds: POD, status: "alpha" }],
  ["status.sidecar.istio.io/port", { kinds: POD, status: "alpha" }],
  ["traffic.sidecar.istio.io/excludeInboundPorts", { kinds: POD, status: "alpha" }],
  ["traffic.sidecar.istio.io/excludeInterfaces", { kinds: POD, status: "alpha" }],
  ["traffic.sidecar.istio.io/excludeOutboundIPRanges", { kinds: POD, status: "alpha" }],
  ["traffic.sidecar.istio.io/excludeOutboundPorts", { kinds: POD, status: "alpha" }],
  ["traffic.sidecar.istio.io/includeInboundPorts", { kinds: POD, status: "alpha" }],
  ["traffic.sidecar.istio.io/includeOutboundIPRanges", { kinds: POD, status: "alpha" }],
  ["traffic.sidecar.istio.io/includeOutboundPorts", { kinds: POD, status: "alpha" }],
  ["traffic.sidecar.istio.io/kubevirtInterfaces", { kinds: POD, status: "deprecated" }],
  ["istio.io/reroute-virtual-interfaces", { kinds: POD, status: "alpha" }],
]);
