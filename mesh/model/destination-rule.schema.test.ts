import { type BadCase, type GoodCase, testKind } from "../../test/harness/object-cases.ts";
import type { ClientTls, ConnectionPool, OutlierDetection, TrafficPolicy } from "./destination-rule.ts";

const NO_SETTINGS = {
  loadBalancer: undefined,
  connectionPool: undefined,
  outlierDetection: undefined,
  tls: undefined,
};
const NO_POLICY: TrafficPolicy = {
  ...NO_SETTINGS,
  portLevelSettings: [],
  tunnel: undefined,
  proxyProtocol: undefined,
  retryBudget: undefined,
};
const TLS: ClientTls = {
  mode: "SIMPLE",
  sni: "",
  subjectAltNames: [],
  clientCertificate: "",
  privateKey: "",
  caCertificates: "",
  caCrl: "",
  credentialName: "",
  insecureSkipVerify: false,
};
const NO_POOL: ConnectionPool = {
  maxConnections: undefined,
  connectTimeoutMs: undefined,
  maxPendingRequests: undefined,
  maxRequests: undefined,
  maxRequestsPerConnection: undefined,
  maxRetries: undefined,
  tcpKeepalive: undefined,
  maxConnectionDurationMs: undefined,
  tcpIdleTimeoutMs: undefined,
  idleTimeoutMs: undefined,
  h2UpgradePolicy: undefined,
  useClientProtocol: false,
  maxConcurrentStreams: undefined,
  http2KeepAlive: undefined,
};
const NO_DETECTION: OutlierDetection = {
  consecutive5xxErrors: undefined,
  consecutiveGatewayErrors: undefined,
  splitExternalLocalOriginErrors: false,
  consecutiveLocalOriginFailures: undefined,
  httpErrorCodes: [],
  intervalMs: undefined,
  baseEjectionTimeMs: undefined,
  maxEjectionPercent: undefined,
  minHealthPercent: undefined,
};

/** A rule whose only policy this is. */
function policy(trafficPolicy: object): object {
  return { host: "a", trafficPolicy };
}

/** A subset for each policy. */
function policies(trafficPolicies: readonly object[]): object {
  return {
    host: "a",
    subsets: trafficPolicies.map((trafficPolicy, index) => ({ name: `s${index}`, trafficPolicy })),
  };
}

