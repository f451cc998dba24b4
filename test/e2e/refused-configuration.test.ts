import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { ProxyReply } from "../../mesh/admin-api/replies.ts";
import { edgeCall } from "../harness/edge-calls.ts";
import { eventually } from "../harness/eventually.ts";
import { isSynced, type Mesh } from "../harness/mesh.ts";
import { gateway, secret } from "../harness/mesh-gateways.ts";
import { document, virtualService } from "../harness/mesh-policies.ts";
import { describeMesh } from "../harness/mesh-suite.ts";
import { mint, mintRoot, type TestCertificate } from "../harness/test-certificates.ts";

const CALLER = [
  { name: "caller", service: "caller", upstreams: ["reviews", "ratings"] },
  { name: "reviews-v1", service: "reviews", version: "v1" },
  { name: "ratings-v1", service: "ratings" },
] as const;

/** For the callers of `reviews`; what it is merged with, no data plane takes. */
const broken = (patch: object): string =>
  document("networking.istio.io/v1alpha3", "EnvoyFilter", "broken", {
    workloadSelector: { labels: { app: "caller" } },
    configPatches: [patch],
  });
/** Lua that is none. The built-in proxy knows no Lua, and says so by name. */
const LISTENER = broken({
  applyTo: "HTTP_FILTER",
  match: {
    context: "SIDECAR_OUTBOUND",
    listener: {
      filterChain: {
        filter: {
          name: "envoy.filters.network.http_connection_manager",
          subFilter: { name: "envoy.filters.http.router" },
        },
      },
    },
  },
  patch: {
    operation: "INSERT_BEFORE",
    value: {
      name: "envoy.filters.http.lua",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
        default_source_code: { inline_string: "function (" },
      },
    },
  },
});
/** A balancer that no cluster with endpoints of its own can have. */
const CLUSTER = broken({
  applyTo: "CLUSTER",
  match: { context: "SIDECAR_OUTBOUND", cluster: { service: "reviews.default.svc.cluster.local" } },
  patch: { operation: "MERGE", value: { lb_policy: "CLUSTER_PROVIDED" } },
});

describeMesh("a configuration that a proxy refuses", { hosts: CALLER }, (mesh) => {
  for (const [type, yaml] of [
    ["listener", LISTENER],
    ["cluster", CLUSTER],
  ] as const) {
    test(`a ${type} that an EnvoyFilter has broken stays as it was, is told with the filter, and holds nothing back`, async () => {
      const applied = await mesh().cli(["apply", "-f", "-"], yaml);
      assert.equal(applied.code, 1, applied.stdout);
      const told = new RegExp(
        `default/caller rejected its new ${type} \\(from EnvoyFilter default/broken\\): .+`,
      );
      assert.match(applied.stderr, told);
      const status = await mesh().cli(["proxy-status", "caller"]);
      assert.match(
        status.stdout,
        new RegExp(`rejected its new ${type} \\(from EnvoyFilter default/broken\\)`),
      );
      assert.equal((await mesh().proxy("caller"))?.types[type].state, "REJECTED");
      for (const other of ["reviews-v1", "ratings-v1"])
        assert.ok(isSynced(await proxyOf(mesh(), other)), other);
      assert.equal((await mesh().call("caller", "reviews")).status, 200);

      // What comes after it and has nothing to do with it is in force.
      await mesh().cli(
        ["apply", "-f", "-"],
        virtualService("ratings", { http: [{ directResponse: { status: 299 } }] }),
      );
      await eventually("the new route", async () => (await mesh().call("caller", "ratings")).status === 299);
      assert.equal((await mesh().call("caller", "reviews")).status, 200);

      await mesh().delete("EnvoyFilter", "broken");
      await eventually("SYNCED again", async () => isSynced(await proxyOf(mesh(), "caller")));
      assert.equal((await mesh().call("caller", "reviews")).status, 200);
    });
  }
});

async function proxyOf(mesh: Mesh, host: string): Promise<ProxyReply> {
  const proxy = await mesh.proxy(host);
  assert.ok(proxy, `${host} is connected`);
  return proxy;
}

const EDGE = { name: "edge", service: "edge", gateway: { labels: { istio: "ingressgateway" } } } as const;
const root = mintRoot("edge root");
const server = mint({ issuer: root, commonName: "server" });
const other = mint({ issuer: root, commonName: "other" });
/** Two that do not belong together. */
const mixed: TestCertificate = { ...server, keyPem: other.keyPem };

describeMesh(
  "a gateway with a key that is another certificate's",
  { hosts: [EDGE, { name: "web", service: "web" }] },
  (mesh) => {
    const bind = (): string => mesh().host("edge").spec.address;
    const shown = async (port: number): Promise<string> =>
      (await edgeCall(bind(), port, { serverName: "a.example.com" })).serverCommonName;
    const https = (name: string, port: number, tls: object): string =>
      gateway(name, [{ port, protocol: "HTTPS", bind: bind(), hosts: ["a.example.com"], tls }]);
    const toWeb = (): string =>
      virtualService("a.example.com", {
        gateways: ["edge", "plain"],
        http: [{ route: [{ destination: { host: "web" } }] }],
      });

    test("a Secret with such a key is not stored, and the gateway goes on with the one that it has", async () => {
      const tls = { mode: "SIMPLE", credentialName: "edge" };
      await mesh().apply(secret("edge", server) + https("edge", 8443, tls) + toWeb());
      await eventually("the certificate", async () => (await shown(8443)) === "server");
      const { code, stderr } = await mesh().cli(["apply", "-f", "-"], secret("edge", mixed));
      assert.equal(code, 65);
      assert.match(stderr, /stringData\["tls\.key"\].*is not the key of the first certificate/);
      assert.ok(!stderr.includes("PRIVATE KEY"), stderr);
      assert.equal(await shown(8443), "server");
      assert.ok(isSynced(await proxyOf(mesh(), "edge")));
    });

    test("files with such a key are refused by the proxy, told with their Gateway, and others are in force", async () => {
      const file = (name: string): string => join(mesh().directory, name);
      await writeFile(file("edge.crt"), server.pem);
      await writeFile(file("edge.key"), server.keyPem, { mode: 0o600 });
      await writeFile(file("mixed.key"), mixed.keyPem, { mode: 0o600 });
      const files = (key: string): object => ({
        mode: "SIMPLE",
        serverCertificate: file("edge.crt"),
        privateKey: file(key),
      });
      await mesh().apply(https("edge", 8443, files("edge.key")) + toWeb());
      await eventually("the certificate", async () => (await shown(8443)) === "server");
      const plain = gateway("plain", [
        { port: 8080, protocol: "HTTP", bind: bind(), hosts: ["a.example.com"] },
      ]);
      const { code, stderr } = await mesh().cli(
        ["apply", "-f", "-"],
        https("edge", 8443, files("mixed.key")) + plain,
      );
      assert.equal(code, 1);
      assert.match(
        stderr,
        /default\/edge rejected its new listener \(from Gateway default\/edge\): .*private key/i,
      );
      assert.equal(await shown(8443), "server", "the listener stays as it was");
      const reply = await edgeCall(bind(), 8080, { host: "a.example.com" });
      assert.equal(reply.echo?.app, "web", "what came with it is in force");
      await mesh().delete("Gateway", "edge");
    });
  },
);
