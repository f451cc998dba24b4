import { mint } from "./test-certificates.ts";

function object(kind: string, group: string, spec: object): Readonly<Record<string, unknown>> {
  return { apiVersion: `${group}.istio.io/v1`, kind, metadata: { name: "a", labels: { app: "a" } }, spec };
}

const CERTIFICATE = mint({ commonName: "a" });

const VIRTUAL_SERVICES = [
  object("VirtualService", "networking", {
    hosts: ["reviews", "*.example.com", "10.0.0.1"],
    gateways: ["mesh", "istio-system/public"],
    exportTo: ["shop", "."],
    http: [
      {
        name: "all",
        match: [
          {
            name: "some",
            uri: { regex: "/a+" },
            ignoreUriCase: false,
            scheme: { exact: "https" },
            method: { prefix: "G" },
            authority: { regex: ".*" },
            headers: { "end-user": { exact: "jason" }, any: {} },
            withoutHeaders: { "x-debug": { regex: "*" } },
            queryParams: { page: { prefix: "1" } },
            port: 80,
            sourceLabels: { app: "a" },
            sourceNamespace: "shop",
            gateways: ["mesh"],
            statPrefix: "a",
          },
        ],
        route: [
          {
            destination: { host: "reviews", subset: "v1", port: { number: 9080 } },
            weight: 80,
            headers: { request: { remove: ["a"] } },
          },
          { destination: { host: "reviews", subset: "v2" }, weight: 20 },
        ],
        rewrite: { authority: "b", uriRegexRewrite: { match: "/(a)", rewrite: "/\\1" } },
        timeout: "3s",
        retries: {
          attempts: 2,
          perTryTimeout: "1s",
          retryOn: "5xx",
          retryRemoteLocalities: true,
          retryIgnorePreviousHosts: true,
          backoff: "25ms",
        },
        fault: {
          delay: { fixedDelay: "7s", percentage: { value: 10 } },
          abort: { httpStatus: 500, percentage: { value: 0.1 } },
        },
        mirrors: [{ destination: { host: "b" }, percentage: { value: 50 } }],
        corsPolicy: {
          allowOrigins: [{ exact: "https://a" }],
          allowMethods: ["GET"],
          allowHeaders: ["x-a"],
          exposeHeaders: ["x-b"],
          maxAge: "24h",
          allowCredentials: true,
          unmatchedPreflights: "IGNORE",
        },
        headers: {
          request: { set: { a: "%HOSTNAME%" }, add: { b: "c" }, remove: ["d"] },
          response: { set: { a: "b" }, add: { b: "c" }, remove: ["d"] },
        },
      },
      { route: [{ destination: { host: "a" } }], mirror: { host: "b" }, mirrorPercentage: { value: 1 } },
      {
        route: [{ destination: { host: "a" } }],
        fault: { abort: { grpcStatus: "NOT_FOUND", percentage: { value: 1 } } },
      },
      { redirect: { uri: "/b", authority: "a", scheme: "https", port: 443, redirectCode: 302 } },
      {
        match: [{ uri: { prefix: "/a" } }],
        redirect: { prefixRewrite: "/b", derivePort: "FROM_REQUEST_PORT" },
      },
      { directResponse: { status: 503, body: { string: "sorry" } } },
      { directResponse: { status: 200, body: { bytes: "c29ycnk=" } } },
      { delegate: { name: "a", namespace: "b" } },
    ],
    tls: [
      {
        match: [
          {
            sniHosts: ["a.example.com"],
            destinationSubnets: ["10.0.0.0/8"],
            port: 443,
            sourceLabels: { app: "a" },
            gateways: ["mesh"],
            sourceNamespace: "shop",
          },
        ],
        route: [{ destination: { host: "a.example.com" }, weight: 1 }],
      },
    ],
    tcp: [
      {
        match: [{ port: 1, destinationSubnets: ["10.0.0.1"], sourceSubnet: "10.0.0.0/8" }],
        route: [{ destination: { host: "a", port: { number: 2 } } }],
      },
    ],
  }),
  object("VirtualService", "networking", { http: [{ route: [{ destination: { host: "a" } }] }] }),
];

