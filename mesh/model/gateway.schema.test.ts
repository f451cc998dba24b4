import assert from "node:assert/strict";
import { test } from "node:test";
import { type BadCase, type GoodCase, testKind } from "../../test/harness/object-cases.ts";
import type { ServerTls } from "./gateway.ts";
import { parseObject } from "./parse-object.ts";

const HTTP = { number: 80, name: "http", protocol: "HTTP" };
const HTTPS = { number: 443, name: "https", protocol: "HTTPS" };
const TCP = { number: 9000, name: "tcp", protocol: "TCP" };

const TLS: ServerTls = {
  httpsRedirect: false,
  mode: "PASSTHROUGH",
  certificates: [],
  caCertificates: "",
  caCrl: "",
  credentialNames: [],
  caCertCredentialName: "",
  subjectAltNames: [],
  verifyCertificateSpki: [],
  verifyCertificateHash: [],
  minProtocolVersion: undefined,
  maxProtocolVersion: undefined,
  cipherSuites: [],
  ecdhCurves: [],
  insecureSkipVerify: false,
};

function server(fields: object): object {
  return { servers: [{ port: HTTP, hosts: ["*"], ...fields }] };
}

function goodServer(fields: object, want: object): Pick<GoodCase<"Gateway">, "spec" | "want"> {
  const parsed = { name: "", port: HTTP, bind: "", hosts: [{ namespace: "*", host: "*" }], tls: undefined };
  return { spec: server(fields), want: { servers: [{ ...parsed, ...want } as never] } };
}

const good: readonly GoodCase<"Gateway">[] = [
  { name: "the least that one may say", ...goodServer({}, {}) },
  {
    name: "a selector and hosts of every form",
    spec: {
      selector: { istio: "ingressgateway" },
      servers: [
        {
          port: HTTP,
          hosts: ["a.example.com", "./b.example.com", "*/c.example.com", "shop/*.example.com", "10.0.0.1"],
        },
      ],
    },
    want: {
      selector: { istio: "ingressgateway" },
      servers: [
        {
          name: "",
          port: { number: 80, name: "http", protocol: "HTTP" },
          bind: "",
          hosts: [
            { namespace: "*", host: "a.example.com" },
            { namespace: ".", host: "b.example.com" },
            { namespace: "*", host: "c.example.com" },
            { namespace: "shop", host: "*.example.com" },
            { namespace: "*", host: "10.0.0.1" },
          ],
          tls: undefined,
        },
      ],
    },
  },
  ...[
    ["http", "HTTP"],
    ["HTTP2", "HTTP2"],
    ["gRPC", "GRPC"],
    ["GRPC-Web", "GRPC"],
    ["TCP", "TCP"],
    ["Mongo", "MONGO"],
    ["MySQL", "TCP"],
    ["Redis", "TCP"],
  ].map(([written, protocol]) => ({
    name: `protocol ${written}`,
    ...goodServer({ port: { ...HTTP, protocol: written } }, { port: { ...HTTP, protocol } }),
  })),
  { name: "an address to bind", ...goodServer({ bind: "10.0.0.1" }, { bind: "10.0.0.1" }) },
  {
    name: "a socket to bind",
    ...goodServer(
      { bind: "unix:///run/gateway.sock", port: { name: "http", protocol: "HTTP" } },
      { bind: "unix:///run/gateway.sock", port: { ...HTTP, number: 0 } },
    ),
  },
  {
    name: "two servers of one port",
    spec: {
      servers: [
        { port: HTTPS, hosts: ["a.b"], tls: {} },
        { port: { ...HTTPS, name: "x" }, hosts: ["c.d"], tls: {} },
      ],
    },
  },
  {
    name: "a redirect",
    ...goodServer({ tls: { httpsRedirect: true } }, { tls: { ...TLS, httpsRedirect: true } }),
  },
  {
    name: "a redirect where nothing can be redirected",
    spec: server({ port: HTTPS, tls: { httpsRedirect: true } }),
    warnings: [["spec.servers[0].tls.httpsRedirect", "only has an effect with protocol HTTP"]],
  },
  {
    name: "a default endpoint",
    ...goodServer({ defaultEndpoint: "127.0.0.1:80" }, {}),
    warnings: [["spec.servers[0].defaultEndpoint", "has no effect"]],
  },
  {
    name: "an unknown field",
    spec: server({ host: ["a"] }),
    warnings: [["spec.servers[0].host", "did you mean `hosts`?"]],
  },
];

const at = (field: string): string => `spec.servers[0].${field}`;

