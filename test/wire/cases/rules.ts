import assert from "node:assert/strict";
import { secret } from "../../harness/mesh-gateways.ts";
import { mintCrl } from "../../harness/test-certificates.ts";
import { type At, entry, http, many, routes, rule, tcp, type WireCase } from "../wire-case.ts";
import { CERTIFICATES } from "../wire-certificates.ts";

const SHOP = "shop.test";
const CALL = `${SHOP}:80`;
const DB = "db.test";

const policy = (spec: string): string => rule(SHOP, `trafficPolicy: { ${spec} }`);
const versions = (at: At): string =>
  entry(
    SHOP,
    "80 HTTP, 81 HTTP",
    ["a", "b", "c", "d"].map((version) => ({ ...at(version), labels: { version } })),
    "location: MESH_EXTERNAL, resolution: STATIC",
    "{ name: shop, namespace: service }",
  );
/** A rule whose only subset is one application; all that calls is routed to it. */
const chosen = (version: string, metadata: string, more = ""): string =>
  rule(SHOP, `subsets: [{ name: it, labels: { version: ${version} } }]${more}`, metadata);
const toChosen = routes(
  SHOP,
  `http: [{ route: [{ destination: { host: ${SHOP}, subset: it } }] }]`,
  "{ name: shop, namespace: service }",
);
const CALLER = { namespace: "client" } as const;

const IN_CLIENT = "{ name: shop, namespace: client }";
const IN_SERVICE = "{ name: shop, namespace: service }";
const IN_ROOT = "{ name: shop, namespace: istio-system }";

export const RULE_CASES: readonly WireCase[] = [
  {
    name: "the rule of the caller's namespace goes before the service's and the root's",
    yaml: (at) =>
      versions(at) + toChosen + chosen("a", IN_ROOT) + chosen("b", IN_SERVICE) + chosen("c", IN_CLIENT),
    caller: CALLER,
    calls: [many(6, http(CALL, {}), { c: [6, 6] })],
  },
  {
    name: "the rule of the service's namespace goes before the root's",
    yaml: (at) => versions(at) + toChosen + chosen("a", IN_ROOT) + chosen("b", IN_SERVICE),
    caller: CALLER,
    calls: [many(6, http(CALL, {}), { b: [6, 6] })],
  },
  {
    name: "the rule of the root namespace is for those who have no other",
    yaml: (at) =>
      versions(at) + toChosen + chosen("a", IN_ROOT) + chosen("b", IN_SERVICE, `, exportTo: ["."]`),
    caller: CALLER,
    calls: [many(6, http(CALL, {}), { a: [6, 6] })],
  },
  {
    name: "a rule of yet another namespace is for nobody else",
    yaml: (at) => versions(at) + chosen("d", "{ name: shop, namespace: stranger }") + toChosen,
    caller: CALLER,
    calls: [http(CALL, { status: 503 })],
  },
  {
    name: "a rule for the callers' labels goes before the one for all of its namespace",
    yaml: (at) =>
      versions(at) +
      toChosen +
      chosen("a", IN_CLIENT) +
      chosen(
        "b",
        "{ name: for-callers, namespace: client }",
        ", workloadSelector: { matchLabels: { app: caller } }",
      ) +
      chosen(
        "c",
        "{ name: for-others, namespace: client }",
        ", workloadSelector: { matchLabels: { app: other } }",
      ),
    caller: CALLER,
    calls: [many(6, http(CALL, {}), { b: [6, 6] })],
  },
  {
    name: "a rule for the host itself goes before one for a wildcard",
    yaml: (at) =>
      versions(at) +
      toChosen +
      rule("*.test", "subsets: [{ name: it, labels: { version: a } }]", "{ name: any, namespace: client }") +
      chosen("b", IN_CLIENT),
    caller: CALLER,
    calls: [many(6, http(CALL, {}), { b: [6, 6] })],
  },
  {
    name: "rules for one host in one namespace are one: subsets of both, the first policy",
    yaml: (at) =>
      versions(at) +
      chosen(
        "a",
        IN_CLIENT,
        ", trafficPolicy: { connectionPool: { http: { maxRequestsPerConnection: 1 } } }",
      ) +
      rule(
        SHOP,
        "subsets: [{ name: it, labels: { version: b } }, { name: other, labels: { version: c } }]",
        "{ name: more, namespace: client }",
      ) +
      routes(
        SHOP,
        `http: [{ match: [{ uri: { prefix: /other } }], route: [{ destination: { host: ${SHOP}, subset: other } }] }, { route: [{ destination: { host: ${SHOP}, subset: it } }] }]`,
        IN_CLIENT,
      ),
    caller: CALLER,
    calls: [
      many(6, http(CALL, {}), { a: [6, 6] }),
      many(6, http(CALL, {}, { path: "/other" }), { c: [6, 6] }),
    ],
    run: async (wire) => {
      const [first, second] = [await wire.http(CALL), await wire.http(CALL)];
      assert.equal(second.echo?.connection, (first.echo?.connection ?? 0) + 1);
    },
  },
  {
    name: "a port's policy takes the place of the whole, a subset's of the blocks that it has",
    yaml: (at) =>
      entry(SHOP, "80 HTTP, 81 HTTP", [{ ...at("a"), labels: { version: "a" } }]) +
      rule(
        SHOP,
        `trafficPolicy: { connectionPool: { http: { maxRequestsPerConnection: 1 } }, portLevelSettings: [{ port: { number: 81 }, loadBalancer: { simple: RANDOM } }] },
         subsets: [{ name: same, labels: { version: a }, trafficPolicy: { loadBalancer: { simple: RANDOM } } },
                   { name: own, labels: { version: a }, trafficPolicy: { connectionPool: { http: { http1MaxPendingRequests: 9 } } } }]`,
      ) +
      routes(
        SHOP,
        ["same", "own"]
          .map(
            (name) =>
              `{ match: [{ uri: { prefix: /${name} } }], route: [{ destination: { host: ${SHOP}, subset: ${name} } }] }`,
          )
          .join()
          .replace(/.*/s, (all) => `http: [${all}, { route: [{ destination: { host: ${SHOP} } }] }]`),
      ),
    upstreams: [CALL, `${SHOP}:81`],
    run: async (wire) => {
      const step = async (to: string, path = "/"): Promise<number> => {
        const [first, second] = [await wire.http(to, { path }), await wire.http(to, { path })];
        return (second.echo?.connection ?? 0) - (first.echo?.connection ?? 0);
      };
      assert.equal(await step(CALL), 1, "the rule's pool");
      assert.equal(await step(`${SHOP}:81`), 0, "the port has a policy of its own, and in it no pool");
      assert.equal(await step(CALL, "/same"), 1, "the subset says nothing of a pool");
      assert.equal(await step(CALL, "/own"), 0, "the subset has a pool of its own");
    },
  },
  {
    name: "of VirtualServices for a host the caller's own goes first, then the one that is given to its namespace, then the public",
    yaml: (at) =>
      ["a", "b", "c", "d"].map((app) => entry(`${app}.test`, "80 HTTP", [at(app)])).join("") +
      virtualService("a.test", "d", "{ name: public, namespace: p }") +
      virtualService("a.test", "c", "{ name: given, namespace: g }", ", exportTo: [client]") +
      virtualService("a.test", "b", "{ name: own, namespace: client }", `, exportTo: ["."]`) +
      virtualService("b.test", "d", "{ name: public, namespace: p2 }") +
      virtualService("b.test", "c", "{ name: given, namespace: g2 }", ", exportTo: [client]") +
      virtualService("c.test", "d", "{ name: public, namespace: p3 }") +
      virtualService("d.test", "a", "{ name: hidden, namespace: p4 }", `, exportTo: ["."]`),
    caller: CALLER,
    calls: [http("a.test:80", "b"), http("b.test:80", "c"), http("c.test:80", "d"), http("d.test:80", "d")],
  },
];