const good: readonly GoodCase<"DestinationRule">[] = [
  {
    name: "subsets by label",
    spec: { host: "reviews", subsets: [{ name: "V1", labels: { version: "v1" } }] },
    want: {
      host: "reviews",
      trafficPolicy: undefined,
      subsets: [{ name: "V1", labels: { version: "v1" }, trafficPolicy: undefined }],
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
          tcp: {
            maxConnections: 100,
            connectTimeout: "30ms",
            idleTimeout: "0s",
            maxConnectionDuration: "1h",
            tcpKeepalive: { probes: 3, time: "2h", interval: "75s" },
          },
          http: {
            http1MaxPendingRequests: 1,
            http2MaxRequests: 2,
            maxRequestsPerConnection: 3,
            maxRetries: 4,
            idleTimeout: "5m",
            h2UpgradePolicy: "DO_NOT_UPGRADE",
            useClientProtocol: true,
            maxConcurrentStreams: 5,
            http2KeepAlive: { interval: "1s", timeout: "2s" },
          },
        },
        outlierDetection: {
          consecutive5xxErrors: 7,
          consecutiveGatewayErrors: 0,
          splitExternalLocalOriginErrors: true,
          consecutiveLocalOriginFailures: 4,
          interval: "5m",
          baseEjectionTime: "15m",
          maxEjectionPercent: 100,
          minHealthPercent: 0,
          outlierDetectionHttpErrorCodes: [429, 503],
        },
        tls: { mode: "SIMPLE", caCertificates: "/ca", caCrl: "/crl", sni: "a.com", subjectAltNames: ["b"] },
        portLevelSettings: [{ port: { number: 443 }, tls: { mode: "DISABLE" } }],
        tunnel: { targetHost: "proxy.example.com", targetPort: 3128 },
        retryBudget: { percent: 12.5, minRetryConcurrency: 3, budgetInterval: "0s" },
      },
    },
    want: {
      trafficPolicy: {
        loadBalancer: {
          simple: "LEAST_REQUEST",
          consistentHash: undefined,
          locality: undefined,
          warmup: undefined,
        },
        connectionPool: {
          maxConnections: 100,
          connectTimeoutMs: 30,
          maxPendingRequests: 1,
          maxRequests: 2,
          maxRequestsPerConnection: 3,
          maxRetries: 4,
          tcpKeepalive: { probes: 3, timeMs: 7_200_000, intervalMs: 75_000 },
          maxConnectionDurationMs: 3_600_000,
          tcpIdleTimeoutMs: 0,
          idleTimeoutMs: 300_000,
          h2UpgradePolicy: "DO_NOT_UPGRADE",
          useClientProtocol: true,
          maxConcurrentStreams: 5,
          http2KeepAlive: { intervalMs: 1000, timeoutMs: 2000 },
        },
        outlierDetection: {
          consecutive5xxErrors: 7,
          consecutiveGatewayErrors: 0,
          splitExternalLocalOriginErrors: true,
          consecutiveLocalOriginFailures: 4,
          httpErrorCodes: [429, 503],
          intervalMs: 300_000,
          baseEjectionTimeMs: 900_000,
          maxEjectionPercent: 100,
          minHealthPercent: 0,
        },
        tls: { ...TLS, caCertificates: "/ca", caCrl: "/crl", sni: "a.com", subjectAltNames: ["b"] },
        portLevelSettings: [{ port: 443, ...NO_SETTINGS, tls: { ...TLS, mode: "DISABLE" } }],
        tunnel: { protocol: "CONNECT", targetHost: "proxy.example.com", targetPort: 3128 },
        proxyProtocol: undefined,
        retryBudget: { percent: 12.5, minRetryConcurrency: 3, budgetIntervalMs: 0 },
      },
    },
  },
  {
    name: "TCP's idle time-out is HTTP's where HTTP has none, and limits of 0 are none",
    spec: policy({
      connectionPool: {
        tcp: { idleTimeout: "1h", maxConnections: 0, tcpKeepalive: {} },
        http: {
          http1MaxPendingRequests: 0,
          http2MaxRequests: 0,
          maxRetries: 0,
          maxConcurrentStreams: 0,
          h2UpgradePolicy: "DEFAULT",
        },
      },
      outlierDetection: { maxEjectionPercent: 0 },
    }),
    want: {
      trafficPolicy: {
        ...NO_POLICY,
        connectionPool: {
          ...NO_POOL,
          tcpIdleTimeoutMs: 3_600_000,
          idleTimeoutMs: 3_600_000,
          tcpKeepalive: { probes: undefined, timeMs: undefined, intervalMs: undefined },
        },
        outlierDetection: NO_DETECTION,
      },
    },
  },
  {
    name: "the old count of errors does nothing, as in Istio, and says so",
    spec: policy({ outlierDetection: { consecutiveErrors: 8 } }),
    want: { trafficPolicy: { ...NO_POLICY, outlierDetection: NO_DETECTION } },
    warnings: [["spec.trafficPolicy.outlierDetection.consecutiveErrors", "is deprecated"]],
  },
  {
    name: "credentials by name",
    spec: policies([
      { tls: { mode: "SIMPLE", credentialName: "ca" } },
      { tls: { mode: "MUTUAL", credentialName: "client", insecureSkipVerify: true } },
      { tls: { mode: "MUTUAL", clientCertificate: "/c", privateKey: "/k" } },
    ]),
    want: {
      subsets: [
        { ...TLS, credentialName: "ca" },
        { ...TLS, mode: "MUTUAL" as const, credentialName: "client", insecureSkipVerify: true },
        { ...TLS, mode: "MUTUAL" as const, clientCertificate: "/c", privateKey: "/k" },
      ].map((tls, index) => ({ name: `s${index}`, labels: {}, trafficPolicy: { ...NO_POLICY, tls } })),
    },
  },
  {
    name: "what ISTIO_MUTUAL takes from the workload does nothing, and says so",
    spec: policy({ tls: { mode: "ISTIO_MUTUAL", privateKey: "/k", credentialName: "x", sni: "a" } }),
    want: { trafficPolicy: { ...NO_POLICY, tls: { ...TLS, mode: "ISTIO_MUTUAL", sni: "a" } } },
    warnings: [
      ["spec.trafficPolicy.tls.privateKey", "does nothing with ISTIO_MUTUAL"],
      ["spec.trafficPolicy.tls.credentialName", "does nothing with ISTIO_MUTUAL"],
    ],
  },
  {
    name: "the proxy protocol, of which V1 is the default",
    spec: policies([{ proxyProtocol: {} }, { proxyProtocol: { version: "V2" } }]),
    want: {
      subsets: [
        { name: "s0", labels: {}, trafficPolicy: { ...NO_POLICY, proxyProtocol: "V1" } },
        { name: "s1", labels: {}, trafficPolicy: { ...NO_POLICY, proxyProtocol: "V2" } },
      ],
    },
  },
  {
    name: "a port twice, of which the first counts",
    spec: policy({
      portLevelSettings: [
        { port: { number: 80 }, tls: { mode: "DISABLE" } },
        { port: { number: 80 }, tls: { mode: "SIMPLE" } },
      ],
    }),
    warnings: [["spec.trafficPolicy.portLevelSettings[1].port", "80 a second time"]],
  },
  { name: "every host", spec: { host: "*" }, want: { host: "*" } },
  {
    name: "for some clients of its own namespace",
    spec: { host: "a", workloadSelector: { matchLabels: { app: "b" } }, exportTo: ["."] },
    want: { workloadSelector: { app: "b" }, exportTo: ["."] },
  },
  {
    name: "for some clients of its own namespace, by its name",
    spec: { host: "a", workloadSelector: { matchLabels: { app: "b" } }, exportTo: ["default"] },
    want: { exportTo: ["default"] },
  },
  {
    name: "a selector without labels keeps a rule to its namespace, and is told",
    spec: { host: "a", workloadSelector: {} },
    want: { workloadSelector: {}, exportTo: ["."] },
    warnings: [["spec.workloadSelector", "has no labels"]],
  },
];

