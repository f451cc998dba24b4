import assert from "node:assert/strict";
import { test } from "node:test";
import { sampleState } from "../../test/fakes/sample-mesh.ts";
import { viewOf } from "../snapshot/snapshot-view.ts";
import { virtualServicesAt } from "./gateway-virtual-services.ts";
import { gatewaysFor, mergeGateways } from "./gateways.ts";

interface Server {
  readonly port: number;
  readonly protocol: string;
  readonly hosts?: readonly string[];
  readonly bind?: string;
  readonly tls?: object;
}

function gateway(name: string, servers: readonly Server[], over: object = {}): string {
  const spec = {
    selector: { istio: "ingressgateway" },
    servers: servers.map(({ port, protocol, hosts = ["*"], bind, tls }, index) => ({
      port: { number: port, name: `p${index}`, protocol },
      hosts,
      ...(bind === undefined ? {} : { bind }),
      ...(tls === undefined ? {} : { tls }),
    })),
    ...over,
  };
  return JSON.stringify({ apiVersion: "networking.istio.io/v1", kind: "Gateway", metadata: { name }, spec });
}

const view = (...documents: readonly string[]) =>
  viewOf(sampleState({ yaml: documents.join("\n---\n") }).next().snapshot);

const SIMPLE = { mode: "SIMPLE", credentialName: "edge" };
const PASSTHROUGH = { mode: "PASSTHROUGH" };

const cases: readonly {
  readonly name: string;
  readonly gateways: readonly (readonly Server[])[];
  /** `<bind>_<port> <kind>: <servers as gateway.port name>`. */
  readonly listeners: readonly string[];
  readonly conflict?: RegExp;
}[] = [
  {
    name: "HTTP of two Gateways is merged, whatever kind of HTTP",
    gateways: [[{ port: 80, protocol: "HTTP" }], [{ port: 80, protocol: "GRPC", hosts: ["a.example.com"] }]],
    listeners: ["_80 http: g0.p0 g1.p0"],
  },
  {
    name: "HTTPS and TLS share a port by server name",
    gateways: [
      [
        { port: 443, protocol: "HTTPS", hosts: ["a.example.com"], tls: SIMPLE },
        { port: 443, protocol: "TLS", hosts: ["b.example.com"], tls: PASSTHROUGH },
      ],
    ],
    listeners: ["_443 tls: g0.p0 g0.p1"],
  },
  {
    name: "a host that two TLS servers claim is the first's, with all that the second has",
    gateways: [
      [{ port: 443, protocol: "HTTPS", hosts: ["a.example.com"], tls: SIMPLE }],
      [{ port: 443, protocol: "HTTPS", hosts: ["b.example.com", "a.example.com"], tls: SIMPLE }],
    ],
    listeners: ["_443 tls: g0.p0"],
    conflict: /^Gateway\/default\/g1: spec\.servers\[0\] .*host a\.example\.com is Gateway default\/g0's/,
  },
  {
    name: "TLS cannot join plaintext",
    gateways: [
      [{ port: 80, protocol: "HTTP" }],
      [{ port: 80, protocol: "HTTPS", hosts: ["a.example.com"], tls: SIMPLE }],
    ],
    listeners: ["_80 http: g0.p0"],
    conflict: /port 80 has HTTP of Gateway default\/g0/,
  },
  {
    name: "bytes cannot be told apart",
    gateways: [[{ port: 9000, protocol: "TCP" }], [{ port: 9000, protocol: "TCP" }]],
    listeners: ["_9000 tcp: g0.p0"],
    conflict: /port 9000 has TCP/,
  },
  {
    name: "servers that bind different addresses do not meet",
    gateways: [
      [{ port: 9000, protocol: "TCP" }],
      [{ port: 9000, protocol: "HTTP", bind: "127.0.0.7" }],
      [{ port: 9000, protocol: "HTTPS", bind: "127.0.0.8", hosts: ["a.example.com"], tls: SIMPLE }],
    ],
    listeners: ["_9000 tcp: g0.p0", "127.0.0.7_9000 http: g1.p0", "127.0.0.8_9000 tls: g2.p0"],
  },
];

for (const { name, gateways, listeners, conflict } of cases) {
  test(name, () => {
    const all = view(...gateways.map((servers, index) => gateway(`g${index}`, servers))).gateways();
    const merged = mergeGateways(all);
    assert.deepEqual(
      merged.listeners.map(
        ({ bind, port, kind, servers }) =>
          `${bind}_${port} ${kind}: ${servers.map(({ gateway: { metadata }, server }) => `${metadata.name}.${server.port.name}`).join(" ")}`,
      ),
      listeners,
    );
    const said = merged.conflicts.map(({ subject, message }) => `${subject}: ${message}`);
    assert.equal(said.length, conflict === undefined ? 0 : 1);
    if (conflict !== undefined) assert.match(said[0] ?? "", conflict);
  });
}

