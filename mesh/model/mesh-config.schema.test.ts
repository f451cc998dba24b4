import assert from "node:assert/strict";
import { test } from "node:test";
import { type BadCase, type GoodCase, testKind } from "../../test/harness/object-cases.ts";
import { meshConfigSpec } from "./mesh-config.schema.ts";
import { DEFAULT_MESH_CONFIG } from "./mesh-config.ts";

const NOT_YET = "is accepted but not in force yet";

const good: readonly GoodCase<"MeshConfig">[] = [
  { name: "nothing", spec: {}, want: DEFAULT_MESH_CONFIG },
  {
    name: "identity and scope",
    spec: {
      trustDomain: "prod.example.com",
      trustDomainAliases: ["old.example.com."],
      rootNamespace: "mesh-root",
      enableAutoMtls: false,
      defaultServiceExportTo: ["."],
      defaultVirtualServiceExportTo: ["*"],
      defaultDestinationRuleExportTo: ["~"],
      outboundTrafficPolicy: { mode: "ALLOW_ANY" },
      inboundTrafficPolicy: { mode: "LOCALHOST" },
    },
    want: {
      trustDomain: "prod.example.com",
      trustDomainAliases: ["old.example.com."],
      rootNamespace: "mesh-root",
      enableAutoMtls: false,
      defaultServiceExportTo: ["."],
      defaultVirtualServiceExportTo: ["*"],
      defaultDestinationRuleExportTo: ["~"],
      outboundTrafficPolicy: "ALLOW_ANY",
      inboundTrafficPolicy: "LOCALHOST",
    },
  },
  {
    name: "policies without a mode have Istio's first",
    spec: { outboundTrafficPolicy: {}, inboundTrafficPolicy: {}, pathNormalization: {}, meshMTLS: {} },
    want: {
      outboundTrafficPolicy: "REGISTRY_ONLY",
      inboundTrafficPolicy: "PASSTHROUGH",
      pathNormalization: undefined,
      meshMtls: { minProtocolVersion: undefined, cipherSuites: [], ecdhCurves: [] },
    },
  },
  {
    name: "traffic",
    spec: {
      connectTimeout: "1.5s",
      dnsRefreshRate: "30s",
      protocolDetectionTimeout: "0s",
      h2UpgradePolicy: "UPGRADE",
      proxyHttpPort: 15080,
      pathNormalization: { normalization: "MERGE_SLASHES" },
      meshMTLS: { minProtocolVersion: "TLSV1_3", cipherSuites: ["AES256-SHA", "A", "AES256-SHA"] },
      tlsDefaults: { cipherSuites: ["AES128-SHA"], ecdhCurves: ["P-256", "X2551"] },
      tcpKeepalive: { time: "10s", interval: "5s", probes: 3 },
      defaultHttpRetryPolicy: { attempts: 0 },
      localityLbSetting: { enabled: false },
    },
    want: {
      connectTimeoutMs: 1500,
      dnsRefreshRateMs: 30_000,
      protocolDetectionTimeoutMs: 0,
      h2UpgradePolicy: "UPGRADE",
      proxyHttpPort: 15080,
      pathNormalization: "MERGE_SLASHES",
      meshMtls: { minProtocolVersion: "TLSV1_3", cipherSuites: ["AES256-SHA"], ecdhCurves: [] },
      tlsDefaults: {
        minProtocolVersion: undefined,
        cipherSuites: ["AES128-SHA"],
        ecdhCurves: ["P-256", "X2551"],
      },
      tcpKeepalive: { timeMs: 10_000, intervalMs: 5000, probes: 3 },
      localityLbSetting: { enabled: false, distribute: [], failover: [], failoverPriority: [] },
    },
    warnings: [
      ["spec.meshMTLS.cipherSuites[1]", "unknown"],
      ["spec.meshMTLS.cipherSuites[2]", "a second time"],
      ["spec.tlsDefaults.ecdhCurves[1]", "did you mean `X25519`?"],
    ],
  },
  { name: "port 0 is no HTTP proxy", spec: { proxyHttpPort: 0 }, want: { proxyHttpPort: undefined } },
  {
    name: "the access log",
    spec: { accessLogFile: "/dev/stdout", accessLogFormat: "%PROTOCOL%", accessLogEncoding: "JSON" },
    want: { accessLog: { file: "/dev/stdout", format: "%PROTOCOL%", encoding: "JSON" } },
  },
  {
    name: "an access log that is off",
    spec: { accessLogFile: "", accessLogEncoding: "JSON" },
    want: { accessLog: undefined },
  },
  {
    name: "settings of the data plane's process",
    spec: { defaultConfig: { interceptionMode: "TPROXY", concurrency: 2, drainDuration: "45s" } },
    want: { interceptionMode: "TPROXY", concurrency: 2 },
    warnings: [
      ["spec.defaultConfig.interceptionMode", "each host's agent says what is captured"],
      ["spec.defaultConfig.drainDuration", "has no effect: each host's agent says how long a drain takes"],
    ],
  },
  {
    name: "networks, under both names",
    spec: {
      networks: {
        east: {
          endpoints: [{ fromCidr: "10.0.0.0/8" }],
          gateways: [{ address: "1.2.3.4", port: 15443, locality: "eu/a" }],
        },
      },
      meshNetworks: {
        networks: { west: { gateways: [{ registryServiceName: "gw.west.svc.cluster.local", port: 443 }] } },
      },
    },
    want: {
      networks: {
        east: {
          cidrs: ["10.0.0.0/8"],
          gateways: [{ address: "1.2.3.4", service: "", port: 15443, locality: "eu/a" }],
        },
        west: {
          cidrs: [],
          gateways: [{ address: "", service: "gw.west.svc.cluster.local", port: 443, locality: "" }],
        },
      },
    },
    warnings: [["spec.networks.east.gateways[0].locality", "has no effect, as in Istio"]],
  },
  {
    name: "a network from a registry",
    spec: { networks: { east: { endpoints: [{ fromRegistry: "Cluster-1" }] } } },
    want: { networks: { east: { cidrs: [], gateways: [] } } },
    warnings: [["spec.networks.east.endpoints[0].fromRegistry", NOT_YET]],
  },
  {
    name: "a delay of microseconds, where no other duration has them",
    spec: { defaultConfig: { privateKeyProvider: { cryptomb: { pollDelay: "0.00001s" } } } },
    warnings: [["spec.defaultConfig.privateKeyProvider", NOT_YET]],
  },
  {
    name: "what Lateen does not do",
    spec: {
      enableTracing: true,
      extensionProviders: [{ name: "x", zipkin: { service: "zipkin", port: 9411 } }],
      ingressClass: "istio",
      serviceSettings: [{ hosts: ["*.a.b"], settings: { clusterLocal: true } }],
      zoneAwareLbSetting: { enabled: true },
      outboundTrafficPolicy: { mode: "ALLOW_ANY", tls: { mode: "SIMPLE" } },
      defaultConfig: {
        proxyMetadata: { A: "b" },
        discoveryAddress: "istiod.istio-system.svc:15012",
        tracing: { zipkin: { address: "$(HOST_IP):9411" } },
        connectionSettings: { httpMaxConcurrentStreams: 100 },
        image: { imageType: "debug" },
      },
    },
    want: { outboundTrafficPolicy: "ALLOW_ANY" },
    warnings: [
      ["spec.enableTracing", NOT_YET],
      ["spec.ingressClass", NOT_YET],
      ["spec.serviceSettings", NOT_YET],
      ["spec.zoneAwareLbSetting", NOT_YET],
      ["spec.outboundTrafficPolicy.tls", "does nothing without mode ALLOW_ANY_DYNAMIC_DNS"],
      ["spec.defaultConfig.proxyMetadata", NOT_YET],
      ["spec.defaultConfig.discoveryAddress", NOT_YET],
      ["spec.defaultConfig.tracing", NOT_YET],
      ["spec.defaultConfig.connectionSettings", NOT_YET],
      ["spec.defaultConfig.image.imageType", "has no effect"],
    ],
  },
  {
    name: "fields that nobody knows",
    spec: { accesLogFile: "/x", enable_auto_mtls: true, defaultConfig: { concurency: 2 } },
    warnings: [
      ["spec.accesLogFile", "did you mean `accessLogFile`?"],
      ["spec.enable_auto_mtls", "did you mean `enableAutoMtls`?"],
      ["spec.defaultConfig.concurency", "did you mean `concurrency`?"],
    ],
  },
];

