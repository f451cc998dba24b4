import { type BadCase, type GoodCase, testKind } from "../../test/harness/object-cases.ts";

const PLAIN = {
  failOpen: false,
  statusOnError: 403,
  clearRouteCache: false,
  timeoutMs: 600_000,
  body: undefined,
  headers: { inCheck: [], toUpstreamOnAllow: [], toDownstreamOnAllow: [], toDownstreamOnDeny: [] },
  additional: {},
  pathPrefix: "",
};

const good: readonly GoodCase<"MeshConfig">[] = [
  {
    name: "authorizers with no more than they need",
    spec: {
      extensionProviders: [
        { name: "a", envoyExtAuthzHttp: { service: "authz.default.svc.cluster.local", port: 8000 } },
        { name: "b", envoyExtAuthzGrpc: { service: "security/authz.example.com", port: 9000 } },
      ],
    },
    want: {
      authorizationProviders: [
        {
          ...PLAIN,
          name: "a",
          protocol: "http",
          service: { namespace: "", host: "authz.default.svc.cluster.local" },
          port: 8000,
        },
        {
          ...PLAIN,
          name: "b",
          protocol: "grpc",
          service: { namespace: "security", host: "authz.example.com" },
          port: 9000,
        },
      ],
    },
  },
  {
    name: "an authorizer with everything",
    spec: {
      extensionProviders: [
        {
          name: "a",
          envoyExtAuthzHttp: {
            service: "authz",
            port: 8000,
            timeout: "500ms",
            pathPrefix: "/check",
            failOpen: true,
            clearRouteCache: true,
            statusOnError: "503",
            includeHeadersInCheck: ["x-old"],
            includeRequestHeadersInCheck: ["x-user*"],
            includeAdditionalHeadersInCheck: { "x-from": "mesh" },
            includeRequestBodyInCheck: {
              maxRequestBytes: 1024,
              allowPartialMessage: true,
              packAsBytes: true,
            },
            headersToUpstreamOnAllow: ["x-a"],
            headersToDownstreamOnAllow: ["x-b"],
            headersToDownstreamOnDeny: ["x-c"],
          },
        },
      ],
    },
    want: {
      authorizationProviders: [
        {
          name: "a",
          protocol: "http",
          service: { namespace: "", host: "authz" },
          port: 8000,
          timeoutMs: 500,
          failOpen: true,
          statusOnError: 503,
          clearRouteCache: true,
          body: { maxBytes: 1024, allowPartial: true, asBytes: true },
          headers: {
            inCheck: ["x-old", "x-user*"],
            toUpstreamOnAllow: ["x-a"],
            toDownstreamOnAllow: ["x-b"],
            toDownstreamOnDeny: ["x-c"],
          },
          additional: { "x-from": "mesh" },
          pathPrefix: "/check",
        },
      ],
    },
  },
  {
    name: "providers of something else are left out",
    spec: { extensionProviders: [{ name: "a", prometheus: {} }] },
    want: { authorizationProviders: [] },
    warnings: [["spec.extensionProviders[0].prometheus", "not in force yet"]],
  },
];

const at = (fields: object): object => ({
  extensionProviders: [{ name: "a", envoyExtAuthzHttp: { service: "authz", port: 80, ...fields } }],
});
const HTTP = "spec.extensionProviders[0].envoyExtAuthzHttp";

const bad: readonly BadCase[] = [
  {
    name: "an authorizer without a service, a port or a name",
    spec: { extensionProviders: [{ envoyExtAuthzGrpc: {} }] },
    errors: [
      ["spec.extensionProviders[0].name", "is required"],
      ["spec.extensionProviders[0].envoyExtAuthzGrpc.service", "is required"],
      ["spec.extensionProviders[0].envoyExtAuthzGrpc.port", "is required"],
    ],
  },
  {
    name: "a service that is none",
    spec: at({ service: "a/b/c" }),
    errors: [[`${HTTP}.service`, "is not a service"]],
  },
  { name: "a port that is none", spec: at({ port: 0 }), errors: [[`${HTTP}.port`, "at least 1"]] },
  {
    name: "a path prefix without a slash",
    spec: at({ pathPrefix: "check" }),
    errors: [[`${HTTP}.pathPrefix`, "starts with"]],
  },
  ...["99", "600", "427", "forbidden"].map(
    (statusOnError): BadCase => ({
      name: `the status ${statusOnError}`,
      spec: at({ statusOnError }),
      errors: [[`${HTTP}.statusOnError`, "is not an HTTP status"]],
    }),
  ),
  {
    name: "no byte of the body",
    spec: at({ includeRequestBodyInCheck: { maxRequestBytes: 0 } }),
    errors: [[`${HTTP}.includeRequestBodyInCheck.maxRequestBytes`, "at least 1"]],
  },
  {
    name: "two providers of one name",
    spec: {
      extensionProviders: [
        { name: "a", envoyExtAuthzGrpc: { service: "b", port: 1 } },
        { name: "a", envoyExtAuthzGrpc: { service: "c", port: 1 } },
      ],
    },
    errors: [["spec.extensionProviders", "a name twice"]],
  },
  {
    name: "a provider of two kinds",
    spec: {
      extensionProviders: [
        {
          name: "a",
          envoyExtAuthzGrpc: { service: "b", port: 1 },
          envoyExtAuthzHttp: { service: "c", port: 1 },
        },
      ],
    },
    errors: [["spec.extensionProviders[0]", "one kind only"]],
  },
];

testKind("MeshConfig", "mesh.istio.io/v1alpha1", { good, bad });
