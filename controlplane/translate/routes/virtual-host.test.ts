import assert from "node:assert/strict";
import { test } from "node:test";
import { client, inScope } from "../../../test/fakes/in-scope.ts";
import { port, sampleState, workload } from "../../../test/fakes/sample-mesh.ts";
import type { Client } from "../../policy/client.ts";
import type { MeshSnapshot } from "../../snapshot/mesh-snapshot.ts";
import { foreignVirtualHost, serviceVirtualHost } from "./virtual-host.ts";

const HOST = "reviews.default.svc.cluster.local";

const workloads = [
  workload("reviews", { name: "a" }),
  workload("details", { name: "b" }),
  workload("reviews", { name: "c", namespace: "shop" }),
];

function snapshotOf(yaml: string): MeshSnapshot {
  return sampleState({ yaml, workloads }).next().snapshot;
}

function domains(yaml: string, hostname: string, from: string): readonly string[] {
  const { value } = inScope(snapshotOf(yaml), (scope) =>
    serviceVirtualHost(scope, client({ namespace: from }), hostname, 9080),
  );
  return value.virtualHost.domains;
}

const external = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: external }
spec:
  hosts: [api.example.com]
  addresses: [192.0.2.1, 192.0.2.128/25, "2001:db8::1"]
  ports: [{ number: 9080, name: http, protocol: HTTP }]
  resolution: STATIC
  endpoints: [{ address: 192.0.2.9 }]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: pages }
spec:
  hosts: ["*.pages.example.com"]
  ports: [{ number: 9080, name: http, protocol: HTTP }]
  resolution: NONE
`;

const named: readonly {
  readonly name: string;
  readonly host: string;
  readonly from: string;
  readonly want: readonly string[];
}[] = [
  {
    name: "a service of the own namespace, which is default",
    host: HOST,
    from: "default",
    want: [
      HOST,
      `${HOST}.`,
      "reviews",
      "reviews.default",
      "reviews.default.svc",
      "reviews.default.mesh",
      "reviews.mesh",
      "reviews.service.consul",
    ],
  },
  {
    name: "a service of another namespace, where the own has one of that name",
    host: HOST,
    from: "shop",
    want: [
      HOST,
      `${HOST}.`,
      "reviews.default",
      "reviews.default.svc",
      "reviews.default.mesh",
      "reviews.mesh",
    ],
  },
  {
    name: "a service of default, where the own namespace has none of that name",
    host: HOST,
    from: "team",
    want: [
      HOST,
      `${HOST}.`,
      "reviews.default",
      "reviews.default.svc",
      "reviews.default.mesh",
      "reviews.mesh",
      "reviews.service.consul",
    ],
  },
  {
    name: "a service of the own namespace",
    host: "reviews.shop.svc.cluster.local",
    from: "shop",
    want: [
      "reviews.shop.svc.cluster.local",
      "reviews.shop.svc.cluster.local.",
      "reviews",
      "reviews.shop",
      "reviews.shop.svc",
      "reviews.shop.mesh",
      "reviews.service.consul",
    ],
  },
  {
    name: "a service outside the mesh, with its single addresses",
    host: "api.example.com",
    from: "default",
    want: ["api.example.com", "api.example.com.", "192.0.2.1", "[2001:db8::1]"],
  },
  {
    name: "a service of many names",
    host: "*.pages.example.com",
    from: "default",
    want: ["*.pages.example.com", "*.pages.example.com."],
  },
];
for (const { name, host, from, want } of named) {
  test(`domains of ${name}`, () => {
    const all = domains(external, host, from);
    assert.deepEqual(
      all.filter((domain) => !/^(240|127)\./.test(domain)),
      want,
    );
    assert.equal(new Set(all).size, all.length);
  });
}

test("a service without an address of its own is also called at its VIP and that one's loopback twin", () => {
  const [vip, twin, ...others] = domains("", HOST, "default").filter((domain) => /^(240|127)\./.test(domain));
  assert.match(vip ?? "", /^240\.240\./);
  assert.equal(twin, vip?.replace(/^240/, "127"));
  assert.deepEqual(others, []);
});

function foreign(spec: string, name = "foreign"): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name} }
spec: { ${spec}, http: [{ route: [{ destination: { host: reviews } }] }] }
---
`;
}

