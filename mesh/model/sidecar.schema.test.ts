import assert from "node:assert/strict";
import { test } from "node:test";
import { type BadCase, type GoodCase, testKind } from "../../test/harness/object-cases.ts";
import { sidecarSpec } from "./sidecar.schema.ts";
import type { SidecarEgress, SidecarIngress } from "./sidecar.ts";

const HTTP = { number: 9080, protocol: "HTTP", name: "http" };
const HTTPS = { ...HTTP, protocol: "HTTPS" };
const ALL = { hosts: ["*/*"] };
const FILES = { mode: "SIMPLE", serverCertificate: "/c", privateKey: "/k" };

const INGRESS: SidecarIngress = {
  port: { number: 9080, protocol: "http", name: "http" },
  bind: "",
  captureMode: "DEFAULT",
  defaultEndpoint: "",
  tls: undefined,
  connectionPool: undefined,
};
const EGRESS: SidecarEgress = {
  port: undefined,
  bind: "",
  captureMode: "DEFAULT",
  hosts: [{ namespace: "*", host: "*", excluded: false }],
};

const good: readonly GoodCase<"Sidecar">[] = [
  {
    name: "everything is visible",
    spec: { egress: [ALL] },
    want: {
      workloadSelector: undefined,
      ingress: [],
      egress: [EGRESS],
      inboundConnectionPool: undefined,
      outboundTrafficPolicy: undefined,
    },
  },
  {
    name: "hosts of every form",
    spec: {
      egress: [
        {
          hosts: [
            "./*",
            "shop/*.example.com",
            "*/a.b",
            "~/*",
            "~shop/x.example.com",
            "~*/*.internal.example.com",
          ],
        },
      ],
    },
    want: {
      egress: [
        {
          ...EGRESS,
          hosts: [
            { namespace: ".", host: "*", excluded: false },
            { namespace: "shop", host: "*.example.com", excluded: false },
            { namespace: "*", host: "a.b", excluded: false },
            { namespace: "~", host: "*", excluded: false },
            { namespace: "shop", host: "x.example.com", excluded: true },
            { namespace: "*", host: "*.internal.example.com", excluded: true },
          ],
        },
      ],
    },
  },
  {
    name: "a listener with a port, one on a socket, and one for the rest",
    spec: {
      workloadSelector: { labels: { app: "reviews" } },
      egress: [
        { ...ALL, port: HTTP, bind: "127.0.0.2", captureMode: "NONE" },
        { ...ALL, port: { protocol: "MONGO" }, bind: "unix:///run/mongo.sock" },
        ALL,
      ],
    },
    want: {
      workloadSelector: { app: "reviews" },
      egress: [
        {
          ...EGRESS,
          port: { number: 9080, protocol: "http", name: "http" },
          bind: "127.0.0.2",
          captureMode: "NONE",
        },
        { ...EGRESS, port: { number: 0, protocol: "mongo", name: "" }, bind: "unix:///run/mongo.sock" },
        EGRESS,
      ],
    },
  },
  {
    name: "an ingress listener with all that it may have",
    spec: {
      ingress: [
        {
          port: HTTP,
          bind: "10.0.0.1",
          captureMode: "IPTABLES",
          defaultEndpoint: "unix:///run/app",
          connectionPool: { http: { maxRetries: 1 } },
        },
      ],
    },
  },
  ...(
    [
      ["127.0.0.1:8080", "127.0.0.1:8080"],
      ["0.0.0.0:8080", "0.0.0.0:8080"],
      ["[::1]:8080", "[::1]:8080"],
      ["[::]:8080", "[::]:8080"],
      [":8080", "127.0.0.1:8080"],
      ["unix://@app", "unix://@app"],
    ] as const
  ).map(([defaultEndpoint, parsed]) => ({
    name: `the default endpoint ${defaultEndpoint}`,
    spec: { ingress: [{ port: HTTP, defaultEndpoint }] },
    want: { ingress: [{ ...INGRESS, defaultEndpoint: parsed }] },
  })),
  {
    name: "calls to what is unknown go through a gateway",
    spec: {
      outboundTrafficPolicy: {
        mode: "ALLOW_ANY",
        egressProxy: { host: "egress.gw.svc.cluster.local", port: { number: 80 } },
      },
    },
    want: {
      outboundTrafficPolicy: {
        mode: "ALLOW_ANY",
        egressProxy: { host: "egress.gw.svc.cluster.local", subset: "", port: 80 },
      },
    },
  },
  {
    name: "an outbound policy without a mode",
    spec: { outboundTrafficPolicy: {} },
    want: { outboundTrafficPolicy: { mode: "REGISTRY_ONLY", egressProxy: undefined } },
  },
  { name: "a connection pool alone", spec: { inboundConnectionPool: { tcp: { maxConnections: 3 } } } },
  {
    name: "a selector without labels",
    spec: { workloadSelector: { labels: {} }, egress: [ALL] },
    want: { workloadSelector: undefined },
    warnings: [["spec.workloadSelector", "has no labels"]],
  },
  {
    name: "a port whose protocol nobody said",
    spec: { egress: [{ ...ALL, port: { number: 80, protocol: "" } }] },
    want: { egress: [{ ...EGRESS, port: { number: 80, protocol: "auto", name: "" } }] },
  },
  {
    name: "hosts that say the same again",
    spec: { egress: [{ hosts: ["a/b.c", "a/b.c", "a/*", "a/d.e", "*/*"] }] },
    warnings: [
      ["spec.egress[0].hosts[1]", "repeats"],
      ["spec.egress[0].hosts[2]", "repeats"],
      ["spec.egress[0].hosts[3]", "repeats"],
      ["spec.egress[0].hosts", "has more than */*"],
    ],
  },
  {
    name: "a bind that is not used",
    spec: { egress: [{ ...ALL, bind: "127.0.0.1" }] },
    warnings: [["spec.egress[0].bind", "has no effect without a port"]],
  },
  {
    name: "HTTP settings of a port that is not HTTP",
    spec: { ingress: [{ port: { ...HTTP, protocol: "TCP" }, connectionPool: { http: { maxRetries: 1 } } }] },
    warnings: [["spec.ingress[0].connectionPool.http", "has no effect"]],
  },
];

