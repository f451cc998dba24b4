import { object, service, testAnalysis, workload } from "../../test/harness/analysis.ts";

const REVIEWS_V2 = workload("reviews-2", "labels: { app: reviews, version: v2 }", "10.0.1.2");

function policy(kind: string, spec: string, metadata = ""): string {
  return object(kind, "p", spec, metadata);
}

testAnalysis([
  {
    name: "selectors that select a workload are fine",
    objects: [
      service("reviews"),
      policy("AuthorizationPolicy", "{ selector: { matchLabels: { app: reviews } } }"),
      policy("PeerAuthentication", "{ selector: { matchLabels: { app: reviews } }, mtls: { mode: STRICT } }"),
      policy("ProxyConfig", "{ selector: { matchLabels: { app: reviews } }, concurrency: 2 }"),
      policy("Sidecar", "{ workloadSelector: { labels: { app: reviews } }, egress: [{ hosts: ['./*'] }] }"),
    ],
    want: [],
  },
  {
    name: "a selector in the root namespace means the workloads of all",
    objects: [
      service("reviews"),
      policy(
        "AuthorizationPolicy",
        "{ selector: { matchLabels: { app: reviews } } }",
        "namespace: istio-system",
      ),
      object("AuthorizationPolicy", "all", "{}", "namespace: istio-system"),
    ],
    want: [],
  },
  {
    name: "selectors that select nothing",
    objects: [
      service("reviews"),
      policy("AuthorizationPolicy", "{ selector: { matchLabels: { app: none } } }"),
      policy("PeerAuthentication", "{ selector: { matchLabels: { app: none } }, mtls: { mode: STRICT } }"),
      policy("ProxyConfig", "{ selector: { matchLabels: { app: none } }, concurrency: 2 }"),
      policy("Sidecar", "{ workloadSelector: { labels: { app: none } }, egress: [{ hosts: ['./*'] }] }"),
      object("AuthorizationPolicy", "far", "{}", "namespace: shop"),
    ],
    want: [
      "IST0127 AuthorizationPolicy default/p: labels app=none",
      "IST0127 AuthorizationPolicy shop/far: namespace shop has no workload",
      "IST0127 PeerAuthentication default/p: labels app=none",
      "IST0127 ProxyConfig default/p: labels app=none",
      "IST0101 Sidecar default/p: labels app=none",
    ],
  },
  {
    name: "namespaces of an AuthorizationPolicy in which there is nothing",
    objects: [
      service("reviews"),
      policy(
        "AuthorizationPolicy",
        `{ rules: [{ from: [{ source: { namespaces: [default, "def*", "*ault", istio-system, nowhere], notNamespaces: ["gone*"] } }] }] }`,
      ),
    ],
    want: [
      "IST0101 AuthorizationPolicy default/p: namespace nowhere",
      "IST0101 AuthorizationPolicy default/p: namespace gone*",
    ],
  },
  {
    name: "two Sidecars for a whole namespace, and two for one workload",
    objects: [
      service("reviews"),
      REVIEWS_V2,
      object("Sidecar", "one", "{ egress: [{ hosts: ['./*'] }] }"),
      object("Sidecar", "two", "{ egress: [{ hosts: ['*/*'] }] }"),
      object(
        "Sidecar",
        "three",
        "{ workloadSelector: { labels: { app: reviews } }, egress: [{ hosts: ['./*'] }] }",
      ),
      object(
        "Sidecar",
        "four",
        "{ workloadSelector: { labels: { version: v2 } }, egress: [{ hosts: ['./*'] }] }",
      ),
    ],
    want: [
      "IST0111 Sidecar default/one: default/one, default/two",
      "IST0111 Sidecar default/two: default/one, default/two",
      "IST0110 Sidecar default/four: default/four, default/three all select workload default/reviews-2",
      "IST0110 Sidecar default/three: default/four, default/three",
    ],
  },
  {
    name: "two Telemetries for a whole namespace, and two for one workload",
    objects: [
      service("reviews"),
      REVIEWS_V2,
      object("Telemetry", "one", "{ accessLogging: [{ providers: [{ name: envoy }] }] }"),
      object("Telemetry", "two", "{ tracing: [{ randomSamplingPercentage: 5 }] }"),
      object(
        "Telemetry",
        "other",
        "{ tracing: [{ randomSamplingPercentage: 5 }] }",
        "namespace: istio-system",
      ),
      object(
        "Telemetry",
        "three",
        "{ selector: { matchLabels: { app: reviews } }, tracing: [{ randomSamplingPercentage: 5 }] }",
      ),
      object(
        "Telemetry",
        "four",
        "{ selector: { matchLabels: { version: v2 } }, tracing: [{ randomSamplingPercentage: 5 }] }",
      ),
    ],
    want: [
      "IST0160 Telemetry default/one: default/one, default/two",
      "IST0160 Telemetry default/two: default/one, default/two",
      "IST0159 Telemetry default/four: default/four, default/three all select workload default/reviews-2",
      "IST0159 Telemetry default/three: default/four, default/three",
    ],
  },
  {
    name: "a log without a provider, where there is none to inherit",
    objects: [object("Telemetry", "one", "{ accessLogging: [{ filter: { expression: 'true' } }] }")],
    want: ["IST0157 Telemetry default/one: names no provider"],
  },
  {
    name: "a log whose provider the root namespace names",
    objects: [
      object("Telemetry", "one", "{ accessLogging: [{ filter: { expression: 'true' } }] }"),
      object(
        "Telemetry",
        "root",
        "{ accessLogging: [{ providers: [{ name: envoy }] }] }",
        "namespace: istio-system",
      ),
    ],
    want: [],
  },
  {
    name: "an import that finds nothing",
    objects: [
      service("reviews"),
      object(
        "Sidecar",
        "one",
        "{ egress: [{ hosts: ['./reviews.default.svc.cluster.local', '*/*', 'shop/*', './none.example.com', './a.example.org'] }] }",
      ),
      object(
        "VirtualService",
        "foreign",
        "{ hosts: ['*.example.org'], http: [{ route: [{ destination: { host: reviews } }] }] }",
      ),
    ],
    want: ["LAT0012 Sidecar default/one: ./none.example.com imports nothing"],
  },
  {
    name: "a DestinationRule for a service and its versions is fine, also with a wildcard",
    objects: [
      service("reviews"),
      REVIEWS_V2,
      object(
        "DestinationRule",
        "a",
        "{ host: reviews, subsets: [{ name: v2, labels: { version: v2 } }, { name: all }] }",
      ),
      object("DestinationRule", "b", "{ host: '*.svc.cluster.local' }"),
    ],
    want: [],
  },
  {
    name: "subsets of places are subsets as others",
    objects: [
      service("reviews"),
      workload("near", "labels: { app: reviews, version: v3 }, locality: eu/a"),
      object(
        "DestinationRule",
        "a",
        "{ host: reviews, subsets: [{ name: eu, labels: { topology.kubernetes.io/region: eu } }, { name: us, labels: { topology.kubernetes.io/region: us } }] }",
      ),
    ],
    want: ["IST0173 DestinationRule default/a: subset us is empty"],
  },
  {
    name: "a DestinationRule for no service, and a subset of no endpoint",
    objects: [
      service("reviews"),
      object("DestinationRule", "a", "{ host: reveiws, subsets: [{ name: v2, labels: { version: v2 } }] }"),
      object("DestinationRule", "b", "{ host: reviews, subsets: [{ name: v2, labels: { version: v2 } }] }"),
    ],
    want: [
      "IST0174 DestinationRule default/a: reveiws is no service",
      "IST0173 DestinationRule default/b: subset v2 is empty",
    ],
  },
  {
    name: "TLS that checks nobody's certificate, for all ports and for one",
    objects: [
      service("reviews"),
      object(
        "DestinationRule",
        "a",
        "{ host: reviews, trafficPolicy: { tls: { mode: SIMPLE }, portLevelSettings: [{ port: { number: 9080 }, tls: { mode: MUTUAL, clientCertificate: /c, privateKey: /k } }] } }",
      ),
      object(
        "DestinationRule",
        "b",
        "{ host: reviews, trafficPolicy: { tls: { mode: SIMPLE, caCertificates: /ca } } }",
      ),
      object(
        "DestinationRule",
        "c",
        "{ host: reviews, workloadSelector: { matchLabels: { app: reviews } }, trafficPolicy: { tls: { mode: SIMPLE, credentialName: ca } } }",
      ),
      object(
        "DestinationRule",
        "e",
        "{ host: reviews, trafficPolicy: { tls: { mode: SIMPLE, credentialName: ca } } }",
      ),
      object("DestinationRule", "d", "{ host: reviews, trafficPolicy: { tls: { mode: ISTIO_MUTUAL } } }"),
    ],
    want: [
      "IST0128 DestinationRule default/a: SIMPLE to reviews",
      "IST0129 DestinationRule default/a: MUTUAL to port 9080 of reviews",
      "IST0128 DestinationRule default/e: others call without TLS",
    ],
  },
  {
    name: "failover without outlier detection",
    objects: [
      service("reviews"),
      object(
        "DestinationRule",
        "a",
        "{ host: reviews, trafficPolicy: { loadBalancer: { localityLbSetting: { failover: [{ from: eu, to: us }] } } } }",
      ),
      object(
        "DestinationRule",
        "b",
        "{ host: reviews, trafficPolicy: { outlierDetection: { consecutive5xxErrors: 5 }, loadBalancer: { localityLbSetting: { failover: [{ from: eu, to: us }] } } } }",
      ),
    ],
    want: ["IST0167 DestinationRule default/a: without outlierDetection"],
  },
  {
    name: "patches that depend on others, or do nothing",
    objects: [
      object(
        "EnvoyFilter",
        "a",
        `{ configPatches: [
  { applyTo: HTTP_FILTER, patch: { operation: INSERT_FIRST, value: { name: x } } },
  { applyTo: HTTP_FILTER, patch: { operation: INSERT_BEFORE, value: { name: y } } },
  { applyTo: HTTP_ROUTE, patch: { operation: ADD, value: { name: z } } },
  { applyTo: ROUTE_CONFIGURATION, patch: { operation: REMOVE } },
  { applyTo: CLUSTER, patch: { operation: REPLACE, value: { name: c } } },
  { applyTo: CLUSTER, patch: { operation: MERGE, value: { name: c } } }] }`,
      ),
      object(
        "EnvoyFilter",
        "b",
        `{ configPatches: [
  { applyTo: HTTP_FILTER, match: { proxy: { proxyVersion: "^1.*" } }, patch: { operation: MERGE, value: { name: v } } },
  { applyTo: HTTP_FILTER, patch: { operation: INSERT_AFTER, value: { name: v } } }] }`,
      ),
      object(
        "EnvoyFilter",
        "c",
        "{ priority: 10, configPatches: [{ applyTo: HTTP_FILTER, patch: { operation: INSERT_AFTER, value: { name: v } } }] }",
      ),
    ],
    want: [
      "IST0151 EnvoyFilter default/a: INSERT_BEFORE",
      "IST0153 EnvoyFilter default/a: ADD does nothing for HTTP_ROUTE",
      "IST0154 EnvoyFilter default/a: REMOVE does nothing for ROUTE_CONFIGURATION",
      "IST0152 EnvoyFilter default/a: not CLUSTER",
      "IST0155 EnvoyFilter default/b: INSERT_AFTER",
    ],
  },
  {
    name: "annotations in the wrong place, unknown, invalid, not for production",
    objects: [
      service("reviews"),
      object(
        "VirtualService",
        "a",
        "{ hosts: [a.example.com], http: [{ route: [{ destination: { host: reviews } }] }] }",
        `annotations: { sidecar.istio.io/inject: "true", istio.io/unheard-of: x, example.com/mine: y }`,
      ),
      object(
        "WorkloadEntry",
        "b",
        "{ address: 10.1.1.1, serviceAccount: b }",
        `annotations: { istio.io/connectedAt: yesterday }`,
      ),
      object("AuthorizationPolicy", "c", "{}", `annotations: { istio.io/dry-run: "true" }`),
    ],
    want: [
      "IST0107 VirtualService default/a: belongs on Pod, not on VirtualService",
      "IST0135 VirtualService default/a: sidecar.istio.io/inject is deprecated",
      "IST0108 VirtualService default/a: istio.io/unheard-of",
      "IST0125 WorkloadEntry default/b: must be a time",
      "IST0136 AuthorizationPolicy default/c: alpha",
    ],
  },
  {
    name: "an object that says which codes it is not to be told for",
    objects: [
      object(
        "DestinationRule",
        "a",
        "{ host: none }",
        `annotations: { galley.istio.io/analyze-suppress: "IST0101, IST0174" }`,
      ),
      object(
        "DestinationRule",
        "b",
        "{ host: none }",
        `annotations: { galley.istio.io/analyze-suppress: "*" }`,
      ),
      object(
        "DestinationRule",
        "c",
        "{ host: none }",
        `annotations: { galley.istio.io/analyze-suppress: IST0101 }`,
      ),
    ],
    want: ["IST0174 DestinationRule default/c: none is no service"],
  },
  {
    name: "a Sidecar's proxy for unknown hosts that is not there",
    objects: [
      ...[
        ["gone", "out", 3128],
        ["closed", "reviews", 3128],
        ["good", "reviews", 9080],
      ].map(([name, host, port]) =>
        object(
          "Sidecar",
          String(name),
          `{ workloadSelector: { labels: { a: b } }, outboundTrafficPolicy: { mode: ALLOW_ANY, egressProxy: { host: ${host}, port: { number: ${port} } } } }`,
          'annotations: { galley.istio.io/analyze-suppress: "IST0002" }',
        ),
      ),
      service("reviews"),
    ],
    want: [
      "IST0101 Sidecar default/closed: no workload of the namespace",
      "IST0101 Sidecar default/closed: reviews has no port 3128",
      "IST0101 Sidecar default/gone: no workload of the namespace",
      "IST0101 Sidecar default/gone: out is no service of the mesh",
      "IST0101 Sidecar default/good: no workload of the namespace",
    ],
  },
  {
    name: "fields that Istio has replaced",
    objects: [
      object(
        "Sidecar",
        "egress",
        "{ outboundTrafficPolicy: { mode: ALLOW_ANY, egressProxy: { host: reviews, port: { number: 9080 } } } }",
      ),
      service("reviews"),
      object(
        "DestinationRule",
        "a",
        "{ host: reviews, subsets: [{ name: v1, trafficPolicy: { loadBalancer: { simple: LEAST_CONN } } }], trafficPolicy: { outlierDetection: { consecutiveErrors: 5 } } }",
      ),
    ],
    want: [
      "IST0002 DestinationRule default/a: LEAST_CONN is deprecated: use LEAST_REQUEST",
      "IST0002 DestinationRule default/a: consecutiveErrors is deprecated",
      "IST0002 Sidecar default/egress: egressProxy is deprecated",
    ],
  },
]);