const DESTINATION_RULES = [
  object("DestinationRule", "networking", {
    host: "reviews",
    exportTo: ["*"],
    trafficPolicy: {
      loadBalancer: {
        consistentHash: {
          httpCookie: { name: "a", path: "/", ttl: "0s", attributes: [{ name: "Secure", value: "" }] },
          maglev: { tableSize: 65537 },
        },
        localityLbSetting: { enabled: true, distribute: [{ from: "eu/*", to: { "eu/*": 80, us: 20 } }] },
      },
      connectionPool: {
        tcp: {
          maxConnections: 1,
          connectTimeout: "1s",
          tcpKeepalive: { probes: 1, time: "1s", interval: "1s" },
          maxConnectionDuration: "1h",
          idleTimeout: "1h",
        },
        http: {
          http1MaxPendingRequests: 1,
          http2MaxRequests: 1,
          maxRequestsPerConnection: 1,
          maxRetries: 1,
          idleTimeout: "1m",
          h2UpgradePolicy: "UPGRADE",
          useClientProtocol: false,
          maxConcurrentStreams: 1,
          http2KeepAlive: { interval: "1s", timeout: "1s" },
        },
      },
      outlierDetection: {
        consecutive5xxErrors: 1,
        consecutiveGatewayErrors: 1,
        splitExternalLocalOriginErrors: true,
        consecutiveLocalOriginFailures: 1,
        interval: "1s",
        baseEjectionTime: "1s",
        maxEjectionPercent: 50,
        minHealthPercent: 50,
        outlierDetectionHttpErrorCodes: [503],
      },
      tls: {
        mode: "MUTUAL",
        clientCertificate: "/c",
        privateKey: "/k",
        caCertificates: "/a",
        caCrl: "/r",
        sni: "a",
        subjectAltNames: ["a"],
      },
      portLevelSettings: [
        {
          port: { number: 80 },
          loadBalancer: { consistentHash: { useSourceIp: true, ringHash: { minimumRingSize: 1 } } },
        },
        {
          port: { number: 81 },
          loadBalancer: { warmup: { duration: "1m", minimumPercent: 10, aggression: 1 } },
          tls: { mode: "SIMPLE", credentialName: "a" },
        },
        { port: { number: 82 }, loadBalancer: { consistentHash: { httpHeaderName: "a" } } },
        { port: { number: 83 }, loadBalancer: { consistentHash: { httpQueryParameterName: "a" } } },
        { port: { number: 84 }, tls: { mode: "SIMPLE", insecureSkipVerify: true } },
      ],
      tunnel: { protocol: "POST", targetHost: "a.b", targetPort: 1 },
      retryBudget: { percent: 20, minRetryConcurrency: 3, budgetInterval: "1s" },
    },
    subsets: [
      {
        name: "v1",
        labels: { version: "v1" },
        trafficPolicy: {
          loadBalancer: {
            simple: "RANDOM",
            localityLbSetting: { failover: [{ from: "eu", to: "us" }], failoverPriority: ["app"] },
          },
          outlierDetection: {},
          proxyProtocol: { version: "V2" },
        },
      },
      {
        name: "v2",
        trafficPolicy: {
          loadBalancer: { warmupDurationSecs: "1m", zoneAwareLbSetting: { enabled: true, failover: [] } },
        },
      },
    ],
  }),
  object("DestinationRule", "networking", {
    host: "reviews",
    workloadSelector: { matchLabels: { app: "a" } },
    exportTo: ["."],
  }),
];

const SERVICE_ENTRIES = [
  object("ServiceEntry", "networking", {
    hosts: ["a.example.com"],
    addresses: ["10.0.0.0/8"],
    ports: [{ number: 443, name: "https", protocol: "TLS", targetPort: 8443 }],
    location: "MESH_INTERNAL",
    resolution: "STATIC",
    endpoints: [
      {
        address: "10.0.0.1",
        ports: { https: 444 },
        labels: { app: "a" },
        network: "a",
        locality: "a/b/c",
        weight: 3,
        serviceAccount: "a",
      },
      { address: "unix:///a" },
    ],
    exportTo: ["~"],
    subjectAltNames: ["spiffe://a/b"],
  }),
  object("ServiceEntry", "networking", {
    hosts: ["a.example.com"],
    ports: [{ number: 80, name: "http" }],
    resolution: "DNS",
    workloadSelector: { labels: { app: "a" } },
  }),
];

const WORKLOAD_ENTRIES = [
  object("WorkloadEntry", "networking", {
    address: "10.0.0.1",
    ports: { http: 80 },
    labels: { app: "a" },
    network: "a",
    locality: "a/b/c",
    weight: 3,
    serviceAccount: "a",
  }),
];