function virtualService(host: string, app: string, metadata: string, more = ""): string {
  return routes(host, `http: [{ route: [{ destination: { host: ${app}.test } }] }]${more}`, metadata);
}

const secure = (at: At): string => entry(SHOP, "80 HTTP", [at("tls")]);
const files = (spec: string): string => policy(`tls: { caCertificates: FOLDER/roots.pem, ${spec} }`);

export const TLS_CASES: readonly WireCase[] = [
  {
    name: "SIMPLE: the call is over TLS to a server of these roots and this name",
    yaml: (at) => secure(at) + files("mode: SIMPLE, sni: secure.test, subjectAltNames: [secure.test]"),
    calls: [http(CALL, { from: "tls", echo: { serverName: "secure.test" } })],
  },
  {
    name: "SIMPLE: a server of another name is not believed",
    yaml: (at) => secure(at) + files("mode: SIMPLE, sni: secure.test, subjectAltNames: [other.test]"),
    calls: [http(CALL, { status: 503 })],
  },
  {
    name: "SIMPLE: a server of other roots is not believed",
    yaml: (at) =>
      secure(at) + policy("tls: { mode: SIMPLE, sni: secure.test, caCertificates: FOLDER/stranger.pem }"),
    calls: [http(CALL, { status: 503 })],
  },
  {
    name: "caCrl: a server whose certificate is taken back is not believed",
    yaml: (at) => secure(at) + files("mode: SIMPLE, sni: secure.test, caCrl: FOLDER/both.crl"),
    calls: [http(CALL, { status: 503 })],
  },
  {
    name: "caCrl: a list of nobody takes nothing back",
    yaml: (at) => secure(at) + files("mode: SIMPLE, sni: secure.test, caCrl: FOLDER/nobody.crl"),
    calls: [http(CALL, "tls")],
  },
  {
    name: "ca.crl of a Secret: a server whose certificate is taken back is not believed",
    yaml: (at) =>
      secure(at) +
      `\n${secret("shop", CERTIFICATES.client, CERTIFICATES.root, mintCrl(CERTIFICATES.root, [CERTIFICATES.secure]))}` +
      rule(
        SHOP,
        "workloadSelector: { matchLabels: { app: caller } }, trafficPolicy: { tls: { mode: MUTUAL, credentialName: shop, sni: secure.test } }",
      ),
    calls: [http(CALL, { status: 503 })],
  },
  {
    name: "insecureSkipVerify: any server is believed",
    yaml: (at) => secure(at) + policy("tls: { mode: SIMPLE, sni: whatever.test, insecureSkipVerify: true }"),
    calls: [http(CALL, { from: "tls", echo: { serverName: "whatever.test" } })],
  },
  {
    name: "MUTUAL: the caller shows the certificate of its host's files",
    yaml: (at) =>
      secure(at) +
      files(
        "mode: MUTUAL, sni: secure.test, clientCertificate: FOLDER/client.pem, privateKey: FOLDER/client.key",
      ),
    calls: [http(CALL, { from: "tls", echo: { client: "client" } })],
  },
  {
    name: "credentialName: the caller shows the certificate of a Secret, where the rule chooses callers by label",
    yaml: (at) =>
      secure(at) +
      `\n${secret("shop", CERTIFICATES.client, CERTIFICATES.root)}` +
      rule(
        SHOP,
        "workloadSelector: { matchLabels: { app: caller } }, trafficPolicy: { tls: { mode: MUTUAL, credentialName: shop, sni: secure.test, subjectAltNames: [secure.test] } }",
      ),
    calls: [http(CALL, { from: "tls", echo: { client: "client" } })],
  },
  {
    name: "a port's TLS is for that port alone",
    yaml: (at) =>
      entry(SHOP, "80 HTTP, 81 HTTP", [at("tls")]) +
      policy(
        "portLevelSettings: [{ port: { number: 80 }, tls: { mode: SIMPLE, caCertificates: FOLDER/roots.pem, sni: secure.test } }]",
      ),
    calls: [http(CALL, "tls"), http(`${SHOP}:81`, "nobody")],
  },
  {
    name: "TLS to a TCP service",
    yaml: (at) =>
      entry(DB, "9000 TCP", [at("tta")]) +
      rule(
        DB,
        "trafficPolicy: { tls: { mode: SIMPLE, caCertificates: FOLDER/roots.pem, sni: secure.test } }",
      ),
    calls: [tcp(`${DB}:9000`, { from: "tta", echo: { serverName: "secure.test" } })],
  },
  {
    name: "DISABLE: endpoints that take mesh TLS are called in plaintext",
    yaml: (at) =>
      entry(
        DB,
        "9000 TCP",
        [{ ...at("ta"), serviceAccount: "mesh" }],
        "location: MESH_INTERNAL, resolution: STATIC",
      ) + rule(DB, "trafficPolicy: { tls: { mode: DISABLE } }"),
    calls: [tcp(`${DB}:9000`, "ta")],
  },
  {
    name: "ISTIO_MUTUAL: the caller shows who it is in the mesh, by the name that the rule gives",
    yaml: (at) =>
      entry(DB, "9000 TCP", [at("mesh")]) +
      rule(
        DB,
        `trafficPolicy: { tls: { mode: ISTIO_MUTUAL, sni: mesh.test, subjectAltNames: ["spiffe://cluster.local/ns/default/sa/mesh"] } }`,
      ),
    calls: [
      tcp(`${DB}:9000`, {
        from: "mesh",
        echo: { serverName: "mesh.test", client: "spiffe://cluster.local/ns/default/sa/caller" },
      }),
    ],
  },
  ...(["V1", "V2"] as const).map(
    (version): WireCase => ({
      name: `proxyProtocol ${version}: each connection begins with the caller's address`,
      yaml: (at) =>
        entry(SHOP, "80 HTTP", [at("proxied")]) + policy(`proxyProtocol: { version: ${version} }`),
      upstreams: [CALL],
      run: async (wire) => {
        const { echo } = await wire.http(CALL, { source: 91 });
        assert.match(echo?.proxied ?? "", new RegExp(`^${version.toLowerCase()} 127\\.\\d+\\.\\d+\\.91$`));
      },
    }),
  ),
  {
    name: "without proxyProtocol there is no such header",
    yaml: (at) => entry(SHOP, "80 HTTP", [at("proxied")]),
    calls: [http(CALL, "nobody")],
  },
];