const bad: readonly BadCase[] = [
  { name: "no host", spec: {}, errors: [["spec.host", "is required"]] },
  ...["10.0.0.1", "a.*.com", "a b", ""].map((host) => ({
    name: `host ${JSON.stringify(host)}`,
    spec: { host },
    errors: [["spec.host", host === "" ? "must not be empty" : "is not a host name"] as const],
  })),
  {
    name: "subsets of one name, one of which has another error",
    spec: {
      host: "a",
      subsets: [{ name: "v1", trafficPolicy: { loadBalancer: { simple: "BEST" } } }, { name: "v1" }, 7],
    },
    errors: [
      ["spec.subsets[0].trafficPolicy.loadBalancer.simple", "must be one of"],
      ["spec.subsets[1].name", "a second time"],
      ["spec.subsets[2]", "must be a mapping"],
    ],
  },
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
    spec: policies([{}, { connectionPool: {} }, { portLevelSettings: [{ port: { number: 1 } }] }]),
    errors: [
      ["spec.subsets[0].trafficPolicy", "at least one setting"],
      ["spec.subsets[1].trafficPolicy.connectionPool", "tcp or http"],
      ["spec.subsets[2].trafficPolicy.portLevelSettings[0]", "at least one setting"],
    ],
  },
  {
    name: "numbers out of range and durations that are none",
    spec: policy({
      connectionPool: {
        tcp: { maxConnections: -1, connectTimeout: "fast", tcpKeepalive: { probes: 1.5, time: "0s" } },
        http: { idleTimeout: "1", maxConcurrentStreams: 2 ** 31, http2KeepAlive: { interval: "-1s" } },
      },
      outlierDetection: {
        maxEjectionPercent: 101,
        minHealthPercent: -1,
        interval: "0s",
        consecutiveLocalOriginFailures: 1,
        outlierDetectionHttpErrorCodes: [99, 600, "500"],
      },
      portLevelSettings: [{}],
      retryBudget: { percent: 100.5, minRetryConcurrency: -1, budgetInterval: "-1s" },
    }),
    errors: [
      ["spec.trafficPolicy.connectionPool.tcp.maxConnections", "at least 0"],
      ["spec.trafficPolicy.connectionPool.tcp.connectTimeout", "is not a duration"],
      ["spec.trafficPolicy.connectionPool.tcp.tcpKeepalive.probes", "whole number"],
      ["spec.trafficPolicy.connectionPool.tcp.tcpKeepalive.time", "at least 1ms"],
      ["spec.trafficPolicy.connectionPool.http.idleTimeout", "did you mean `1s`?"],
      ["spec.trafficPolicy.connectionPool.http.maxConcurrentStreams", "at most 2147483647"],
      ["spec.trafficPolicy.connectionPool.http.http2KeepAlive.interval", "negative"],
      ["spec.trafficPolicy.connectionPool.http.http2KeepAlive.timeout", "is required"],
      ["spec.trafficPolicy.outlierDetection.maxEjectionPercent", "at most 100"],
      ["spec.trafficPolicy.outlierDetection.minHealthPercent", "at least 0"],
      ["spec.trafficPolicy.outlierDetection.interval", "at least 1ms"],
      [
        "spec.trafficPolicy.outlierDetection.consecutiveLocalOriginFailures",
        "splitExternalLocalOriginErrors",
      ],
      ["spec.trafficPolicy.outlierDetection.outlierDetectionHttpErrorCodes[0]", "at least 100"],
      ["spec.trafficPolicy.outlierDetection.outlierDetectionHttpErrorCodes[1]", "at most 599"],
      ["spec.trafficPolicy.outlierDetection.outlierDetectionHttpErrorCodes[2]", "must be a number"],
      ["spec.trafficPolicy.portLevelSettings[0].port", "is required"],
      ["spec.trafficPolicy.portLevelSettings[0]", "at least one setting"],
      ["spec.trafficPolicy.retryBudget.percent", "at most 100"],
      ["spec.trafficPolicy.retryBudget.minRetryConcurrency", "at least 0"],
      ["spec.trafficPolicy.retryBudget.budgetInterval", "negative"],
    ],
  },
  {
    name: "an idle time-out of HTTP that is 0, and an upgrade of what the caller speaks",
    spec: policy({
      connectionPool: { http: { idleTimeout: "0s", h2UpgradePolicy: "UPGRADE", useClientProtocol: true } },
    }),
    errors: [
      ["spec.trafficPolicy.connectionPool.http.idleTimeout", "at least 1ms"],
      ["spec.trafficPolicy.connectionPool.http.useClientProtocol", "h2UpgradePolicy UPGRADE"],
    ],
  },
  {
    name: "TLS without what its mode needs, or with what it must not have",
    spec: policies([
      { tls: { mode: "MUTUAL", clientCertificate: "/c" } },
      { tls: { mode: "SIMPLE", credentialName: "x", caCertificates: "/c", caCrl: "/r" } },
      { tls: { mode: "SIMPLE", insecureSkipVerify: true, caCertificates: "/c" } },
      { tls: { mode: "SIMPLE", insecureSkipVerify: true, credentialName: "x" } },
      { tls: { mode: "MUTUAL", credentialName: "x", insecureSkipVerify: true, subjectAltNames: ["a"] } },
      { tls: { mode: "MUTUEL" } },
      { tls: { mode: "SIMPLE", credentialName: "configmap://default/ca" } },
    ]),
    errors: [
      ["spec.subsets[0].trafficPolicy.tls.privateKey", "is required with MUTUAL"],
      ["spec.subsets[1].trafficPolicy.tls.caCertificates", "together with credentialName"],
      ["spec.subsets[1].trafficPolicy.tls.caCrl", "together with credentialName"],
      ["spec.subsets[2].trafficPolicy.tls.insecureSkipVerify", "must not be together"],
      ["spec.subsets[3].trafficPolicy.tls.insecureSkipVerify", "must not be together"],
      ["spec.subsets[4].trafficPolicy.tls.insecureSkipVerify", "must not be together"],
      ["spec.subsets[5].trafficPolicy.tls.mode", "did you mean `MUTUAL`?"],
      ["spec.subsets[6].trafficPolicy.tls.credentialName", "not supported yet"],
    ],
  },
  {
    name: "tunnels and proxy protocols that are none, or both at once",
    spec: policies([
      { tunnel: {} },
      { tunnel: { protocol: "GET", targetHost: "a b", targetPort: 0 } },
      { tunnel: { targetHost: "10.0.0.1", targetPort: 80 }, proxyProtocol: {} },
      { proxyProtocol: { version: "V3" } },
    ]),
    errors: [
      ["spec.subsets[0].trafficPolicy.tunnel.targetHost", "is required"],
      ["spec.subsets[0].trafficPolicy.tunnel.targetPort", "is required"],
      ["spec.subsets[1].trafficPolicy.tunnel.protocol", "must be one of"],
      ["spec.subsets[1].trafficPolicy.tunnel.targetHost", "is not a host name"],
      ["spec.subsets[1].trafficPolicy.tunnel.targetPort", "at least 1"],
      ["spec.subsets[2].trafficPolicy.proxyProtocol", "together with tunnel"],
      ["spec.subsets[3].trafficPolicy.proxyProtocol.version", "must be one of V1, V2"],
    ],
  },
  {
    name: "a workload selector with a wildcard, exported",
    spec: { host: "a", workloadSelector: { matchLabels: { app: "*" } } },
    errors: [["spec.workloadSelector.matchLabels.app", "wildcard"]],
  },
  ...[["*"], ["other"], [".", "other"]].map((exportTo) => ({
    name: `a workload selector that is exported to ${exportTo.join()}`,
    spec: { host: "a", workloadSelector: { matchLabels: { app: "b" } }, exportTo },
    errors: [["spec.exportTo", "must be `.` with a workloadSelector"] as const],
  })),
  {
    name: "its own namespace by name and by sign",
    spec: { host: "a", exportTo: [".", "default"] },
    errors: [["spec.exportTo", "names default twice"]],
  },
];

testKind("DestinationRule", "networking.istio.io/v1beta1", { good, bad });
