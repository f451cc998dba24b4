import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { createServer } from "node:tls";
import { edgeTcpCall } from "../harness/edge-calls.ts";
import { eventually } from "../harness/eventually.ts";
import { Failures, startHttpEcho } from "../harness/mesh-apps.ts";
import { gateway, outside } from "../harness/mesh-gateways.ts";
import { destinationRule, peerAuthentication, virtualService } from "../harness/mesh-policies.ts";
import { describeMesh } from "../harness/mesh-suite.ts";
import { mint } from "../harness/test-certificates.ts";

const EAST_WEST = { istio: "eastwestgateway", "topology.istio.io/network": "net2" };
const API = "api.example.org";

/** Two networks; a way out of the mesh in the first, a way into the second. */
const HOSTS = [
  { name: "caller", service: "caller", network: "net1", upstreams: ["web", `${API}:80`] },
  {
    name: "egress",
    service: "egress",
    network: "net1",
    gateway: { labels: { istio: "egressgateway" }, ports: [{ port: 8080, protocol: "http" }] },
  },
  { name: "web", service: "web", network: "net2" },
  {
    name: "entry",
    service: "entry",
    network: "net2",
    gateway: { labels: EAST_WEST, ports: [{ port: 15_443, protocol: "tls" }] },
  },
] as const;

describeMesh("gateways between", { hosts: HOSTS }, (mesh) => {
  test("an east-west gateway leads into the other network, and the ends still know each other", async () => {
    const entry = mesh().host("entry");
    const bind = entry.spec.address;
    await mesh().apply(
      peerAuthentication("STRICT") +
        gateway(
          "east-west",
          [{ port: 15_443, protocol: "TLS", bind, hosts: ["*.local"], tls: { mode: "AUTO_PASSTHROUGH" } }],
          { istio: "eastwestgateway" },
        ),
    );
    const reply = await eventually("an answer from net2", async () => {
      const one = await mesh().call("caller", "web");
      return one.echo?.app === "web" && one;
    });
    assert.match(
      String(reply.echo?.headers["x-forwarded-client-cert"]),
      new RegExp(`URI=${mesh().spiffeId("caller")}$`),
    );
    const clusters = await mesh().host("caller").askProxy("/clusters");
    assert.match(clusters, new RegExp(`^outbound\\|9080\\|\\|web\\.default.*::${bind}:15443::`, "m"));
    assert.doesNotMatch(
      clusters,
      new RegExp(`^outbound\\|9080\\|\\|web\\.default.*::${mesh().host("web").spec.address}:`, "m"),
    );
    const passed = await entry.askProxy("/clusters");
    assert.match(passed, /^outbound_\.9080_\._\.web\.default\S*::rq_total::[1-9]/m);
  });

  test("an east-west gateway takes nothing but mesh TLS", async () => {
    const bind = mesh().host("entry").spec.address;
    await mesh().apply(
      gateway(
        "east-west",
        [{ port: 15_443, protocol: "TLS", bind, hosts: ["*.local"], tls: { mode: "AUTO_PASSTHROUGH" } }],
        { istio: "eastwestgateway" },
      ),
    );
    await eventually(
      "an answer from net2",
      async () => (await mesh().call("caller", "web")).echo?.app === "web",
    );
    const serverName = "outbound_.9080_._.web.default.svc.cluster.local";
    assert.notEqual((await edgeTcpCall(bind, 15_443, { serverName, alpn: ["http/1.1"] })).failure, "");
    assert.notEqual(
      (await edgeTcpCall(bind, 15_443, { serverName: "web.default.svc.cluster.local", alpn: ["istio"] }))
        .failure,
      "",
    );
  });

  test("calls to a host outside go through the egress gateway, which knows who makes them", async () => {
    const { address, loopback } = mesh().host("egress").spec;
    await using app = await startHttpEcho("outside", loopback, 7080, new Failures());
    const to = (host: string, port: number): object => ({ destination: { host, port: { number: port } } });
    await mesh().apply(
      outside(API, { number: 80, protocol: "HTTP", address: loopback, port: 7080 }) +
        gateway(
          "egress",
          [{ port: 8080, protocol: "HTTPS", bind: address, hosts: [API], tls: { mode: "ISTIO_MUTUAL" } }],
          { istio: "egressgateway" },
        ) +
        destinationRule("egress", { trafficPolicy: { tls: { mode: "ISTIO_MUTUAL", sni: API } } }) +
        virtualService(API, {
          gateways: ["mesh", "egress"],
          http: [
            { match: [{ gateways: ["mesh"], port: 80 }], route: [to("egress", 8080)] },
            { match: [{ gateways: ["egress"], port: 8080 }], route: [to(API, 80)] },
          ],
        }),
    );
    const reply = await eventually("an answer from outside", async () => {
      const one = await mesh().call("caller", `${API}:80`, "/", { headers: { host: API } });
      return one.echo?.app === "outside" && one;
    });
    const cert = String(reply.echo?.headers["x-forwarded-client-cert"]);
    assert.match(cert, new RegExp(`By=${mesh().spiffeId("egress")};.*URI=${mesh().spiffeId("caller")}`));
    assert.equal(app.taken() > 0, true);
  });

  test("TLS that is passed on keeps its end", async () => {
    const { address, loopback } = mesh().host("egress").spec;
    const end = mint({ commonName: "the end" });
    const server = createServer({ cert: end.pem, key: end.keyPem }, (socket) => {
      socket.on("error", () => undefined);
      socket.once("data", () => socket.write("the end\n"));
      socket.pipe(socket);
    });
    server.listen(7443, loopback);
    await once(server, "listening");
    try {
      const at = (name: string): string =>
        outside(name, { number: 443, protocol: "TLS", address: loopback, port: 7443 }) +
        virtualService(name, {
          gateways: ["passed"],
          tls: [{ match: [{ sniHosts: [name] }], route: [{ destination: { host: name } }] }],
        });
      await mesh().apply(
        gateway(
          "passed",
          [
            {
              port: 8443,
              protocol: "TLS",
              bind: address,
              hosts: ["*.example.net"],
              tls: { mode: "PASSTHROUGH" },
            },
          ],
          { istio: "egressgateway" },
        ) + at("end.example.net"),
      );
      await eventually(
        "an answer of the end",
        async () => (await edgeTcpCall(address, 8443, { serverName: "end.example.net" })).app === "the end",
      );
      assert.notEqual((await edgeTcpCall(address, 8443, { serverName: "other.example.net" })).failure, "");
    } finally {
      server.close();
    }
  });
});
