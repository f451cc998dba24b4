import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { type EdgeReply, edgeCall, edgeTcpCall } from "../harness/edge-calls.ts";
import { eventually } from "../harness/eventually.ts";
import { gateway, type ServerSpec, secret } from "../harness/mesh-gateways.ts";
import { authorizationPolicy, virtualService } from "../harness/mesh-policies.ts";
import { describeMesh } from "../harness/mesh-suite.ts";
import { mint, mintRoot, type TestCertificate } from "../harness/test-certificates.ts";

const EDGE = {
  name: "edge",
  service: "edge",
  gateway: { labels: { istio: "ingressgateway" } },
} as const;
const HOSTS = [
  EDGE,
  { name: "web", service: "web" },
  { name: "store", service: "store", protocol: "tcp" },
] as const;

const root = mintRoot("edge root");
const certificate = (name: string, issuer: TestCertificate = root): TestCertificate =>
  mint({ issuer, commonName: name });
const server = certificate("server");
const client = certificate("client");
const stranger = certificate("stranger", mintRoot("another root"));

describeMesh("an ingress gateway", { hosts: HOSTS }, (mesh) => {
  const address = (): string => mesh().host("edge").spec.address;
  const https = (name: string, port: number, over: Parameters<typeof edgeCall>[2] = {}): Promise<EdgeReply> =>
    edgeCall(address(), port, { serverName: name, ...over });
  const toWeb = { http: [{ route: [{ destination: { host: "web" } }] }] };

  test("HTTP comes in by host, and other hosts get 404", async () => {
    await mesh().apply(
      gateway("edge", [{ port: 8080, protocol: "HTTP", bind: address(), hosts: ["a.example.com"] }]) +
        virtualService("a.example.com", { gateways: ["edge"], ...toWeb }),
    );
    const reply = await eventually("an answer of web", async () => {
      const one = await edgeCall(address(), 8080, {
        host: "a.example.com",
        headers: { "x-forwarded-client-cert": "forged" },
      });
      return one.echo?.app === "web" && one;
    });
    assert.equal(reply.headers["server"], "istio-envoy");
    const xfcc = String(reply.echo?.headers["x-forwarded-client-cert"] ?? "");
    assert.match(
      xfcc,
      /URI=spiffe:\/\/e2e\.local\/ns\/default\/sa\/edge/,
      "the gateway calls with its own identity",
    );
    assert.doesNotMatch(xfcc, /forged/);
    assert.equal((await edgeCall(address(), 8080, { host: "b.example.com" })).status, 404);
  });

  test("a host that is for HTTPS alone is sent there", async () => {
    await mesh().apply(
      gateway("edge", [
        {
          port: 8080,
          protocol: "HTTP",
          bind: address(),
          hosts: ["a.example.com"],
          tls: { httpsRedirect: true },
        },
      ]),
    );
    const reply = await eventually("a redirect", async () => {
      const one = await edgeCall(address(), 8080, { host: "a.example.com", path: "/x?y=1" });
      return one.status === 301 && one;
    });
    assert.match(String(reply.headers["location"]), /^https:\/\/a\.example\.com(:\d+)?\/x\?y=1$/);
  });

  test("TLS ends at the gateway with the certificate of a Secret, which can be renewed", async () => {
    await mesh().apply(
      secret("edge", server) +
        gateway("edge", [
          {
            port: 8443,
            protocol: "HTTPS",
            bind: address(),
            hosts: ["a.example.com"],
            tls: { mode: "SIMPLE", credentialName: "edge" },
          },
        ]) +
        virtualService("a.example.com", { gateways: ["edge"], ...toWeb }),
    );
    const reply = await eventually("an answer of web", async () => {
      const one = await https("a.example.com", 8443);
      return one.echo?.app === "web" && one;
    });
    assert.equal(reply.serverCommonName, "server");
    assert.equal(reply.echo?.headers["x-forwarded-proto"], "https");
    assert.notEqual((await https("b.example.com", 8443)).failure, "", "no chain is for another name");
    const renewed = certificate("renewed");
    await mesh().apply(secret("edge", renewed));
    await eventually(
      "the renewed certificate",
      async () => (await https("a.example.com", 8443)).serverCommonName === "renewed",
    );
  });

  test("TLS ends at the gateway with a certificate of its host's files", async () => {
    const file = (name: string): string => join(mesh().directory, name);
    await writeFile(file("edge.crt"), server.pem);
    await writeFile(file("edge.key"), server.keyPem, { mode: 0o600 });
    const tls = { mode: "SIMPLE", serverCertificate: file("edge.crt"), privateKey: file("edge.key") };
    await mesh().apply(
      gateway("edge", [{ port: 8443, protocol: "HTTPS", bind: address(), hosts: ["a.example.com"], tls }]) +
        virtualService("a.example.com", { gateways: ["edge"], ...toWeb }),
    );
    const reply = await eventually("an answer of web", async () => {
      const one = await https("a.example.com", 8443);
      return one.echo?.app === "web" && one;
    });
    assert.equal(reply.serverCommonName, "server");
  });

  test("an authorization policy for the gateway holds before anything goes on", async () => {
    await mesh().apply(
      gateway("edge", [{ port: 8080, protocol: "HTTP", bind: address(), hosts: ["a.example.com"] }]) +
        virtualService("a.example.com", { gateways: ["edge"], ...toWeb }) +
        authorizationPolicy("edge", "edge", {
          action: "DENY",
          rules: [{ to: [{ operation: { paths: ["/admin*"] } }] }],
        }),
    );
    const call = (path: string): Promise<EdgeReply> =>
      edgeCall(address(), 8080, { host: "a.example.com", path });
    await eventually("/admin refused", async () => (await call("/admin/x")).status === 403);
    assert.equal((await call("/")).status, 200);
  });

  test("MUTUAL lets in who has a certificate of the Secret's roots, and nobody else", async () => {
    const tls = { mode: "MUTUAL", credentialName: "edge" };
    await mesh().apply(
      secret("edge", server, root) +
        gateway("edge", [{ port: 8443, protocol: "HTTPS", bind: address(), hosts: ["a.example.com"], tls }]) +
        virtualService("a.example.com", { gateways: ["edge"], ...toWeb }),
    );
    await eventually(
      "an answer of web",
      async () => (await https("a.example.com", 8443, { client })).echo?.app === "web",
    );
    assert.equal((await https("a.example.com", 8443)).status, 0);
    assert.equal((await https("a.example.com", 8443, { client: stranger })).status, 0);
  });

  test("OPTIONAL_MUTUAL lets in who shows nothing, not who shows what is wrong", async () => {
    const tls = { mode: "OPTIONAL_MUTUAL", credentialName: "edge" };
    await mesh().apply(
      secret("edge", server, root) +
        gateway("edge", [{ port: 8443, protocol: "HTTPS", bind: address(), hosts: ["a.example.com"], tls }]) +
        virtualService("a.example.com", { gateways: ["edge"], ...toWeb }),
    );
    await eventually(
      "an answer of web",
      async () => (await https("a.example.com", 8443)).echo?.app === "web",
    );
    assert.equal((await https("a.example.com", 8443, { client })).echo?.app, "web");
    assert.equal((await https("a.example.com", 8443, { client: stranger })).status, 0);
  });

  test("TLS that ends at the gateway goes on as bytes by a TCP route", async () => {
    const tls = { mode: "SIMPLE", credentialName: "edge" };
    await mesh().apply(
      secret("edge", server) +
        gateway("edge", [
          { port: 8443, protocol: "TLS", bind: address(), hosts: ["db.example.com"], tls },
          { port: 9000, protocol: "TCP", bind: address(), hosts: ["*"] },
        ]) +
        virtualService("db.example.com", {
          gateways: ["edge"],
          tcp: [{ route: [{ destination: { host: "store", port: { number: 9090 } } }] }],
        }),
    );
    await eventually(
      "an answer of store over TLS",
      async () => (await edgeTcpCall(address(), 8443, { serverName: "db.example.com" })).app === "store",
    );
    assert.equal((await edgeTcpCall(address(), 9000)).app, "store");
  });

  test("a server without its Secret takes no connections, and others go on", async () => {
    const at = (name: string, credentialName: string): ServerSpec => ({
      port: 8443,
      protocol: "HTTPS",
      bind: address(),
      hosts: [name],
      tls: { mode: "SIMPLE", credentialName },
    });
    await mesh().apply(
      secret("edge", server) +
        gateway("edge", [at("a.example.com", "edge"), at("b.example.com", "nobody"), at("*", "edge")]) +
        virtualService("web", { hosts: ["*.example.com"], gateways: ["edge"], ...toWeb }),
    );
    await eventually(
      "an answer of web",
      async () => (await https("a.example.com", 8443)).echo?.app === "web",
    );
    assert.equal((await https("c.example.com", 8443)).echo?.app, "web", "the wildcard's");
    assert.equal((await https("b.example.com", 8443)).status, 0, "not the wildcard's");
    await mesh().apply(secret("nobody", server));
    await eventually(
      "an answer of web",
      async () => (await https("b.example.com", 8443)).echo?.app === "web",
    );
  });

  test("the CLI shows a gateway with the others", async () => {
    const status = await mesh().cli(["proxy-status"]);
    assert.match(status.stdout, /edge\.default.*SYNCED/s);
    await mesh().apply(
      gateway("edge", [{ port: 8080, protocol: "HTTP", bind: address(), hosts: ["a.example.com"] }]) +
        virtualService("a.example.com", { gateways: ["edge"], ...toWeb }),
    );
    const routes = await mesh().cli(["proxy-config", "routes", "edge"]);
    assert.match(routes.stdout, /http\.8080/);
    assert.equal(routes.code, 0);
  });
});