test("route configurations have Istio's names, with the address where one is bound", () => {
  const { listeners } = mergeGateways(
    view(
      gateway("edge", [
        { port: 80, protocol: "HTTP" },
        { port: 81, protocol: "HTTP", bind: "127.0.0.7" },
        { port: 443, protocol: "HTTPS", hosts: ["a.example.com"], tls: SIMPLE },
        { port: 444, protocol: "HTTPS", hosts: ["a.example.com"], tls: PASSTHROUGH },
        { port: 445, protocol: "TLS", hosts: ["a.example.com"], tls: SIMPLE },
      ]),
    ).gateways(),
  );
  assert.deepEqual(
    listeners.flatMap(({ servers }) => servers.map(({ routeName }) => routeName)),
    ["http.80", "http.81.127.0.0.7", "https.443.p2.edge.default", undefined, undefined],
  );
});

test("a Gateway is for the workloads of any namespace that have its labels, without a selector for all", () => {
  const of = view(
    gateway("labelled", [{ port: 80, protocol: "HTTP" }]),
    gateway("other", [{ port: 80, protocol: "HTTP" }], { selector: { istio: "egressgateway" } }),
    gateway("all", [{ port: 80, protocol: "HTTP" }], { selector: {} }),
  );
  const names = (labels: Readonly<Record<string, string>>) =>
    gatewaysFor(of, { labels }).map(({ metadata }) => metadata.name);
  assert.deepEqual(names({ istio: "ingressgateway", app: "edge" }), ["labelled", "all"]);
  assert.deepEqual(names({}), ["all"]);
});

function virtualService(name: string, namespace: string, over: object): string {
  const route = [{ destination: { host: "reviews.default.svc.cluster.local" } }];
  const spec = { gateways: ["default/g"], http: [{ route }], ...over };
  return JSON.stringify({
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: { name, namespace },
    spec,
  });
}

const shared: readonly {
  readonly name: string;
  readonly server: readonly string[];
  readonly namespace?: string;
  readonly over: object;
  readonly hosts: readonly string[] | undefined;
}[] = [
  { name: "equal", server: ["a.example.com"], over: { hosts: ["A.example.com"] }, hosts: ["a.example.com"] },
  {
    name: "below a wildcard",
    server: ["*.example.com"],
    over: { hosts: ["a.example.com"] },
    hosts: ["a.example.com"],
  },
  { name: "above the server's", server: ["a.example.com"], over: { hosts: ["*"] }, hosts: ["a.example.com"] },
  { name: "another", server: ["a.example.com"], over: { hosts: ["b.example.com"] }, hosts: undefined },
  {
    name: "short",
    server: ["*"],
    over: { hosts: ["reviews"] },
    hosts: ["reviews.default.svc.cluster.local"],
  },
  {
    name: "of another namespace than the server's host is for",
    server: ["shop/*"],
    over: { hosts: ["a.example.com"] },
    hosts: undefined,
  },
  {
    name: "of the namespace that the server's host is for",
    server: ["shop/*"],
    namespace: "shop",
    over: { hosts: ["a.example.com"] },
    hosts: ["a.example.com"],
  },
  {
    name: "of the Gateway's own namespace",
    server: ["./*"],
    over: { hosts: ["a.example.com"] },
    hosts: ["a.example.com"],
  },
  {
    name: "not exported to the gateway",
    server: ["*"],
    namespace: "shop",
    over: { hosts: ["a.example.com"], exportTo: ["."] },
    hosts: undefined,
  },
  {
    name: "of another gateway",
    server: ["*"],
    over: { hosts: ["a.example.com"], gateways: ["other"] },
    hosts: undefined,
  },
  {
    name: "of a gateway named without its namespace",
    server: ["*"],
    over: { hosts: ["a.example.com"], gateways: ["g"] },
    hosts: ["a.example.com"],
  },
];

for (const { name, server, namespace = "default", over, hosts } of shared) {
  test(`a VirtualService's host ${name} is ${hosts === undefined ? "not " : ""}served`, () => {
    const of = view(
      gateway("g", [{ port: 80, protocol: "HTTP", hosts: server }]),
      virtualService("vs", namespace, over),
    );
    const [listener] = mergeGateways(of.gateways()).listeners;
    const [bound] = listener?.servers ?? [];
    assert.ok(bound);
    assert.deepEqual(virtualServicesAt(of, bound, "default")[0]?.hosts, hosts);
  });
}