/** Objects of every kind without a violation; those of the routing kinds have all of their fields among them. */
export const VALID_OBJECTS: readonly Readonly<Record<string, unknown>>[] = [
  ...VIRTUAL_SERVICES,
  ...DESTINATION_RULES,
  ...SERVICE_ENTRIES,
  ...WORKLOAD_ENTRIES,
  object("WorkloadGroup", "networking", {
    metadata: { labels: { app: "a" } },
    template: { ports: { http: 80 }, serviceAccount: "a" },
    probe: { periodSeconds: 5, httpGet: { port: 80, httpHeaders: [{ name: "a", value: "b" }] } },
  }),
  object("Gateway", "networking", {
    selector: { istio: "ingressgateway" },
    servers: [
      {
        port: { number: 80, name: "http", protocol: "HTTP" },
        hosts: ["./a.b"],
        tls: { httpsRedirect: true },
      },
      {
        port: { number: 443, name: "https", protocol: "HTTPS" },
        hosts: ["*"],
        tls: {
          mode: "SIMPLE",
          credentialName: "a",
          cipherSuites: ["AES128-SHA"],
          minProtocolVersion: "TLSV1_2",
        },
      },
    ],
  }),
  object("Sidecar", "networking", {
    workloadSelector: { labels: { app: "a" } },
    ingress: [
      { port: { number: 80, name: "a", protocol: "HTTP" }, defaultEndpoint: "127.0.0.1:8080" },
      {
        port: { number: 443, protocol: "HTTPS" },
        tls: { mode: "SIMPLE", serverCertificate: "/c", privateKey: "/k" },
      },
    ],
    egress: [
      { port: { number: 81, protocol: "TCP" }, bind: "127.0.0.1", hosts: ["./*"] },
      { hosts: ["~/*"] },
    ],
    outboundTrafficPolicy: { mode: "ALLOW_ANY", egressProxy: { host: "a.b", port: { number: 1 } } },
  }),
  object("ProxyConfig", "networking", { selector: { matchLabels: { a: "b" } }, concurrency: 2 }),
  {
    ...object("EnvoyFilter", "networking", {
      priority: 1,
      configPatches: [
        {
          applyTo: "HTTP_FILTER",
          match: { context: "GATEWAY", listener: { filterChain: { filter: { name: "a" } } } },
          patch: { operation: "INSERT_BEFORE", value: { name: "b", typed_config: { "@type": "a/b.C" } } },
        },
      ],
    }),
    apiVersion: "networking.istio.io/v1alpha3",
  },
  {
    ...object("MeshConfig", "mesh", {
      trustDomain: "a.b",
      outboundTrafficPolicy: { mode: "ALLOW_ANY" },
      connectTimeout: "1s",
      defaultConfig: { concurrency: 2 },
      networks: {
        a: { endpoints: [{ fromCidr: "10.0.0.0/8" }], gateways: [{ address: "1.2.3.4", port: 1 }] },
      },
    }),
    apiVersion: "mesh.istio.io/v1alpha1",
  },
  {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "a" },
    type: "Opaque",
    stringData: { "tls.crt": CERTIFICATE.pem, "tls.key": CERTIFICATE.keyPem, "ca.crt": CERTIFICATE.pem },
  },
  object("PeerAuthentication", "security", {
    selector: { matchLabels: { app: "a" } },
    mtls: { mode: "STRICT" },
    portLevelMtls: { 80: { mode: "DISABLE" } },
  }),
  object("RequestAuthentication", "security", {
    selector: { matchLabels: { app: "a" } },
    jwtRules: [
      {
        issuer: "https://issuer.example.com",
        audiences: ["a"],
        jwksUri: "https://issuer.example.com/keys",
        fromHeaders: [{ name: "x-token", prefix: "Token " }],
        fromParams: ["token"],
        fromCookies: ["token"],
        outputPayloadToHeader: "x-claims",
        forwardOriginalToken: true,
        outputClaimToHeaders: [{ header: "x-sub", claim: "sub" }],
        timeout: "2s",
        spaceDelimitedClaims: ["roles"],
      },
    ],
  }),
  object("AuthorizationPolicy", "security", {
    action: "DENY",
    rules: [
      {
        from: [{ source: { namespaces: ["a"] } }],
        to: [{ operation: { ports: ["80"], paths: ["/a/*"] } }],
        when: [{ key: "source.ip", values: ["10.0.0.0/8"] }],
      },
    ],
  }),
  object("Telemetry", "telemetry", {
    selector: { matchLabels: { app: "a" } },
    accessLogging: [
      {
        match: { mode: "SERVER" },
        providers: [{ name: "file" }],
        disabled: false,
        filter: { expression: "response.code >= 400" },
      },
    ],
    tracing: [
      {
        providers: [{ name: "otlp" }],
        randomSamplingPercentage: 10,
        disableSpanReporting: false,
        customTags: {
          tier: { literal: { value: "a" } },
          place: { environment: { name: "PLACE", defaultValue: "b" } },
          caller: { header: { name: "x-caller", defaultValue: "c" } },
        },
      },
    ],
  }),
];
