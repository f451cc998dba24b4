import { type BadCase, type GoodCase, testKind } from "../../test/harness/object-cases.ts";

const NO_SETTINGS = {
  loadBalancer: undefined,
  connectionPool: undefined,
  outlierDetection: undefined,
  tls: undefined,
};
const TLS = {
  mode: "SIMPLE",
  sni: "",
  subjectAltNames: [],
  clientCertificate: "",
  privateKey: "",
  caCertificates: "",
  insecureSkipVerify: false,
} as const;

const good: readonly GoodCase<"DestinationRule">[] = [
  {
    name: "subsets by label",
    spec: { host: "reviews", subsets: [{ name: "v1", labels: { version: "v1" } }] },
    want: {
      host: "reviews",
      trafficPolicy: undefined,
      subsets: [{ name: "v1", labels: { version: "v1" }, trafficPolicy: undefined }],
      exportTo: [],
      workloadSelector: {},
    },
  },
  {
    name: "all settings of a policy",
    spec: {
      host: "*.example.com",
      trafficPolicy: {
        loadBalancer: { simple: "LEAST_CONN" },
        connectionPool: {
          tcp: { maxConnections: 100, connectTimeout: "30ms", idleTimeout: "0s" },
          http: {
            http1MaxPendingRequests: 1,
            http2MaxRequests: 2,
            maxRequestsPerConnection: 3,
            maxRetries: 4,
          },
        },
        outlierDetection: {
          consecutive5xxErrors: 7,
          consecutiveErrors: 8,
          interval: "5m",
          baseEjectionTime: "15m",
          maxEjectionPercent: 100,
        },
        tls: { mode: "SIMPLE" },
        portLevelSettings: [{ port: { number: 443 }, tls: { mode: "DISABLE" } }],
      },
    },
    want: {
      trafficPolicy: {
        loadBalancer: { simple: "LEAST_REQUEST" },
        connectionPool: {
          maxConnections: 100,
          connectTimeoutMs: 30,
          maxPendingRequests: 1,
          maxRequests: 2,
          maxRequestsPerConnection: 3,
          maxRetries: 4,
          idleTimeoutMs: 0,
        },
        outlierDetection: {
          consecutive5xxErrors: 7,
          consecutiveGatewayErrors: 8,
          intervalMs: 300_000,
          baseEjectionTimeMs: 900_000,
          maxEjectionPercent: 100,
          minHealthPercent: undefined,
        },
        tls: TLS,
        portLevelSettings: [{ port: 443, ...NO_SETTINGS, tls: { ...TLS, mode: "DISABLE" } }],
      },
    },
  },
  {
    name: "a consistent hash is not in force yet",
    spec: { host: "a", trafficPolicy: { loadBalancer: { consistentHash: { useSourceIp: true } } } },
    want: { trafficPolicy: { ...NO_SETTINGS, portLevelSettings: [] } },
    warnings: [["spec.trafficPolicy.loadBalancer.consistentHash", "not in force yet"]],
  },
  {
    name: "for some clients of its own namespace",
    spec: { host: "a", workloadSelector: { matchLabels: { app: "b" } }, exportTo: ["."] },
    want: { workloadSelector: { app: "b" }, exportTo: ["."] },
  },
];

const bad: readonly BadCase[] = [
  { name: "no host", spec: {}, errors: [["spec.host", "is required"]] },
  { name: "every host", spec: { host: "*" }, errors: [["spec.host", "must not be `*` alone"]] },
  {
    name: "subsets of one name, or with a name that is none",
    spec: { host: "a", subsets: [{ name: "v1" }, { name: "v1" }] },
    errors: [["spec.subsets[1].name", "a second time"]],
  },
  {
    name: "a subset that is not named, or badly",
    spec: { host: "a", subsets: [{}, { name: "V_1", labels: { version: 1 } }] },
    errors: [
      ["spec.subsets[0].name", "is required"],
      ["spec.subsets[1].name", "is not a DNS label"],
      ["spec.subsets[1].labels.version", 'write it in quotes, "1"'],
    ],
  },
  {
    name: "empty settings",
    spec: { host: "a", trafficPolicy: {}, subsets: [{ name: "b", trafficPolicy: { connectionPool: {} } }] },
    errors: [
      ["spec.trafficPolicy", "at least one setting"],
      ["spec.subsets[0].trafficPolicy.connectionPool", "tcp or http"],
    ],
  },
  {
    name: "numbers out of range and durations that are none",
    spec: {
      host: "a",
      trafficPolicy: {
        connectionPool: { tcp: { maxConnections: -1, connectTimeout: "fast" }, http: { idleTimeout: "1" } },
        outlierDetection: { maxEjectionPercent: 101, minHealthPercent: -1, interval: "0s" },
        portLevelSettings: [{}],
      },
    },
    errors: [
      ["spec.trafficPolicy.connectionPool.tcp.maxConnections", "at least 0"],
      ["spec.trafficPolicy.connectionPool.tcp.connectTimeout", "is not a duration"],
      ["spec.trafficPolicy.connectionPool.http.idleTimeout", "did you mean `1s`?"],
      ["spec.trafficPolicy.outlierDetection.maxEjectionPercent", "at most 100"],
      ["spec.trafficPolicy.outlierDetection.minHealthPercent", "at least 0"],
      ["spec.trafficPolicy.outlierDetection.interval", "at least 1ms"],
      ["spec.trafficPolicy.portLevelSettings[0].port", "is required"],
    ],
  },
  {
    name: "a balancer of two kinds, and an unknown one",
    spec: {
      host: "a",
      trafficPolicy: { loadBalancer: { simple: "RANDOM", consistentHash: {} } },
      subsets: [{ name: "b", trafficPolicy: { loadBalancer: { simple: "LEAST_REQUESTS" } } }],
    },
    errors: [
      ["spec.trafficPolicy.loadBalancer", "only one of"],
      ["spec.subsets[0].trafficPolicy.loadBalancer.simple", "did you mean `LEAST_REQUEST`?"],
    ],
  },
  {
    name: "TLS without what its mode needs, or with what it must not have",
    spec: {
      host: "a",
      trafficPolicy: { tls: { mode: "MUTUAL", clientCertificate: "/c" } },
      subsets: [
        { name: "b", trafficPolicy: { tls: { mode: "ISTIO_MUTUAL", privateKey: "/k" } } },
        { name: "c", trafficPolicy: { tls: { mode: "SIMPLE", credentialName: "x" } } },
        {
          name: "d",
          trafficPolicy: { tls: { mode: "SIMPLE", insecureSkipVerify: true, caCertificates: "/c" } },
        },
      ],
    },
    errors: [
      ["spec.trafficPolicy.tls.privateKey", "is required with MUTUAL"],
      ["spec.subsets[0].trafficPolicy.tls.privateKey", "must not be set with ISTIO_MUTUAL"],
      ["spec.subsets[1].trafficPolicy.tls.credentialName", "is not supported yet"],
      ["spec.subsets[2].trafficPolicy.tls.insecureSkipVerify", "must not be together"],
    ],
  },
  {
    name: "a workload selector with a wildcard, exported",
    spec: { host: "a", workloadSelector: { matchLabels: { app: "*" } } },
    errors: [["spec.workloadSelector.matchLabels.app", "wildcard"]],
  },
  {
    name: "a workload selector that is exported",
    spec: { host: "a", workloadSelector: { matchLabels: { app: "b" } }, exportTo: ["*"] },
    errors: [["spec.exportTo", "must be `.` with a workloadSelector"]],
  },
];

testKind("DestinationRule", "networking.istio.io/v1beta1", { good, bad });
