import assert from "node:assert/strict";
import { type CapturedCall, describeCaptured } from "../harness/captured-mesh.ts";
import { eventually } from "../harness/eventually.ts";
import {
  authorizationPolicy,
  document,
  meshConfig,
  peerAuthentication,
  serviceEntry,
  virtualService,
} from "../harness/mesh-policies.ts";

const HOSTS = [
  { name: "caller", service: "caller" },
  { name: "web", service: "web" },
  { name: "api", service: "api", appAtAddress: true },
  { name: "store", service: "store", protocol: "tcp" },
  // Its proxy binds what it serves.
  { name: "lazy", service: "lazy", discovery: "on-demand" },
  { name: "plain", service: "plain", captured: false, upstreams: ["web"] },
] as const;

const GREETER_PORT = 9091;

/** So long a proxy waits for a peer to speak, less some. */
const PATIENCE_MS = 2_900;

/** Ports of which nobody says what they speak. */
const ANY_PORT = 7300;
const MYSQL_PORT = 3306;

/** A port of an application that no service has. */
const PRIVATE_PORT = 7777;

describeCaptured("captured calls", { hosts: HOSTS, outside: [["tcp", 7003]] }, (test) => {
  test("an application that does not know the mesh calls a service by its address or its name", async ({
    expect,
  }) => {
    await expect(
      { to: "http://vip.web:9080", want: "200 web as caller" },
      { to: "http://vip.web:9080", host: "web", want: "200 web as caller" },
      { to: "http://vip.web:9080", host: "web.default.svc.cluster.local:9080", want: "200 web as caller" },
      { from: "api", to: "http://vip.web:9080", want: "200 web as api" },
      { to: "tcp://vip.store:9090", want: "store" },
    );
  });

  test("two HTTP services on one port are told apart by the host that is called", async ({ expect }) => {
    await expect(
      { to: "http://vip.web:9080", host: "api", want: "200 api as caller" },
      { to: "http://vip.api:9080", host: "web", want: "200 web as caller" },
      { to: "http://stranger:9080", host: "api.default", want: "200 api as caller" },
    );
  });

  test("a workload calls itself by its service's address, through both sides of its proxy", async ({
    expect,
  }) => {
    await expect(
      { to: "http://vip.caller:9080", want: "200 caller as caller" },
      { from: "web", to: "http://vip.caller:9080", host: "web", want: "200 web as web" },
    );
  });

  test("captured workloads and others call each other", async ({ mesh, expect, shell }) => {
    await mesh.apply(peerAuthentication("STRICT"));
    await expect(
      { to: "http://vip.plain:9080", want: "200 plain as caller" },
      { to: "http://plain:9080", want: "503" },
      { from: "plain", to: "http://127.0.0.1:9101", want: "200 web as plain" },
    );
    // Bound where it always was, not captured.
    assert.equal((await shell("plain").http("http://127.0.0.1:9080")).echo?.app, "plain");
  });

  test("a captured workload has the other ports that a ServiceEntry gives it", async ({
    mesh,
    expect,
    shell,
  }) => {
    await shell("web").serve("http", "second", "0.0.0.0", 9081);
    await mesh.apply(
      serviceEntry("second", {
        hosts: ["second.example"],
        addresses: ["10.99.0.8"],
        location: "MESH_INTERNAL",
        resolution: "STATIC",
        ports: [{ number: 80, name: "http-second", protocol: "HTTP", targetPort: 9081 }],
        workloadSelector: { labels: { app: "web" } },
      }) + peerAuthentication("STRICT"),
    );
    await expect(
      { to: "http://10.99.0.8:80", want: "200 second as caller" },
      { to: "http://vip.web:9080", want: "200 web as caller" },
      { from: "stranger", to: "http://web:9081", want: "closed" },
    );
  });

  test("HTTP/2 and gRPC are told from HTTP/1.1, and go on as the application speaks", async ({
    mesh,
    expect,
    shell,
  }) => {
    await shell("web").serve("h2", "grpc", "0.0.0.0", 9082);
    await mesh.apply(
      serviceEntry("grpc", {
        hosts: ["grpc.example"],
        location: "MESH_INTERNAL",
        resolution: "STATIC",
        ports: [{ number: 9080, name: "grpc", protocol: "GRPC", targetPort: 9082 }],
        workloadSelector: { labels: { app: "web" } },
      }) + peerAuthentication("STRICT"),
    );
    await expect(
      { to: "h2://vip.web:9080", host: "grpc.example", want: "200 grpc as caller" },
      { to: "http://vip.web:9080", host: "grpc.example", want: "200 grpc as caller" },
      { to: "h2://vip.web:9080", host: "web", want: "200 web as caller" },
    );
  });

  test("a workload that learns of hosts on demand calls what it has never called", async ({ expect }) => {
    await expect(
      { from: "lazy", to: "http://vip.web:9080", host: "web", want: "200 web as lazy" },
      { from: "lazy", to: "http://vip.api:9080", want: "200 api as lazy" },
      { from: "lazy", to: "tcp://stranger:7003", want: "outside" },
    );
  });

  test("a server that speaks first is heard: at once within the mesh, after a while from outside", async ({
    mesh,
    shell,
    expect,
    addressOf,
  }) => {
    await shell("store").serve("greeter", "greeter", "0.0.0.0", GREETER_PORT);
    await mesh.apply(
      serviceEntry("greeter", {
        hosts: ["greeter.example"],
        addresses: ["10.99.0.7"],
        location: "MESH_INTERNAL",
        resolution: "STATIC",
        ports: [{ number: GREETER_PORT, name: "tcp", protocol: "TCP" }],
        workloadSelector: { labels: { app: "store" } },
      }) + peerAuthentication("PERMISSIVE"),
    );
    await expect({ to: `wait://10.99.0.7:${GREETER_PORT}`, want: "greeter" });
    /** How long the caller waits for the first words; undefined when there are none. */
    const waited = async (from: string, address: string): Promise<number | undefined> => {
      const start = performance.now();
      const { app } = await shell(from).tcp(address, GREETER_PORT, "");
      return app === "greeter" ? performance.now() - start : undefined;
    };
    const atOnce = async (from: string, address: string): Promise<boolean> =>
      ((await waited(from, address)) ?? Number.POSITIVE_INFINITY) < PATIENCE_MS;
    assert.ok(await atOnce("caller", "10.99.0.7"));
    // It may be a client of the mesh, whose first bytes would tell.
    assert.ok(((await waited("stranger", addressOf("store"))) ?? 0) >= PATIENCE_MS);
    await mesh.apply(
      document("security.istio.io/v1", "PeerAuthentication", "store", {
        selector: { matchLabels: { app: "store" } },
        mtls: { mode: "PERMISSIVE" },
        portLevelMtls: { [GREETER_PORT]: { mode: "DISABLE" } },
      }),
    );
    await eventually("it is heard at once", () => atOnce("stranger", addressOf("store")), 10_000);
  });

  test("VirtualServices route what is captured", async ({ mesh, expect }) => {
    const routes = {
      http: [
        {
          match: [{ headers: { "x-user": { exact: "jason" } } }],
          route: [{ destination: { host: "api" } }],
        },
        { match: [{ uri: { prefix: "/tea" } }], directResponse: { status: 418 } },
        { route: [{ destination: { host: "web" } }] },
      ],
    };
    const tcp = { tcp: [{ route: [{ destination: { host: "web", port: { number: 9080 } } }] }] };
    await mesh.apply(virtualService("web", routes) + virtualService("store", tcp));
    await expect(
      { to: "http://vip.web:9080/tea", want: "418" },
      { to: "http://vip.web:9080", headers: { "x-user": "jason" }, want: "200 api as caller" },
      { to: "http://vip.web:9080", want: "200 web as caller" },
      { to: "http://vip.store:9090", want: "200 web as caller" },
    );
  });

  test("what an application speaks is found out where its port may be anybody's", async ({
    mesh,
    expect,
    shell,
  }) => {
    await shell("stranger").serve("tcp", "talker", "0.0.0.0", 9080);
    await shell("stranger").serve("http", "site", "0.0.0.0", 9090);
    await expect(
      // No HTTP at a port where services speak HTTP: it goes on to whom it was for.
      { to: "tcp://stranger:9080", want: "talker" },
      // At an address that is not the TCP service's, its port means nothing.
      { to: "http://stranger:9090", want: "200 site" },
    );
    // An HTTP and a TCP service at one port, neither with an address that counts.
    await mesh.apply(
      serviceEntry("bytes", {
        hosts: ["bytes.example"],
        location: "MESH_EXTERNAL",
        resolution: "NONE",
        ports: [{ number: 9080, name: "bytes", protocol: "TCP" }],
      }) + meshConfig({ outboundTrafficPolicy: { mode: "REGISTRY_ONLY" } }),
    );
    await expect(
      { to: "tcp://stranger:9080", want: "talker" },
      { to: "http://vip.web:9080", want: "200 web as caller" },
      { to: "http://stranger:9080", host: "nobody.example", want: "502" },
      { to: "http://stranger:9090", want: "closed" },
    );
  });

  test("what nobody says a port speaks both proxies find out, and a server that is known to speak first is heard at once", async ({
    mesh,
    expect,
    shell,
  }) => {
    await shell("web").serve("http", "site", "0.0.0.0", ANY_PORT);
    await shell("store").serve("tcp", "talker", "0.0.0.0", ANY_PORT);
    await shell("store").serve("greeter", "mysql", "0.0.0.0", MYSQL_PORT);
    const unsaid = (name: string, address: string, number: number, app: string): string =>
      serviceEntry(name, {
        hosts: [`${name}.example`],
        addresses: [address],
        location: "MESH_INTERNAL",
        resolution: "STATIC",
        ports: [{ number, name: "any" }],
        workloadSelector: { labels: { app } },
      });
    await mesh.apply(
      unsaid("site", "10.99.0.9", ANY_PORT, "web") +
        unsaid("talker", "10.99.0.10", ANY_PORT, "store") +
        unsaid("mysql", "10.99.0.11", MYSQL_PORT, "store") +
        virtualService("site.example", {
          http: [
            { match: [{ uri: { prefix: "/tea" } }], directResponse: { status: 418 } },
            { route: [{ destination: { host: "site.example" } }] },
          ],
          tcp: [{ route: [{ destination: { host: "talker.example" } }] }],
        }) +
        peerAuthentication("STRICT"),
    );
    const site = `10.99.0.9:${ANY_PORT}`;
    await expect(
      { to: `http://${site}`, host: "whatever.example", want: "200 site as caller" },
      { to: `http://${site}/tea`, want: "418" },
      { to: `tcp://${site}`, want: "talker" },
      { to: `tcp://10.99.0.10:${ANY_PORT}`, want: "talker" },
      { to: `wait://10.99.0.11:${MYSQL_PORT}`, want: "mysql" },
      // On demand its HTTP is asked for by the host that is called.
      { from: "lazy", to: `http://${site}`, host: "site.example", want: "200 site as lazy" },
      { from: "lazy", to: `tcp://${site}`, want: "talker" },
      { from: "stranger", to: `http://web:${ANY_PORT}`, want: "closed" },
      { from: "stranger", to: `tcp://store:${ANY_PORT}`, want: "closed" },
    );
    const noCoffee = { action: "DENY", rules: [{ to: [{ operation: { paths: ["/coffee"] } }] }] };
    await mesh.apply(authorizationPolicy("no-coffee", "web", noCoffee) + peerAuthentication("PERMISSIVE"));
    await expect(
      { from: "stranger", to: `http://web:${ANY_PORT}`, want: "200 site" },
      { from: "stranger", to: `http://web:${ANY_PORT}/coffee`, want: "403" },
      { from: "stranger", to: `tcp://store:${ANY_PORT}`, want: "talker" },
    );
  });

  test("plaintext from outside the mesh passes where it is permitted, and calls of the mesh do always", async ({
    mesh,
    expect,
  }) => {
    const inMesh = [
      { to: "http://vip.web:9080", want: "200 web as caller" },
      { to: "tcp://vip.store:9090", want: "store" },
    ];
    const fromOutside = (http: string, tcp: string): CapturedCall[] => [
      { from: "stranger", to: "http://web:9080", want: http },
      { from: "stranger", to: "tcp://store:9090", want: tcp },
    ];
    await expect(...fromOutside("200 web", "store"), ...inMesh);
    // To a host's own address there is no service: the call goes on as it is, without mTLS.
    await expect({ to: "http://web:9080", want: "200 web" });
    await mesh.apply(peerAuthentication("STRICT"));
    await expect(...fromOutside("closed", "closed"), { to: "http://web:9080", want: "503" }, ...inMesh);
    await mesh.apply(peerAuthentication("DISABLE"));
    await expect(...fromOutside("200 web", "store"), { to: "http://vip.web:9080", want: "200 web" });
  });

  test("authorization sees who calls through capture, and from where", async ({
    mesh,
    expect,
    addressOf,
  }) => {
    const onlyApi = {
      action: "ALLOW",
      rules: [{ from: [{ source: { principals: ["e2e.local/ns/default/sa/api"] } }] }],
    };
    await mesh.apply(
      authorizationPolicy("web", "web", onlyApi) + authorizationPolicy("store", "store", onlyApi),
    );
    await expect(
      { to: "http://vip.web:9080", want: "403" },
      { from: "api", to: "http://vip.web:9080", want: "200 web as api" },
      { from: "stranger", to: "http://web:9080", want: "403" },
      { to: "tcp://vip.store:9090", want: "closed" },
      { from: "api", to: "tcp://vip.store:9090", want: "store" },
    );
    await mesh.apply(
      authorizationPolicy("web", "web", {
        action: "DENY",
        rules: [{ from: [{ source: { ipBlocks: [`${addressOf("stranger")}/32`] } }] }],
      }),
    );
    await expect(
      { from: "stranger", to: "http://web:9080", want: "403" },
      { to: "http://vip.web:9080", want: "200 web as caller" },
    );
  });

  test("a port of the application that no service has is passed through, by the same rules for peers", async ({
    mesh,
    expect,
    shell,
  }) => {
    await shell("web").serve("http", "private", "0.0.0.0", PRIVATE_PORT);
    const calls = (fromStranger: string, fromCaller: string): CapturedCall[] => [
      { from: "stranger", to: `http://web:${PRIVATE_PORT}`, want: fromStranger },
      { to: `http://web:${PRIVATE_PORT}`, want: fromCaller },
    ];
    await expect(...calls("200 private", "200 private"), {
      from: "stranger",
      to: `http://web:${PRIVATE_PORT}`,
      headers: { "x-forwarded-client-cert": "URI=spiffe://e2e.local/ns/default/sa/api" },
      want: "200 private",
    });
    const noTea = { action: "DENY", rules: [{ to: [{ operation: { paths: ["/tea"] } }] }] };
    await mesh.apply(authorizationPolicy("no-tea", "web", noTea));
    await expect(
      { from: "stranger", to: `http://web:${PRIVATE_PORT}/tea`, want: "403" },
      { from: "stranger", to: `http://web:${PRIVATE_PORT}/coffee`, want: "200 private" },
    );
    await mesh.delete("AuthorizationPolicy", "no-tea");
    await expect({ from: "stranger", to: "tcp://web:7778", want: "closed" });
    await mesh.apply(peerAuthentication("STRICT"));
    await expect(...calls("closed", "closed"));
    // Modes of single ports hold for captured ones too.
    await mesh.apply(
      document("security.istio.io/v1", "PeerAuthentication", "web", {
        selector: { matchLabels: { app: "web" } },
        mtls: { mode: "STRICT" },
        portLevelMtls: { 9080: { mode: "PERMISSIVE" } },
      }),
    );
    await expect({ from: "stranger", to: "http://web:9080", want: "200 web" }, ...calls("closed", "closed"));
  });

  test("the proxy's own ports lead nowhere", async ({ expect }) => {
    await expect(
      { from: "stranger", to: "tcp://web:15001", want: "closed" },
      { from: "stranger", to: "tcp://web:15006", want: "closed" },
      { to: "tcp://web:15001", want: "closed" },
      { to: "tcp://web:15006", want: "closed" },
      // Still there.
      { to: "http://vip.web:9080", want: "200 web as caller" },
    );
  });

  test("an agent that is killed takes no captured traffic with it, and its successor goes on", async ({
    mesh,
    expect,
  }) => {
    const call = { to: "http://vip.web:9080", want: "200 web as caller" };
    const host = mesh.host("web");
    await host.killAgentProcess();
    await expect(call, { from: "web", to: "http://vip.caller:9080", want: "200 caller as web" });
    await host.startAgentProcess();
    await host.serving();
    await mesh.apply(peerAuthentication("STRICT"));
    await expect(call, { from: "stranger", to: "http://web:9080", want: "closed" });
  });

  test("a captured call reaches its application at the address it went to, or on loopback when the mesh says so", async ({
    mesh,
    shell,
    addressOf,
    expect,
  }) => {
    const arrives = (want: string): Promise<unknown> =>
      eventually(`it arrives at ${want}`, async () => {
        const { echo } = await shell("stranger").http(`http://${addressOf("web")}:9080`);
        return `${echo?.at} from ${echo?.from}` === want;
      });
    await arrives(`${addressOf("web")}:9080 from 127.0.0.6`);
    await mesh.apply(meshConfig({ inboundTrafficPolicy: { mode: "LOCALHOST" } }));
    await expect({ to: "http://vip.web:9080", want: "200 web as caller" });
    await arrives("127.0.0.1:9080 from 127.0.0.1");
    // Its application is not on loopback, and a call there must not be captured again.
    await expect({ to: "http://vip.api:9080", want: "200 api as caller" });
    await mesh.apply(meshConfig({ inboundTrafficPolicy: { mode: "PASSTHROUGH" } }));
    await expect({ to: "http://vip.web:9080", want: "200 web as caller" });
    await arrives(`${addressOf("web")}:9080 from 127.0.0.6`);
  });
});
