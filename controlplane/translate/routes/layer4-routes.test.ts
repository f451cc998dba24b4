import assert from "node:assert/strict";
import { test } from "node:test";
import type { Protocol } from "../../../mesh/model/service.ts";
import { client, inScope } from "../../../test/fakes/in-scope.ts";
import { port, sampleState, workload } from "../../../test/fakes/sample-mesh.ts";
import type { RoutingClient } from "../../policy/virtual-services.ts";
import { type Layer4Route, layer4Routes } from "./layer4-routes.ts";

const HOST = "db.default.svc.cluster.local";

interface Built {
  readonly routes: readonly Layer4Route[];
  readonly warnings: readonly string[];
}

function routesOf(protocol: Protocol, spec: string, over: Partial<RoutingClient> = {}): Built {
  const yaml = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: db }
spec: { hosts: [db, "*.example.com"], ${spec} }
`;
  const ports = [port({ protocol, name: protocol, servicePort: 5432 })];
  const workloads = ["db", "db1", "db2"].map((service) => workload(service, { ports }));
  const { snapshot } = sampleState({ workloads, yaml }).next();
  const place = { hostname: HOST, port: 5432, tls: protocol === "tls" };
  const { value, warnings } = inScope(snapshot, (scope) => layer4Routes(scope, client(over), place));
  return { routes: value.routes, warnings: warnings.map(({ message }) => message) };
}

/** `names -> subnets from source: host*weight`, without what is empty. */
function printed({ routes }: Built): readonly string[] {
  return routes.map(({ sniHosts, destinationSubnets, sourceSubnet, clusters }) => {
    const to = clusters.map(({ name, weight }) => `${name.split("|").at(-1)?.split(".")[0]}*${weight}`);
    const source = sourceSubnet === "" ? "" : ` from ${sourceSubnet}`;
    return `${[sniHosts.join(), destinationSubnets.join()].filter(Boolean).join(" at ")}${source}: ${to.join()}`;
  });
}

const to = (host: string): string => `route: [{ destination: { host: ${host} } }]`;
const DEFAULT = ": db*1";

const tcp: readonly {
  readonly name: string;
  readonly spec: string;
  readonly client?: Partial<RoutingClient>;
  readonly want: readonly string[];
}[] = [
  { name: "no match", spec: `tcp: [{ ${to("db1")} }, { ${to("db2")} }]`, want: [": db1*100"] },
  {
    name: "a port that is not this one",
    spec: `tcp: [{ match: [{ port: 1 }], ${to("db1")} }]`,
    want: [DEFAULT],
  },
  {
    name: "subnets, and the service for the rest",
    spec: `tcp: [{ match: [{ destinationSubnets: [10.0.0.0/8] }, { destinationSubnets: [10.1.0.1], port: 5432 }], ${to("db1")} }]`,
    want: ["10.0.0.0/8: db1*100", "10.1.0.1: db1*100", DEFAULT],
  },
  {
    name: "the first of two that ask for the same subnet",
    spec: `tcp: [{ match: [{ destinationSubnets: [10.0.0.0/8] }], ${to("db1")} },
                 { match: [{ destinationSubnets: [10.0.0.0/8, 11.0.0.0/8] }], ${to("db2")} }]`,
    want: ["10.0.0.0/8: db1*100", "11.0.0.0/8: db2*100", DEFAULT],
  },
  {
    name: "a source subnet",
    spec: `tcp: [{ match: [{ sourceSubnet: 10.0.0.0/8 }], ${to("db1")} }]`,
    want: [" from 10.0.0.0/8: db1*100", DEFAULT],
  },
  {
    name: "labels of the client, and nothing after them",
    spec: `tcp: [{ match: [{ sourceLabels: { app: web } }], ${to("db1")} }, { ${to("db2")} }]`,
    client: { labels: { app: "web" } },
    want: [": db1*100"],
  },
  {
    name: "the namespace of another client",
    spec: `tcp: [{ match: [{ sourceNamespace: shop }], ${to("db1")} }, { ${to("db2")} }]`,
    want: [": db2*100"],
  },
  {
    name: "another gateway",
    spec: `gateways: [mesh, edge], tcp: [{ match: [{ gateways: [edge] }], ${to("db1")} }]`,
    want: [DEFAULT],
  },
  {
    name: "weights, of which 0 is nothing",
    spec: `tcp: [{ route: [{ destination: { host: db1 }, weight: 20 }, { destination: { host: db2 }, weight: 80 },
                          { destination: { host: db }, weight: 0 }] }]`,
    want: [": db1*20,db2*80"],
  },
];
for (const { name, spec, client: caller, want } of tcp) {
  test(`TCP routes: ${name}`, () => {
    assert.deepEqual(printed(routesOf("tcp", spec, caller)), want);
  });
}

const tls: typeof tcp = [
  {
    name: "each match is a route of its own",
    spec: `tls: [{ match: [{ sniHosts: [a.example.com] }, { sniHosts: ["*.b.example.com"], destinationSubnets: [10.0.0.0/8] }], ${to("db1")} }]`,
    want: ["a.example.com: db1*100", "*.b.example.com at 10.0.0.0/8: db1*100"],
  },
  {
    name: "a name that an earlier route has is left out of a later one",
    spec: `tls: [{ match: [{ sniHosts: [a.example.com] }], ${to("db1")} },
                 { match: [{ sniHosts: [A.example.com, c.example.com] }], ${to("db2")} }]`,
    want: ["a.example.com: db1*100", "c.example.com: db2*100"],
  },
  {
    name: "a match that the client cannot meet does not hide the next",
    spec: `tls: [{ match: [{ sniHosts: [a.example.com], sourceLabels: { app: x } }], ${to("db1")} },
                 { match: [{ sniHosts: [a.example.com] }], ${to("db2")} }]`,
    want: ["a.example.com: db2*100"],
  },
  {
    name: "none that applies: the service",
    spec: `tls: [{ match: [{ sniHosts: [a.example.com], port: 1 }], ${to("db1")} }]`,
    want: [DEFAULT],
  },
  { name: "TCP routes are not for TLS ports", spec: `tcp: [{ ${to("db1")} }]`, want: [DEFAULT] },
];
for (const { name, spec, client: caller, want } of tls) {
  test(`TLS routes: ${name}`, () => {
    assert.deepEqual(printed(routesOf("tls", spec, caller)), want);
  });
}

test("connections to a destination that does not exist fail, and a warning says so", () => {
  const { routes, warnings } = routesOf("tcp", `tcp: [{ ${to("nothing")} }]`);
  assert.deepEqual(routes[0]?.clusters, [{ name: "BlackHoleCluster", weight: 100 }]);
  assert.deepEqual(routes[0].destinations, []);
  assert.deepEqual(warnings, [
    "spec.tcp[0].route[0].destination: there is no service nothing; its connections fail",
  ]);
});
