import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { secret } from "../../harness/mesh-gateways.ts";
import { realHello } from "../../harness/real-hello.ts";
import { type At, entry, http, many, routes, rule, tcp, type WireCase } from "../wire-case.ts";
import { CERTIFICATES } from "../wire-certificates.ts";

const SHOP = "shop.test";
const CALL = `${SHOP}:80`;
const DB = "db.test";
const H2 = "h2.test";

/** Where the applications that have names of their own are. */
const HTTP_PORT = 8080;

export const mesh = (spec: string): string => `
---
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: { name: mesh, namespace: istio-system }
spec: { ${spec} }`;
const shop = (at: At): string => entry(SHOP, "80 HTTP", [at("a")]);

/** `db.test` behind a proxy of the mesh. */
const meshServer = (at: At): string =>
  entry(
    DB,
    "9000 TCP",
    [{ ...at("mesh"), serviceAccount: "mesh", labels: { "security.istio.io/tlsMode": "istio" } }],
    "location: MESH_INTERNAL, resolution: STATIC",
  );

export const MESH_CASES: readonly WireCase[] = [
  {
    name: "defaultHttpRetryPolicy: for routes that say nothing of retries",
    yaml: (at) =>
      shop(at) +
      mesh(`defaultHttpRetryPolicy: { attempts: 1, retryOn: "418" }`) +
      routes(
        SHOP,
        `http: [{ match: [{ uri: { prefix: /own } }], retries: { attempts: 1, retryOn: "503" }, route: [{ destination: { host: ${SHOP} } }] }, { route: [{ destination: { host: ${SHOP} } }] }]`,
      ),
    calls: [
      http(CALL, { status: 200 }, { headers: { "x-fail": "418" } }),
      http(CALL, { status: 418 }, { path: "/own", headers: { "x-fail": "418" } }),
    ],
  },
  {
    name: "defaultTrafficPolicy: below every DestinationRule, block by block",
    yaml: (at) =>
      shop(at) +
      entry("b.test", "80 HTTP", [at("b")]) +
      entry("c.test", "80 HTTP", [at("c")]) +
      mesh("defaultTrafficPolicy: { connectionPool: { http: { maxRequestsPerConnection: 1 } } }") +
      rule("b.test", "trafficPolicy: { loadBalancer: { simple: RANDOM } }") +
      rule("c.test", "trafficPolicy: { connectionPool: { http: { maxRetries: 9 } } }"),
    upstreams: [CALL, "b.test:80", "c.test:80"],
    run: async (wire) => {
      for (const [to, step] of [
        [CALL, 1],
        ["b.test:80", 1],
        ["c.test:80", 0],
      ] as const) {
        const [first, second] = [await wire.http(to), await wire.http(to)];
        assert.equal((second.echo?.connection ?? 0) - (first.echo?.connection ?? 0), step, to);
      }
    },
  },
  {
    name: "outboundTrafficPolicy: a host that nothing is known of is looked up when it is called",
    yaml: (at) => shop(at) + mesh("outboundTrafficPolicy: { mode: ALLOW_ANY_DYNAMIC_DNS }"),
    caller: { discovery: "mesh" },
    calls: [
      http("proxy shop.test:80", "a"),
      http(`proxy b.name.test:${HTTP_PORT}`, "b"),
      http(`proxy c.name.test:${HTTP_PORT}`, "c"),
      http(`proxy nobody.name.test:${HTTP_PORT}`, { status: 503 }),
    ],
  },
  ...(
    [
      [
        "its certificate is checked for the host that is called",
        "caCertificates: FOLDER/roots.pem",
        true,
        false,
      ],
      ["insecureSkipVerify", "insecureSkipVerify: true", true, true],
      ["roots that have not signed it", "caCertificates: FOLDER/stranger.pem", false, false],
    ] as const
  ).map(
    ([name, more, own, other]): WireCase => ({
      name: `outboundTrafficPolicy.tls: a host that is looked up is called over TLS: ${name}`,
      yaml: (at) =>
        shop(at) +
        mesh(`outboundTrafficPolicy: { mode: ALLOW_ANY_DYNAMIC_DNS, tls: { mode: SIMPLE, ${more} } }`),
      caller: { discovery: "mesh" },
      calls: [
        http("proxy shop.test:80", "a"),
        http(
          "proxy secure.test:8443",
          own ? { from: "tls", echo: { serverName: "secure.test" } } : { status: 503, from: "nobody" },
        ),
        http(
          "proxy old.name.test:8443",
          other ? { from: "old", echo: { serverName: "old.name.test" } } : { status: 503, from: "nobody" },
        ),
      ],
    }),
  ),
  {
    name: "defaultServiceExportTo and defaultVirtualServiceExportTo: for what says nothing itself",
    yaml: (at) =>
      mesh(`defaultServiceExportTo: ["."], defaultVirtualServiceExportTo: ["."]`) +
      entry(SHOP, "80 HTTP", [at("a")], undefined, "{ name: shop, namespace: team }") +
      entry(
        "given.test",
        "80 HTTP",
        [at("b")],
        `location: MESH_EXTERNAL, resolution: STATIC, exportTo: ["*"]`,
        "{ name: given, namespace: team }",
      ) +
      routes("given.test", "http: [{ directResponse: { status: 299 } }]", "{ name: given, namespace: team }"),
    calls: [http(CALL, "nobody"), http("given.test:80", "b")],
  },
  {
    name: "defaultDestinationRuleExportTo: for rules that say nothing themselves",
    yaml: (at) =>
      mesh(`defaultDestinationRuleExportTo: ["."]`) +
      ["kept", "given"]
        .map(
          (name) =>
            entry(`${name}.test`, "80 HTTP", [at("a")], undefined, `{ name: ${name}, namespace: team }`) +
            rule(
              `${name}.test`,
              `trafficPolicy: { connectionPool: { http: { maxRequestsPerConnection: 1 } } }${name === "given" ? ', exportTo: ["*"]' : ""}`,
              `{ name: ${name}, namespace: team }`,
            ),
        )
        .join(""),
    upstreams: ["kept.test:80", "given.test:80"],
    run: async (wire) => {
      for (const [to, step] of [
        ["kept.test:80", 0],
        ["given.test:80", 1],
      ] as const) {
        const [first, second] = [await wire.http(to), await wire.http(to)];
        assert.equal((second.echo?.connection ?? 0) - (first.echo?.connection ?? 0), step, to);
      }
    },
  },
  {
    name: "localityLbSetting: for rules that say nothing of localities",
    yaml: (at) =>
      entry(SHOP, "80 HTTP", [
        { ...at("a"), locality: "eu/west/1" },
        { ...at("b"), locality: "us/east/1" },
      ]) + mesh(`localityLbSetting: { distribute: [{ from: "eu/*", to: { "us/*": 100 } }] }`),
    caller: { locality: "eu/west/1" },
    calls: [many(10, http(CALL, {}), { b: [10, 10] })],
  },
  {
    name: "enableAutoMtls: false: endpoints that take mesh TLS are called in plaintext",
    yaml: (at) =>
      entry(
        DB,
        "9000 TCP",
        [{ ...at("ta"), serviceAccount: "mesh" }],
        "location: MESH_INTERNAL, resolution: STATIC",
      ) + mesh("enableAutoMtls: false"),
    calls: [tcp(`${DB}:9000`, "ta")],
  },
  {
    name: "connectTimeout: for pools that say nothing of it",
    yaml: (at) =>
      entry(SHOP, "80 HTTP", [at("silent")]) +
      mesh("connectTimeout: 0.3s") +
      rule(SHOP, "trafficPolicy: { tls: { mode: SIMPLE } }") +
      routes(SHOP, `http: [{ retries: { attempts: 0 }, route: [{ destination: { host: ${SHOP} } }] }]`),
    calls: [http(CALL, { status: 503, tookMs: [280, 4_000] })],
  },
  {
    name: "h2UpgradePolicy: for all HTTP, unless a rule says otherwise",
    yaml: (at) =>
      entry(SHOP, "80 HTTP", [at("h2")]) +
      entry("b.test", "80 HTTP", [at("b")]) +
      mesh("h2UpgradePolicy: UPGRADE") +
      rule("b.test", "trafficPolicy: { connectionPool: { http: { h2UpgradePolicy: DO_NOT_UPGRADE } } }"),
    calls: [
      http(CALL, { from: "h2", echo: { http: "2.0" } }),
      http("b.test:80", { from: "b", echo: { http: "1.1" } }),
    ],
  },
  ...[
    ["nothing: the server's best", "{}", undefined],
    ["cipherSuites", "{ cipherSuites: [ECDHE-ECDSA-CHACHA20-POLY1305] }", "ECDHE-ECDSA-CHACHA20-POLY1305"],
    ["cipherSuites that it lacks", "{ cipherSuites: [ECDHE-RSA-AES128-SHA] }", "none"],
    ["minProtocolVersion", "{ minProtocolVersion: TLSV1_3 }", "none"],
    ["ecdhCurves", "{ ecdhCurves: [P-256] }", undefined],
    ["ecdhCurves that it lacks", "{ ecdhCurves: [P-384] }", "none"],
  ].map(
    ([name = "", limits = "", cipher]): WireCase => ({
      name: `tlsDefaults for a server outside the mesh, ${name}: ${cipher ?? "it is called"}`,
      yaml: (at) =>
        entry(SHOP, "80 HTTP", [at("old")]) +
        mesh(`tlsDefaults: ${limits}`) +
        rule(SHOP, "trafficPolicy: { tls: { mode: SIMPLE, insecureSkipVerify: true, sni: secure.test } }"),
      calls: [
        http(
          CALL,
          cipher === "none"
            ? { from: "nobody", status: 503 }
            : { from: "old", echo: cipher ? { cipher } : {} },
        ),
      ],
    }),
  ),
  {
    name: "tlsDefaults are not for mesh TLS, nor meshMTLS for any other",
    yaml: (at) =>
      meshServer(at) +
      entry(SHOP, "80 HTTP", [at("old")]) +
      rule(SHOP, "trafficPolicy: { tls: { mode: SIMPLE, insecureSkipVerify: true, sni: secure.test } }") +
      mesh("tlsDefaults: { ecdhCurves: [P-256] }, meshMTLS: { minProtocolVersion: TLSV1_3 }"),
    calls: [http(CALL, "old"), tcp(`${DB}:9000`, "mesh")],
  },
  {
    name: "trustDomainAliases: a server of a domain that was, or will be, is believed",
    yaml: (at) =>
      entry(
        DB,
        "9000 TCP",
        [{ ...at("mesh"), labels: { "security.istio.io/tlsMode": "istio" } }],
        `location: MESH_INTERNAL, resolution: STATIC, subjectAltNames: ["spiffe://old.example/ns/default/sa/mesh"]`,
      ) + mesh("trustDomainAliases: [old.example]"),
    calls: [tcp(`${DB}:9000`, "mesh")],
  },
  ...[
    ["MERGE_SLASHES", "/a//b", "/a/b"],
    ["BASE", "/a/./b//c", "/a/b//c"],
  ].map(
    ([normalization = "", path = "", seen = ""]): WireCase => ({
      name: `pathNormalization ${normalization}: ${path} is ${seen}`,
      yaml: (at) => shop(at) + mesh(`pathNormalization: { normalization: ${normalization} }`),
      calls: [http(CALL, { from: "a", echo: { path: seen } }, { path })],
    }),
  ),
];

