import assert from "node:assert/strict";
import { FAR } from "../harness/captured-ground.ts";
import { describeCaptured } from "../harness/captured-mesh.ts";
import { meshConfig, serviceEntry, sidecar, virtualService } from "../harness/mesh-policies.ts";

const HOSTS = [
  { name: "caller", service: "caller" },
  { name: "web", service: "web" },
] as const;

/** The stranger's ports: one that services of the mesh have too, two that none has. */
const SHARED = 9080;
const OWN = 7000;
const OWN_TCP = 7001;

const REGISTRY_ONLY = { outboundTrafficPolicy: { mode: "REGISTRY_ONLY" } };

const OUTSIDE = [
  ["http", SHARED],
  ["http", OWN],
  ["tcp", OWN_TCP],
] as const;

describeCaptured("captured calls to the outside", { hosts: HOSTS, outside: OUTSIDE }, (test) => {
  test("what the mesh does not know is passed through, or refused when only the registry counts", async ({
    mesh,
    expect,
  }) => {
    const known = { to: "http://vip.web:9080", want: "200 web as caller" };
    await expect(
      { to: `http://stranger:${SHARED}`, want: "200 outside" },
      { to: `http://stranger:${OWN}`, want: "200 outside" },
      { to: `tcp://stranger:${OWN_TCP}`, want: "outside" },
      known,
    );
    const refused = [
      { to: `http://stranger:${SHARED}`, want: "502" },
      { to: `http://stranger:${OWN}`, want: "closed" },
      { to: `tcp://stranger:${OWN_TCP}`, want: "closed" },
      known,
    ];
    await mesh.apply(meshConfig(REGISTRY_ONLY));
    await expect(...refused);
    await mesh.delete("MeshConfig", "mesh", "istio-system");
    await expect({ to: `http://stranger:${OWN}`, want: "200 outside" });
    await mesh.apply(sidecar("default", REGISTRY_ONLY));
    await expect(...refused);
    // What the mesh forbids a Sidecar permits.
    await mesh.apply(
      meshConfig(REGISTRY_ONLY) + sidecar("default", { outboundTrafficPolicy: { mode: "ALLOW_ANY" } }),
    );
    await expect(
      { to: `tcp://stranger:${OWN_TCP}`, want: "outside" },
      { to: `http://stranger:${SHARED}`, want: "200 outside" },
    );
  });

  test("calls to what the mesh does not know go to the host that they name, other connections where they were going", async ({
    mesh,
    expect,
    shell,
    addressOf,
  }) => {
    const at = (port: number): string => `${addressOf("stranger")}:${port}`;
    await shell("stranger").serve("greeter", "greeter", "0.0.0.0", 7002);
    await mesh.apply(
      meshConfig({ outboundTrafficPolicy: { mode: "ALLOW_ANY_DYNAMIC_DNS" } }) +
        serviceEntry("known", {
          hosts: ["known.example"],
          addresses: ["10.99.0.8"],
          location: "MESH_EXTERNAL",
          resolution: "STATIC",
          ports: [{ number: 7003, name: "tcp", protocol: "TCP", targetPort: 7002 }],
          endpoints: [{ address: addressOf("stranger") }],
        }),
    );
    await expect(
      // Nobody is at 10.99.0.9.
      { to: `http://10.99.0.9:${SHARED}`, host: at(SHARED), want: "200 outside" },
      { to: `http://10.99.0.9:${OWN}`, host: at(OWN), want: "200 outside" },
      { to: `http://10.99.0.9:${OWN}`, host: "nobody.invalid", want: "503" },
      { to: `tcp://stranger:${OWN_TCP}`, want: "outside" },
      { to: "wait://stranger:7002", want: "greeter" },
      { to: "http://vip.web:9080", want: "200 web as caller" },
    );
    // A service's server is not waited for: nobody looks for HTTP there.
    const start = performance.now();
    await expect({ to: "wait://10.99.0.8:7003", want: "greeter" });
    assert.ok(performance.now() - start < 1500);
  });

  test("an egress proxy gets what the mesh does not know", async ({ mesh, expect, shell, addressOf }) => {
    await shell("stranger").serve("http", "way-out", "0.0.0.0", 8888);
    await mesh.apply(
      serviceEntry("way-out", {
        hosts: ["way-out.example"],
        location: "MESH_EXTERNAL",
        resolution: "STATIC",
        ports: [{ number: 8888, name: "tcp", protocol: "TCP" }],
        endpoints: [{ address: addressOf("stranger") }],
      }) +
        sidecar("default", {
          outboundTrafficPolicy: {
            mode: "ALLOW_ANY",
            egressProxy: { host: "way-out.example", port: { number: 8888 } },
          },
        }),
    );
    await expect(
      { to: "http://10.99.0.1:7000", want: "200 way-out" },
      { to: "http://10.99.0.1:9080", want: "200 way-out" },
      { to: "http://vip.web:9080", want: "200 web as caller" },
    );
    await mesh.apply(
      sidecar("default", {
        outboundTrafficPolicy: {
          mode: "ALLOW_ANY",
          egressProxy: { host: "web.default.svc.cluster.local", port: { number: 9080 } },
        },
      }),
    );
    // As to any service of the mesh: with mTLS.
    await expect(
      { to: "http://10.99.0.1:7000", want: "200 web as caller" },
      { to: "http://10.99.0.1:9080", want: "200 web as caller" },
    );
  });

  test("TLS services on one port are told apart by SNI, with addresses and without", async ({
    mesh,
    expect,
    shell,
    addressOf,
  }) => {
    await shell("stranger").serve("tls", "one", "0.0.0.0", 8443);
    await shell("stranger").serve("tls", "two", "0.0.0.0", 8444);
    const external = (name: string, targetPort: number, fields: Record<string, unknown>): string =>
      serviceEntry(name, {
        hosts: [`${name}.example`],
        location: "MESH_EXTERNAL",
        resolution: "STATIC",
        ports: [{ number: 8443, name: "tls", protocol: "TLS", targetPort }],
        endpoints: [{ address: addressOf("stranger") }],
        ...fields,
      });
    await mesh.apply(
      external("one", 8443, {}) +
        external("two", 8444, {}) +
        external("placed", 8444, { addresses: ["10.99.0.3"] }) +
        serviceEntry("any", {
          hosts: ["*.any.example"],
          location: "MESH_EXTERNAL",
          resolution: "NONE",
          ports: [{ number: 8443, name: "tls", protocol: "TLS" }],
        }) +
        meshConfig(REGISTRY_ONLY),
    );
    await expect(
      { to: "tls://10.99.0.1:8443", host: "one.example", want: "one" },
      { to: "tls://10.99.0.1:8443", host: "two.example", want: "two" },
      { to: "tls://10.99.0.3:8443", host: "placed.example", want: "two" },
      { to: "tls://stranger:8443", host: "www.any.example", want: "one" },
      { to: "tls://stranger:8443", host: "nobody.example", want: "closed" },
      { to: "tcp://stranger:8443", want: "closed" },
    );
    await mesh.apply(meshConfig({ outboundTrafficPolicy: { mode: "ALLOW_ANY" } }));
    await expect({ to: "tls://stranger:8444", host: "nobody.example", want: "two" });
    await expect({ to: "tls://stranger:8443", host: "nobody.example", want: "one" });
  });

  test("a ServiceEntry without addresses lets calls of its port and host go where they were going", async ({
    mesh,
    expect,
  }) => {
    const external = (protocol: string, number: number): string =>
      serviceEntry(`ext-${number}`, {
        hosts: [`ext-${number}.example`],
        location: "MESH_EXTERNAL",
        resolution: "NONE",
        ports: [{ number, name: "it", protocol }],
      });
    await mesh.apply(
      external("HTTP", OWN) +
        external("TCP", OWN_TCP) +
        external("HTTP", SHARED) +
        meshConfig(REGISTRY_ONLY) +
        virtualService(`ext-${OWN}.example`, {
          http: [
            { match: [{ uri: { prefix: "/tea" } }], directResponse: { status: 418 } },
            { route: [{ destination: { host: `ext-${OWN}.example` } }] },
          ],
        }),
    );
    await expect(
      { to: `http://stranger:${OWN}`, host: `ext-${OWN}.example`, want: "200 outside" },
      { to: `http://stranger:${OWN}/tea`, host: `ext-${OWN}.example`, want: "418" },
      { to: `http://${FAR}:${OWN}`, host: `ext-${OWN}.example:${OWN}`, want: "200 outside" },
      { to: `http://stranger:${OWN}`, host: "other.example", want: "502" },
      { to: `http://stranger:${SHARED}`, host: `ext-${SHARED}.example`, want: "200 outside" },
      { to: `tcp://stranger:${OWN_TCP}`, want: "outside" },
      { to: `tcp://${FAR}:${OWN_TCP}`, want: "outside" },
    );
  });

  const addressed = [
    // HTTP goes by its host header: an address is a name there, a block is not.
    { name: "an address", addresses: [FAR], named: "200 outside" },
    { name: "a CIDR block", addresses: ["10.78.0.0/24"], named: "502" },
    { name: "an address and a CIDR block", addresses: ["10.79.0.1", "10.78.0.0/24"], named: "502" },
  ];
  for (const { name, addresses, named } of addressed) {
    test(`a ServiceEntry with ${name} takes the calls that go there and no others`, async ({
      mesh,
      expect,
    }) => {
      await mesh.apply(
        serviceEntry("far", {
          hosts: ["far.example"],
          addresses,
          location: "MESH_EXTERNAL",
          resolution: "NONE",
          ports: [
            { number: OWN_TCP, name: "tcp", protocol: "TCP" },
            { number: OWN, name: "http", protocol: "HTTP" },
          ],
        }) + meshConfig(REGISTRY_ONLY),
      );
      await expect(
        { to: `tcp://${FAR}:${OWN_TCP}`, want: "outside" },
        { to: `tcp://stranger:${OWN_TCP}`, want: "closed" },
        { to: `http://${FAR}:${OWN}`, host: "far.example", want: "200 outside" },
        { to: `http://${FAR}:${OWN}`, want: named },
        { to: `http://${FAR}:${OWN}`, host: "other.example", want: "502" },
      );
    });
  }

  test("a TCP and an HTTP ServiceEntry share a port: an address takes its own, the host decides the rest", async ({
    mesh,
    expect,
    addressOf,
  }) => {
    await mesh.apply(
      serviceEntry("moved", {
        hosts: ["moved.example"],
        addresses: ["10.99.0.9"],
        location: "MESH_EXTERNAL",
        resolution: "STATIC",
        ports: [{ number: OWN, name: "tcp", protocol: "TCP", targetPort: OWN_TCP }],
        endpoints: [{ address: addressOf("stranger") }],
      }) +
        serviceEntry("site", {
          hosts: ["site.example"],
          location: "MESH_EXTERNAL",
          resolution: "NONE",
          ports: [{ number: OWN, name: "http", protocol: "HTTP" }],
        }) +
        meshConfig(REGISTRY_ONLY),
    );
    await expect(
      { to: `tcp://10.99.0.9:${OWN}`, want: "outside" },
      { to: `http://stranger:${OWN}`, host: "site.example", want: "200 outside" },
      { to: `tcp://stranger:${OWN}`, want: "closed" },
    );
  });
});