const inIngress = (fields: object): object => ({ ingress: [{ port: HTTP, ...fields }] });
const inEgress = (fields: object): object => ({ egress: [{ ...ALL, ...fields }] });

const bad: readonly BadCase[] = [
  { name: "nothing", spec: {}, errors: [["spec", "must have ingress"]] },
  {
    name: "a selector alone",
    spec: { workloadSelector: { labels: { a: "b" } } },
    errors: [["spec", "must have ingress"]],
  },
  {
    name: "a selector with a wildcard",
    spec: { workloadSelector: { labels: { app: "*" } }, egress: [ALL] },
    errors: [["spec.workloadSelector.labels.app", "must not have a wildcard"]],
  },
  {
    name: "ingress without a port",
    spec: { ingress: [{}] },
    errors: [["spec.ingress[0].port", "is required"]],
  },
  {
    name: "ingress at port 0",
    spec: inIngress({ port: { protocol: "HTTP" } }),
    errors: [["spec.ingress[0].port.number", "must be from 1 to 65535"]],
  },
  {
    name: "ingress on a socket",
    spec: inIngress({ bind: "unix:///run/app" }),
    errors: [["spec.ingress[0].bind", "must be an IP address"]],
  },
  {
    name: "ingress with a target port, an unknown protocol and a bad name",
    spec: inIngress({ port: { number: 80, protocol: "HTP", name: "a b", targetPort: 80 } }),
    errors: [
      ["spec.ingress[0].port.targetPort", "has no meaning for a Sidecar"],
      ["spec.ingress[0].port.protocol", "did you mean `HTTP`?"],
      ["spec.ingress[0].port.name", '"a b"'],
    ],
  },
  {
    name: "ingress twice at one port",
    spec: { ingress: [{ port: HTTP }, { port: { ...HTTP, name: "b" } }] },
    errors: [["spec.ingress[1].port.number", "has port 9080 a second time"]],
  },
  ...["10.0.0.1:80", "localhost:80", "127.0.0.1", "[::2]:80", "8080", "unix://app"].map(
    (defaultEndpoint) => ({
      name: `the default endpoint ${defaultEndpoint}`,
      spec: inIngress({ defaultEndpoint }),
      errors: [
        [
          "spec.ingress[0].defaultEndpoint",
          defaultEndpoint.startsWith("unix") ? "is not unix://" : "must be 127.0.0.1:PORT",
        ],
      ] as const,
    }),
  ),
  ...["127.0.0.1:0", ":65536"].map((defaultEndpoint) => ({
    name: `the default endpoint ${defaultEndpoint}`,
    spec: inIngress({ defaultEndpoint }),
    errors: [["spec.ingress[0].defaultEndpoint", "must have a port from 1 to 65535"]] as const,
  })),
  {
    name: "TLS on a port that is not",
    spec: inIngress({ tls: FILES }),
    errors: [["spec.ingress[0].tls", "HTTPS or TLS"]],
  },
  ...["ISTIO_MUTUAL", "AUTO_PASSTHROUGH"].map((mode) => ({
    name: `ingress TLS with ${mode}`,
    spec: inIngress({ port: HTTPS, tls: { mode } }),
    errors: [["spec.ingress[0].tls.mode", `must not be ${mode}`]] as const,
  })),
  {
    name: "ingress TLS with what is a gateway's",
    spec: inIngress({ port: HTTPS, tls: { ...FILES, subjectAltNames: ["a"], httpsRedirect: true } }),
    errors: [
      ["spec.ingress[0].tls.subjectAltNames", "is not for a Sidecar"],
      ["spec.ingress[0].tls.httpsRedirect", "is not for a Sidecar"],
    ],
  },
  {
    name: "ingress TLS with roots of a Secret",
    spec: inIngress({
      port: HTTPS,
      tls: { ...FILES, mode: "MUTUAL", caCertificates: "/ca", caCertCredentialName: "a" },
    }),
    errors: [["spec.ingress[0].tls.caCertCredentialName", "is not for a Sidecar"]],
  },
  {
    name: "ingress TLS with a credential",
    spec: inIngress({ port: HTTPS, tls: { mode: "SIMPLE", credentialName: "a" } }),
    errors: [["spec.ingress[0].tls.credentialName", "is not for a Sidecar"]],
  },
  {
    name: "ingress TLS without a certificate",
    spec: inIngress({ port: HTTPS, tls: { mode: "SIMPLE" } }),
    errors: [
      ["spec.ingress[0].tls.serverCertificate", "is required with SIMPLE"],
      ["spec.ingress[0].tls.privateKey", "is required with SIMPLE"],
    ],
  },
  { name: "egress without hosts", spec: { egress: [{}] }, errors: [["spec.egress[0].hosts", "is required"]] },
  {
    name: "egress with no host",
    spec: inEgress({ hosts: [] }),
    errors: [["spec.egress[0].hosts", "at least 1"]],
  },
  {
    name: "hosts that are none",
    spec: inEgress({
      hosts: ["reviews", "./reviews", "Shop/a.b", "shop/", "/a.b", "shop/*a.b", "~Shop/a.b", "shop/10.0.0.1"],
    }),
    errors: [
      ["spec.egress[0].hosts[0]", "has no namespace"],
      ["spec.egress[0].hosts[1]", "is a short name"],
      ["spec.egress[0].hosts[2]", "is not a namespace"],
      ["spec.egress[0].hosts[3]", "no host"],
      ["spec.egress[0].hosts[4]", "no namespace"],
      ["spec.egress[0].hosts[5]", "must be the whole first label"],
      ["spec.egress[0].hosts[6]", "is not a namespace"],
      ["spec.egress[0].hosts[7]", "is not a host name"],
    ],
  },
  {
    name: "the listener without a port is not the last",
    spec: { egress: [ALL, { ...ALL, port: HTTP }] },
    errors: [["spec.egress[0]", "must stand last"]],
  },
  {
    name: "two listeners without a port",
    spec: { egress: [ALL, ALL] },
    errors: [["spec.egress[0]", "must stand last"]],
  },
  {
    name: "two listeners at one port",
    spec: {
      egress: [
        { ...ALL, port: HTTP },
        { ...ALL, port: HTTP, bind: "127.0.0.2" },
      ],
    },
    errors: [["spec.egress[1].port.number", "has port 9080 a second time"]],
  },
  {
    name: "two listeners on one socket",
    spec: { egress: [1, 2].map(() => ({ ...ALL, port: { protocol: "TCP" }, bind: "unix:///a" })) },
    errors: [["spec.egress[1].bind", "has unix:///a a second time"]],
  },
  {
    name: "port 0 without a socket",
    spec: inEgress({ port: { protocol: "TCP" }, bind: "127.0.0.1" }),
    errors: [["spec.egress[0].port.number", "must be from 1 to 65535"]],
  },
  {
    name: "a socket with a port",
    spec: inEgress({ port: HTTP, bind: "unix:///a" }),
    errors: [["spec.egress[0].port.number", "must be 0"]],
  },
  {
    name: "a socket that is captured",
    spec: inEgress({ port: { protocol: "TCP" }, bind: "unix:///a", captureMode: "IPTABLES" }),
    errors: [["spec.egress[0].captureMode", "must be DEFAULT or NONE"]],
  },
  {
    name: "a gateway for calls that are not let out",
    spec: {
      outboundTrafficPolicy: { mode: "REGISTRY_ONLY", egressProxy: { host: "a.b", port: { number: 1 } } },
    },
    errors: [["spec.outboundTrafficPolicy.egressProxy", "needs mode ALLOW_ANY"]],
  },
  {
    name: "a gateway without a port and with a wildcard",
    spec: { outboundTrafficPolicy: { mode: "ALLOW_ANY", egressProxy: { host: "*.b" } } },
    errors: [
      ["spec.outboundTrafficPolicy.egressProxy.host", "without a wildcard"],
      ["spec.outboundTrafficPolicy.egressProxy.port", "is required"],
    ],
  },
  {
    name: "a mode that only a MeshConfig has",
    spec: { outboundTrafficPolicy: { mode: "ALLOW_ANY_DYNAMIC_DNS" } },
    errors: [["spec.outboundTrafficPolicy.mode", "must be one of"]],
  },
];

testKind("Sidecar", "networking.istio.io/v1", { good, bad });

const insides = [
  { protocol: "HTTPS", mode: "SIMPLE", want: "http" },
  { protocol: "TLS", mode: "SIMPLE", want: "tcp" },
  { protocol: "HTTPS", mode: "PASSTHROUGH", want: "tls" },
];
for (const { protocol, mode, want } of insides) {
  test(`an ingress port ${protocol} with ${mode} speaks ${want} once TLS is off`, () => {
    const tls = mode === "SIMPLE" ? FILES : { mode };
    const { ingress } = sidecarSpec.parse({ ingress: [{ port: { ...HTTP, protocol }, tls }] });
    assert.equal(ingress[0]?.port.protocol, want);
  });
}