/** A Gateway at the caller of the table. */
export const gateway = (at: At, server = "port: { number: 8081, name: http, protocol: HTTP }"): string => `
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  selector: { app: caller }
  servers: [{ ${server}, hosts: ["*"], bind: ${at("a").address.replace(/\d+$/, "1")} }]`;
export const AT_GATEWAY = { role: "gateway" } as const;

/** What a gateway's own calls are like: how calls come in is shown by the ingress gateway's tests. */
export const GATEWAY_CASES: readonly WireCase[] = [
  {
    name: "a gateway shows the certificate of a Secret to the servers of a rule with a credentialName",
    yaml: (at) =>
      gateway(at) +
      entry(SHOP, "80 HTTP", [at("tls")]) +
      `\n${secret("shop", CERTIFICATES.client, CERTIFICATES.root)}` +
      rule(
        SHOP,
        "trafficPolicy: { tls: { mode: MUTUAL, credentialName: shop, sni: secure.test, subjectAltNames: [secure.test] } }",
      ) +
      routes(SHOP, `gateways: [edge], http: [{ route: [{ destination: { host: ${SHOP} } }] }]`),
    caller: AT_GATEWAY,
    calls: [
      http(`gateway ${SHOP}:8081`, { from: "tls", echo: { client: "client", serverName: "secure.test" } }),
    ],
  },
  {
    name: "VirtualServices for one host of a gateway are one, in the order of their creation, and what takes everything last",
    yaml: (at) =>
      gateway(at) +
      ["a", "b", "c"].map((app) => entry(`${app}.test`, "80 HTTP", [at(app)])).join("") +
      routes(
        SHOP,
        "gateways: [edge], http: [{ route: [{ destination: { host: a.test } }] }]",
        "{ name: first }",
      ) +
      routes(
        SHOP,
        "gateways: [edge], http: [{ match: [{ uri: { prefix: /x } }], route: [{ destination: { host: b.test } }] }]",
        "{ name: second }",
      ) +
      routes(
        SHOP,
        "gateways: [edge], http: [{ match: [{ uri: { prefix: /x/y } }], route: [{ destination: { host: c.test } }] }]",
        "{ name: third }",
      ),
    caller: AT_GATEWAY,
    calls: [
      http(`gateway ${SHOP}:8081`, "a"),
      http(`gateway ${SHOP}:8081`, "b", { path: "/x/y" }),
      http("gateway nobody.test:8081", { status: 404 }),
    ],
  },
  {
    name: "routes of a gateway are not for the mesh, nor those of the mesh for a gateway",
    yaml: (at) =>
      gateway(at) +
      ["a", "b"].map((app) => entry(`${app}.test`, "80 HTTP", [at(app)])).join("") +
      routes(
        "a.test",
        `gateways: [edge, mesh], http: [{ match: [{ gateways: [mesh] }], route: [{ destination: { host: a.test } }] }, { match: [{ gateways: [edge] }], route: [{ destination: { host: b.test } }] }]`,
      ) +
      routes("b.test", "http: [{ route: [{ destination: { host: b.test } }] }]"),
    caller: AT_GATEWAY,
    calls: [http("gateway a.test:8081", "b"), http("gateway b.test:8081", { status: 404 })],
  },
  {
    name: "a gateway knows where a call comes from, and lets nobody tell otherwise",
    yaml: (at) =>
      gateway(at) +
      entry(SHOP, "80 HTTP", [at("a")]) +
      routes(SHOP, `gateways: [edge], http: [{ route: [{ destination: { host: ${SHOP} } }] }]`),
    caller: AT_GATEWAY,
    run: async (wire) => {
      const { echo, headers } = await wire.http(`gateway ${SHOP}:8081`, {
        source: 9,
        headers: {
          "x-forwarded-for": "192.0.2.1",
          "x-forwarded-proto": "https",
          "x-forwarded-client-cert": "URI=forged",
          "x-request-id": "forged",
          "x-envoy-retry-on": "5xx",
          "x-envoy-internal": "true",
        },
      });
      const seen = echo?.headers ?? {};
      const address = String(seen["x-envoy-external-address"]);
      assert.match(address, /^127\.\d+\.\d+\.9$/);
      assert.equal(seen["x-forwarded-for"], `192.0.2.1,${address}`);
      assert.equal(seen["x-forwarded-proto"], "http");
      assert.notEqual(seen["x-request-id"], "forged");
      for (const name of ["x-forwarded-client-cert", "x-envoy-retry-on", "x-envoy-internal"])
        assert.equal(seen[name], undefined, name);
      assert.equal(headers["server"], "istio-envoy");
    },
  },
  {
    name: "HTTP over TLS at a gateway: the application hears who the client is, over HTTP/1.1 and HTTP/2",
    yaml: (at) =>
      gateway(
        at,
        "port: { number: 8443, name: https, protocol: HTTPS }, tls: { mode: OPTIONAL_MUTUAL, credentialName: edge }",
      ) +
      `\n${secret("edge", CERTIFICATES.secure, CERTIFICATES.root)}` +
      entry(SHOP, "80 HTTP", [at("a")]) +
      entry(H2, "80 HTTP2", [at("h2")]) +
      [SHOP, H2]
        .map((host) =>
          routes(host, `gateways: [edge], http: [{ route: [{ destination: { host: ${host} } }] }]`),
        )
        .join(""),
    caller: AT_GATEWAY,
    run: async (wire) => {
      const { named } = CERTIFICATES;
      const shown = { servername: "secure.test", cert: named.pem, key: named.keyPem };
      const { raw, fingerprint256 } = new X509Certificate(named.pem);
      const pem = new X509Certificate(raw).toString();
      for (const [host, http2] of [
        [SHOP, false],
        [SHOP, true],
        [H2, false],
        [H2, true],
      ] as const) {
        const to = `gateway ${host}:8443`;
        const known = await wire.http(to, { tls: shown, http2 });
        const parts = String(known.echo?.headers?.["x-forwarded-client-cert"]).split(";");
        assert.deepEqual(parts, [
          `Hash=${fingerprint256.replaceAll(":", "").toLowerCase()}`,
          `Cert="${encodeURIComponent(pem)}"`,
          'Subject="CN=named"',
          "URI=spiffe://elsewhere.test/named",
          "DNS=named.test",
          "DNS=also.test",
        ]);
        assert.equal(known.echo?.headers?.["x-forwarded-proto"], "https");
        if (host === H2) assert.equal(known.echo?.headers?.[":scheme"], "https");
        const unknown = await wire.http(to, { tls: { servername: "secure.test" }, http2 });
        assert.equal(unknown.status, 200);
        assert.equal(unknown.echo?.headers?.["x-forwarded-client-cert"], undefined);
      }
    },
  },
  {
    name: "a handshake at a gateway that does not go on is cut when its time is over",
    yaml: (at) =>
      gateway(at, "port: { number: 8443, name: tls, protocol: TLS }, tls: { mode: ISTIO_MUTUAL }") +
      entry(DB, "9000 TCP", [at("ta")]) +
      routes(
        "*",
        `gateways: [edge], tcp: [{ route: [{ destination: { host: ${DB} } }] }]`,
        "{ name: edge }",
      ) +
      patch(
        "for-chains",
        "{ applyTo: FILTER_CHAIN, match: { context: GATEWAY }, patch: { operation: MERGE, value: { transport_socket_connect_timeout: 0.5s } } }",
      ),
    caller: AT_GATEWAY,
    run: async (wire) => {
      const hello = await realHello();
      const { waitedMs, answered } = await wire.abandoned(`gateway ${DB}:8443`, hello);
      assert.ok(answered, "the server goes on with the handshake");
      assert.ok(waitedMs >= 400 && waitedMs < 4_000, `cut after ${waitedMs} ms`);
    },
  },
  {
    name: "EnvoyFilter: one for gateways is for gateways alone",
    yaml: (at) =>
      gateway(at) +
      entry(SHOP, "80 HTTP", [at("a")]) +
      routes(SHOP, `gateways: [edge], http: [{ route: [{ destination: { host: ${SHOP} } }] }]`) +
      ["GATEWAY", "SIDECAR_OUTBOUND"].map((context) => patchedFor(context)).join(""),
    caller: AT_GATEWAY,
    calls: [
      http(`gateway ${SHOP}:8081`, {
        from: "a",
        seen: { "x-gateway": "yes", "x-sidecar_outbound": undefined },
      }),
    ],
  },
];

function patchedFor(context: string): string {
  const header = `{ header: { key: x-${context.toLowerCase()}, value: "yes" } }`;
  return patch(
    `for-${context.toLowerCase().replace("_", "-")}`,
    `{ applyTo: VIRTUAL_HOST, match: { context: ${context} }, patch: { operation: MERGE, value: { request_headers_to_add: [${header}] } } }`,
  );
}

function patch(name: string, configPatch: string): string {
  return `
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: { name: ${name} }
spec: { configPatches: [${configPatch}] }`;
}