const bad: readonly BadCase[] = [
  { name: "no server", spec: {}, errors: [["spec.servers", "is required"]] },
  { name: "an empty list of servers", spec: { servers: [] }, errors: [["spec.servers", "at least 1"]] },
  { name: "no host", spec: server({ hosts: [] }), errors: [[at("hosts"), "at least 1"]] },
  {
    name: "hosts that are none",
    spec: server({ hosts: ["reviews", "/a.b", "shop/", "Shop/a.b", "*x.b", "a.*.b", "~/a.b", "::1", ""] }),
    errors: [
      [at("hosts[0]"), "is a short name"],
      [at("hosts[1]"), "no namespace"],
      [at("hosts[2]"), "no host"],
      [at("hosts[3]"), '"Shop" is not a namespace'],
      [at("hosts[4]"), "must be the whole first label"],
      [at("hosts[5]"), "is not a host name"],
      [at("hosts[6]"), '"~" is not a namespace'],
      [at("hosts[7]"), "is a short name"],
      [at("hosts[8]"), "no host"],
    ],
  },
  { name: "no port", spec: { servers: [{ hosts: ["*"] }] }, errors: [[at("port"), "is required"]] },
  {
    name: "a port without a number and a name",
    spec: server({ port: { protocol: "HTTP" } }),
    errors: [[at("port.name"), "is required"]],
  },
  {
    name: "a port without a number",
    spec: server({ port: { name: "http", protocol: "HTTP" } }),
    errors: [[at("port.number"), "must be from 1 to 65535"]],
  },
  {
    name: "a port that is too large, with a target",
    spec: server({ port: { ...HTTP, number: 65536, targetPort: 8080 } }),
    errors: [
      [at("port.number"), "at most 65535"],
      [at("port.targetPort"), "has no meaning for a Gateway"],
    ],
  },
  {
    name: "protocols that are none",
    spec: {
      servers: ["HTP", "UDP", ""].map((protocol, n) => ({
        port: { ...HTTP, name: `p${n}`, protocol },
        hosts: ["*"],
      })),
    },
    errors: [
      ["spec.servers[0].port.protocol", "did you mean `HTTP`?"],
      ["spec.servers[1].port.protocol", "UDP is not supported"],
      ["spec.servers[2].port.protocol", "is not a protocol"],
    ],
  },
  {
    name: "no protocol",
    spec: server({ port: { number: 80, name: "http" } }),
    errors: [[at("port.protocol"), "is required"]],
  },
  {
    name: "two ports of one name",
    spec: {
      servers: [
        { port: HTTP, hosts: ["*"] },
        { port: { ...HTTP, number: 81 }, hosts: ["*"] },
      ],
    },
    errors: [["spec.servers[1].port.name", 'names port "http" a second time']],
  },
  {
    name: "a bind that is no address",
    spec: server({ bind: "localhost" }),
    errors: [[at("bind"), "is not an IP address"]],
  },
  {
    name: "a socket with a port",
    spec: server({ bind: "unix:///run/a" }),
    errors: [[at("port.number"), "must be 0"]],
  },
  {
    name: "a socket without an absolute path",
    spec: server({ bind: "unix://run/a", port: { ...HTTP, number: 0 } }),
    errors: [[at("bind"), "is not unix:// with the absolute path"]],
  },
  {
    name: "a socket that is a folder",
    spec: server({ bind: "unix:///run/", port: { ...HTTP, number: 0 } }),
    errors: [[at("bind"), "is not unix:// with the absolute path"]],
  },
  {
    name: "a socket whose path is too long",
    spec: server({ bind: `unix:///${"a".repeat(107)}`, port: { ...HTTP, number: 0 } }),
    errors: [[at("bind"), "longer than a socket's path"]],
  },
  {
    name: "HTTPS without TLS settings",
    spec: server({ port: HTTPS }),
    errors: [[at("tls"), "is required with protocol HTTPS"]],
  },
  {
    name: "TCP with TLS settings",
    spec: server({ port: TCP, tls: {} }),
    errors: [[at("tls"), "must not be set with protocol TCP"]],
  },
  {
    name: "HTTP with a certificate",
    spec: server({ tls: { mode: "SIMPLE", credentialName: "a" } }),
    errors: [[at("tls"), "must have nothing but httpsRedirect"]],
  },
];

testKind("Gateway", "networking.istio.io/v1", { good, bad });

test("a Gateway's name has no dot", () => {
  const metadata = { name: "a.b" };
  const { violations } = parseObject(
    { apiVersion: "networking.istio.io/v1", kind: "Gateway", metadata, spec: server({}) },
    { defaultNamespace: "default" },
  );
  assert.deepEqual(
    violations.map(({ path }) => path),
    ["metadata.name"],
  );
});