const bad: readonly BadCase[] = [
  {
    name: "trust domains that are none",
    spec: { trustDomain: "a_b", trustDomainAliases: [""] },
    errors: [
      ["spec.trustDomain", "is not a trust domain"],
      ["spec.trustDomainAliases[0]", "must not be empty"],
    ],
  },
  {
    name: "times",
    spec: {
      connectTimeout: "0s",
      protocolDetectionTimeout: "-1s",
      dnsRefreshRate: 5,
      defaultConfig: { drainDuration: "1500ms" },
    },
    errors: [
      ["spec.connectTimeout", "at least 1ms"],
      ["spec.protocolDetectionTimeout", "must not be negative"],
      ["spec.dnsRefreshRate", "with a unit"],
      ["spec.defaultConfig.drainDuration", "whole number of seconds"],
    ],
  },
  {
    name: "a time-out of hours",
    spec: { connectTimeout: "61m" },
    errors: [["spec.connectTimeout", "at most 1h"]],
  },
  {
    name: "ports",
    spec: {
      proxyHttpPort: 65536,
      proxyListenPort: 0,
      defaultConfig: { proxyAdminPort: 0, statusPort: 65536 },
    },
    errors: [
      ["spec.proxyHttpPort", "at most 65535"],
      ["spec.proxyListenPort", "at least 1"],
      ["spec.defaultConfig.proxyAdminPort", "at least 1"],
      ["spec.defaultConfig.statusPort", "at most 65535"],
    ],
  },
  {
    name: "addresses without a port",
    spec: {
      defaultConfig: {
        discoveryAddress: "istiod",
        statsdUdpAddress: "10.0.0.1:0",
        envoyAccessLogService: { address: "a b:1" },
        tracing: { zipkin: { address: "zipkin" } },
      },
    },
    errors: [
      ["spec.defaultConfig.discoveryAddress", "is not an address with a port"],
      ["spec.defaultConfig.statsdUdpAddress", "is not an address with a port"],
      ["spec.defaultConfig.envoyAccessLogService.address", "is not an address with a port"],
      ["spec.defaultConfig.tracing.zipkin.address", "is not an address with a port"],
    ],
  },
  {
    name: "names that mean nothing",
    spec: {
      outboundTrafficPolicy: { mode: "ALLOW" },
      pathNormalization: { normalization: "ALL" },
      accessLogEncoding: "XML",
      h2UpgradePolicy: "DEFAULT",
      defaultConfig: { interceptionMode: "EBPF" },
    },
    errors: [
      ["spec.outboundTrafficPolicy.mode", "must be one of"],
      ["spec.pathNormalization.normalization", "must be one of"],
      ["spec.accessLogEncoding", "must be one of"],
      ["spec.h2UpgradePolicy", "must be one of"],
      ["spec.defaultConfig.interceptionMode", "must be one of"],
    ],
  },
  {
    name: "TLS for unknown hosts that they cannot have",
    spec: {
      outboundTrafficPolicy: {
        mode: "ALLOW_ANY_DYNAMIC_DNS",
        tls: { mode: "ISTIO_MUTUAL" },
      },
    },
    errors: [["spec.outboundTrafficPolicy.tls.mode", "must be SIMPLE or MUTUAL"]],
  },
  {
    name: "TLS for unknown hosts from Secrets",
    spec: {
      outboundTrafficPolicy: {
        mode: "ALLOW_ANY_DYNAMIC_DNS",
        tls: { mode: "SIMPLE", credentialName: "roots" },
      },
    },
    errors: [["spec.outboundTrafficPolicy.tls.credentialName", "Secrets are for gateways"]],
  },
  {
    name: "curves of mesh TLS",
    spec: { meshMTLS: { ecdhCurves: ["P-256"] } },
    errors: [["spec.meshMTLS.ecdhCurves", "must not be set"]],
  },
  {
    name: "policies that a DestinationRule or a VirtualService could not have either",
    spec: {
      defaultTrafficPolicy: { connectionPool: {} },
      defaultHttpRetryPolicy: { attempts: 0, retryOn: "5xx" },
      localityLbSetting: { distribute: [{ from: "a/*", to: { "a/*": 10 } }] },
      serviceSettings: [{ hosts: ["a b"] }],
    },
    errors: [
      ["spec.defaultTrafficPolicy.connectionPool", "must have tcp or http"],
      ["spec.defaultHttpRetryPolicy.attempts", "must be above 0"],
      ["spec.localityLbSetting.distribute[0].to", "100"],
      ["spec.serviceSettings[0].hosts[0]", "is not a host name"],
    ],
  },
  {
    name: "networks without a way in, and one that is there twice",
    spec: {
      networks: {
        a: {
          endpoints: [{ fromCidr: "10.0.0.0/33" }],
          gateways: [{ port: 1 }, { address: "x", registryServiceName: "y", port: 0 }],
        },
        b: {},
      },
      meshNetworks: { networks: { b: {} } },
    },
    errors: [
      ["spec.networks.a.endpoints[0].fromCidr", "is not an IP address or a CIDR range"],
      ["spec.networks.a.gateways[0]", "must have either address or registryServiceName"],
      ["spec.networks.a.gateways[1]", "must have either address or registryServiceName"],
      ["spec.networks.a.gateways[1].port", "at least 1"],
    ],
  },
  {
    name: "a network that is there twice",
    spec: { networks: { b: {} }, meshNetworks: { networks: { b: {} } } },
    errors: [["spec.meshNetworks.networks.b", "say it once"]],
  },
];

testKind("MeshConfig", "mesh.istio.io/v1alpha1", { good, bad });

test("a default traffic policy has the two blocks that Istio has for it", () => {
  const { defaultTrafficPolicy } = meshConfigSpec.parse({
    defaultTrafficPolicy: {
      connectionPool: { tcp: { maxConnections: 7 } },
      outlierDetection: { consecutive5xxErrors: 3 },
    },
  });
  assert.equal(defaultTrafficPolicy?.connectionPool?.maxConnections, 7);
  assert.equal(defaultTrafficPolicy?.outlierDetection?.consecutive5xxErrors, 3);
  assert.equal(defaultTrafficPolicy?.loadBalancer, undefined);
});