const known = (name: string, number: number, protocol = "HTTP"): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: known }
spec: { hosts: [${name}], addresses: [192.0.2.7], ports: [{ number: ${number}, name: a, protocol: ${protocol} }], resolution: DNS }
---
`;

const TWO = foreign("hosts: [book.example.com, shelf.example.com]");

const foreignHosts: readonly {
  readonly name: string;
  readonly yaml: string;
  readonly host?: string;
  readonly at?: number;
  readonly imports?: Client["imports"];
  readonly want: readonly string[] | undefined;
}[] = [
  { name: "that no registry knows", yaml: foreign("hosts: [Book.example.com]"), want: ["book.example.com"] },
  {
    name: "that has a wildcard",
    yaml: foreign('hosts: ["*.example.com"]'),
    host: "*.example.com",
    want: ["*.example.com"],
  },
  {
    name: "that a service has",
    yaml: foreign("hosts: [book.example.com]") + known("book.example.com", 80),
    want: undefined,
  },
  {
    name: "that a service has at other ports",
    yaml: foreign("hosts: [book.example.com]") + known("book.example.com", 81),
    want: ["book.example.com", "book.example.com.", "192.0.2.7"],
  },
  {
    name: "that a service has which its Sidecar does not import",
    yaml: TWO + known("book.example.com", 80),
    imports: [{ namespace: "default", hosts: ["shelf.example.com"], excluded: false }],
    want: ["book.example.com", "book.example.com.", "192.0.2.7"],
  },
  {
    name: "beside one that a service has",
    yaml: TWO + known("shelf.example.com", 81),
    at: 81,
    want: ["book.example.com"],
  },
  {
    name: "beside one that a service has at other ports",
    yaml: TWO + known("shelf.example.com", 81),
    at: 82,
    want: undefined,
  },
  {
    name: "beside one that speaks no HTTP there",
    yaml: TWO + known("shelf.example.com", 81, "TCP"),
    at: 81,
    want: undefined,
  },
  {
    name: "beside one whose service its Sidecar does not import",
    yaml: TWO + known("shelf.example.com", 81),
    at: 81,
    imports: [{ namespace: "default", hosts: ["book.example.com"], excluded: false }],
    want: undefined,
  },
  {
    name: "beside a wildcard that covers a service",
    yaml: foreign('hosts: [book.example.com, "*.shelf.example.com"]') + known("a.shelf.example.com", 81),
    at: 81,
    want: ["book.example.com"],
  },
  {
    name: "beside a wildcard whose service another VirtualService has by name",
    yaml:
      foreign('hosts: [book.example.com, "*.shelf.example.com"]') +
      foreign("hosts: [a.shelf.example.com]", "other") +
      known("a.shelf.example.com", 81),
    at: 81,
    want: undefined,
  },
  {
    name: "of two VirtualServices, the older of which is alone",
    yaml: foreign("hosts: [book.example.com]", "a") + TWO + known("shelf.example.com", 81),
    at: 81,
    want: ["book.example.com"],
  },
  {
    name: "whose wildcard covers a service",
    yaml: foreign('hosts: ["*.example.com"]') + known("book.example.com", 80),
    host: "*.example.com",
    want: undefined,
  },
  {
    name: "of another client's namespace",
    yaml: foreign("hosts: [book.example.com], exportTo: [shop]"),
    want: undefined,
  },
  { name: "of a gateway", yaml: foreign("hosts: [book.example.com], gateways: [edge]"), want: undefined },
];
for (const { name, yaml, host = "book.example.com", at = 80, imports, want } of foreignHosts) {
  test(`a host ${name} ${want ? "has a virtual host" : "has none"} at port ${at}`, () => {
    const { value } = inScope(snapshotOf(yaml), (scope) =>
      foreignVirtualHost(scope, client({ imports }), host, at),
    );
    assert.deepEqual(value?.virtualHost.domains, want);
    if (want) assert.equal(value?.virtualHost.name, `${host}:${at}`);
  });
}

test("where no VirtualService has a route for the client, all goes to the service", () => {
  const yaml = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec: { hosts: [reviews], http: [{ match: [{ port: 1 }], route: [{ destination: { host: details } }] }] }
`;
  const { value } = inScope(snapshotOf(yaml), (scope) => serviceVirtualHost(scope, client(), HOST, 9080));
  assert.deepEqual(
    value.virtualHost.routes.map(({ name, route }) => [name, route?.cluster]),
    [["default", `outbound|9080||${HOST}`]],
  );
  assert.equal(value.virtualService, undefined);
});

test("a destination without a port means the only one of its service, else the one that was called", () => {
  const yaml = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
    - match: [{ uri: { prefix: /one } }]
      route: [{ destination: { host: one } }]
    - route: [{ destination: { host: two } }]
`;
  const ports = [port({ servicePort: 80, name: "http-80" }), port()];
  const state = sampleState({
    yaml,
    workloads: [...workloads, workload("one", { ports: ports.slice(0, 1) }), workload("two", { ports })],
  });
  const { value } = inScope(state.next().snapshot, (scope) =>
    serviceVirtualHost(scope, client(), HOST, 9080),
  );
  assert.deepEqual(
    value.virtualHost.routes.map(({ route }) => route?.cluster),
    ["outbound|80||one.default.svc.cluster.local", "outbound|9080||two.default.svc.cluster.local"],
  );
});
