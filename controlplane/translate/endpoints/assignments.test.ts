import assert from "node:assert/strict";
import { test } from "node:test";
import type { PlacedWorkload } from "../../../mesh/model/workload.ts";
import { ClusterLoadAssignment } from "../../../mesh/xds/gen/envoy/config/endpoint/v3/endpoint.ts";
import { client, inScope } from "../../../test/fakes/in-scope.ts";
import { port, sampleState, workload } from "../../../test/fakes/sample-mesh.ts";
import type { Client } from "../../policy/client.ts";
import { assignmentsOf, sniDnatAssignmentsOf } from "./service-assignments.ts";

const HOST = "web.default.svc.cluster.local";

/** `10.0.0.1` in a locality, with what else is to be said of it. */
function server(address: string, locality: string, over: Partial<PlacedWorkload> = {}): PlacedWorkload {
  return workload("web", {
    name: `web-${address.replaceAll(".", "-")}`,
    ports: [port({ inbound: { address, port: 9080 } })],
    locality,
    ...over,
  });
}

const SPREAD = [
  server("10.0.0.1", "eu/a/1"),
  server("10.0.0.2", "eu/a/2", { weight: 3 }),
  server("10.0.0.3", "eu/b/1"),
  server("10.0.0.4", "us/a/1", { labels: { app: "web", rack: "r1" } }),
  server("10.0.0.5", "", { weight: 2 }),
];

function rule(trafficPolicy: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: web }
spec: { host: web, trafficPolicy: ${trafficPolicy} }
---`;
}

function mesh(spec: string): string {
  return `
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: { name: mesh, namespace: istio-system }
spec: ${spec}
---`;
}

interface Seen {
  readonly groups: readonly string[];
  readonly warnings: readonly string[];
}

/** Each group as `p0 eu/a/1 w3: 10.0.0.2:9080*3`. */
function see(
  workloads: readonly PlacedWorkload[],
  yaml: string,
  from: Partial<Client>,
  of: typeof assignmentsOf = assignmentsOf,
): Seen {
  const { snapshot } = sampleState({ workloads, yaml }).next();
  const { value, warnings } = inScope(snapshot, (scope) => of(scope, client(from), HOST));
  const [first] = value;
  assert.ok(first);
  const groups = ClusterLoadAssignment.decode(first.bytes).endpoints.map((group) => {
    const { region, zone, subZone } = group.locality ?? { region: "", zone: "", subZone: "" };
    const members = group.lbEndpoints.map(({ endpoint, loadBalancingWeight, metadata }) => {
      const at = endpoint?.address?.socketAddress;
      const tls = metadata?.filterMetadata["envoy.transport_socket_match"] === undefined ? " plain" : "";
      return `${at?.address}:${at?.portValue}*${loadBalancingWeight}${tls}`;
    });
    const place = [region, zone, subZone].filter((part) => part !== "").join("/");
    return `p${group.priority} ${place} w${group.loadBalancingWeight}: ${members.join(" ")}`;
  });
  return { groups, warnings: warnings.map(({ message }) => message) };
}

const OUTLIERS = "outlierDetection: { consecutive5xxErrors: 5 }";
const FLAT = [
  "p0  w2: 10.0.0.5:9080*2",
  "p0 eu/a/1 w1: 10.0.0.1:9080*1",
  "p0 eu/a/2 w3: 10.0.0.2:9080*3",
  "p0 eu/b/1 w1: 10.0.0.3:9080*1",
  "p0 us/a/1 w1: 10.0.0.4:9080*1",
];

const localityCases: readonly {
  readonly name: string;
  readonly yaml: string;
  readonly from?: Partial<Client>;
  readonly want: readonly string[];
}[] = [
  { name: "nothing is said", yaml: "", want: FLAT },
  {
    name: "failover is for those that detect outliers",
    yaml: rule("{ loadBalancer: { localityLbSetting: { failover: [{ from: eu, to: us }] } } }"),
    want: FLAT,
  },
  {
    name: "outlier detection alone brings failover",
    yaml: rule(`{ ${OUTLIERS} }`),
    want: [
      "p0 eu/a/1 w1: 10.0.0.1:9080*1",
      "p1 eu/a/2 w3: 10.0.0.2:9080*3",
      "p2 eu/b/1 w1: 10.0.0.3:9080*1",
      "p3  w2: 10.0.0.5:9080*2",
      "p3 us/a/1 w1: 10.0.0.4:9080*1",
    ],
  },
  {
    name: "the rule turns it off",
    yaml: rule(`{ ${OUTLIERS}, loadBalancer: { localityLbSetting: { enabled: false } } }`),
    want: FLAT,
  },
  {
    name: "the mesh turns it off",
    yaml: rule(`{ ${OUTLIERS} }`) + mesh("{ localityLbSetting: { enabled: false } }"),
    want: FLAT,
  },
  {
    name: "the region to fail over to",
    yaml: rule(`{ ${OUTLIERS}, loadBalancer: { localityLbSetting: { failover: [{ from: eu, to: us }] } } }`),
    want: [
      "p0 eu/a/1 w1: 10.0.0.1:9080*1",
      "p1 eu/a/2 w3: 10.0.0.2:9080*3",
      "p2 eu/b/1 w1: 10.0.0.3:9080*1",
      "p3 us/a/1 w1: 10.0.0.4:9080*1",
      "p4  w2: 10.0.0.5:9080*2",
    ],
  },
  {
    name: "a label of the client's own",
    yaml: rule(`{ ${OUTLIERS}, loadBalancer: { localityLbSetting: { failoverPriority: [rack] } } }`),
    from: { labels: { rack: "r1" } },
    want: [
      "p0 us/a/1 w1: 10.0.0.4:9080*1",
      ...FLAT.filter((group) => !group.includes(" us/")).map((group) => group.replace("p0", "p1")),
    ],
  },
  {
    name: "distribute: shares of patterns, divided by weight; nothing for what no pattern is for",
    yaml: rule(
      '{ loadBalancer: { localityLbSetting: { distribute: [{ from: "eu/*", to: { "eu/a/*": 80, "us/*": 20 } }] } } }',
    ),
    want: [
      "p0 eu/a/1 w20: 10.0.0.1:9080*1",
      "p0 eu/a/2 w60: 10.0.0.2:9080*3",
      "p0 us/a/1 w20: 10.0.0.4:9080*1",
    ],
  },
];
for (const { name, yaml, from = {}, want } of localityCases) {
  test(`endpoints by locality: ${name}`, () =>
    assert.deepEqual(see(SPREAD, yaml, { locality: "eu/a/1", ...from }).groups, want));
}

const NETWORKS = mesh(`{ meshNetworks: { networks: {
  near: { endpoints: [{ fromCidr: 10.0.0.0/24 }], gateways: [{ address: 1.0.0.1, port: 15443 }] },
  far: { endpoints: [{ fromCidr: 10.1.0.0/16 }], gateways: [
    { address: 2.0.0.1, port: 15443 }, { address: 2.0.0.2, port: 15443 }] },
  wild: { endpoints: [{ fromCidr: 10.2.0.0/16 }] } } } }`);

const APART = [
  server("10.0.0.1", ""),
  server("10.1.0.1", ""),
  server("10.1.0.2", "", { weight: 2 }),
  server("10.2.0.1", ""),
  server("10.9.0.1", "", { network: "far" }),
];

const networkCases: readonly {
  readonly name: string;
  readonly workloads?: readonly PlacedWorkload[];
  readonly yaml?: string;
  readonly from: Partial<Client>;
  readonly want: readonly string[];
  readonly warnings?: readonly string[];
}[] = [
  {
    name: "no network has a way in: all are called directly",
    yaml: mesh("{ meshNetworks: { networks: { far: { endpoints: [{ fromCidr: 10.1.0.0/16 }] } } } }"),
    from: { network: "near" },
    want: ["p0  w6: 10.0.0.1:9080*1 10.1.0.1:9080*1 10.1.0.2:9080*2 10.2.0.1:9080*1 10.9.0.1:9080*1"],
  },
  {
    name: "another network's endpoints are its gateways, which share their weight; one without a way in is called",
    from: { network: "near" },
    want: ["p0  w12: 10.0.0.1:9080*2 10.2.0.1:9080*2 2.0.0.1:15443*4 2.0.0.2:15443*4"],
  },
  {
    name: "and the other way round",
    from: { network: "far" },
    want: ["p0  w6: 10.1.0.1:9080*1 10.1.0.2:9080*2 10.2.0.1:9080*1 10.9.0.1:9080*1 1.0.0.1:15443*1"],
  },
  {
    name: "a client of no network goes through gateways too, as in Istio",
    from: {},
    want: ["p0  w12: 10.2.0.1:9080*2 1.0.0.1:15443*2 2.0.0.1:15443*4 2.0.0.2:15443*4"],
  },
  {
    name: "endpoints without mesh TLS are out of reach",
    yaml: `${NETWORKS}
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: web }
spec: { selector: { matchLabels: { tls: off } }, mtls: { mode: DISABLE } }`,
    workloads: [server("10.0.0.1", ""), server("10.1.0.1", "", { labels: { tls: "off" } })],
    from: { network: "near" },
    want: ["p0  w2: 10.0.0.1:9080*2"],
    warnings: ["endpoint agents/default/web-10-1-0-1 is left out: network far is entered by mesh TLS only"],
  },
  {
    name: "calls without mesh TLS do not get into another network",
    yaml: NETWORKS + rule("{ tls: { mode: DISABLE } }"),
    from: { network: "near" },
    want: ["p0  w4: 10.0.0.1:9080*2 10.2.0.1:9080*2"],
    warnings: ["10-1-0-1", "10-1-0-2", "10-9-0-1"].map(
      (name) => `endpoint agents/default/web-${name} is left out: network far is entered by mesh TLS only`,
    ),
  },
  {
    name: "gateways keep to the locality and priority of what is behind them",
    yaml: NETWORKS + rule(`{ ${OUTLIERS} }`),
    workloads: [server("10.0.0.1", "eu/a"), server("10.1.0.1", "us/a"), server("10.1.0.2", "eu/a")],
    from: { network: "near", locality: "eu/a" },
    want: [
      "p0 eu/a w4: 10.0.0.1:9080*2 2.0.0.1:15443*1 2.0.0.2:15443*1",
      "p1 us/a w2: 2.0.0.1:15443*1 2.0.0.2:15443*1",
    ],
  },
];
for (const { name, workloads = APART, yaml = NETWORKS, from, want, warnings = [] } of networkCases) {
  test(`endpoints by network: ${name}`, () =>
    assert.deepEqual(see(workloads, yaml, from), { groups: want, warnings }));
}

function gateway(name: string, over: Partial<PlacedWorkload>): PlacedWorkload {
  return workload("eastwest", {
    name,
    role: "gateway",
    labels: { "topology.istio.io/network": "far" },
    network: "far",
    ports: [port({ servicePort: 15_443, protocol: "tls", inbound: { address: "2.0.0.9", port: 15_443 } })],
    ...over,
  });
}

test("labelled gateways let into their network, those that are well", () => {
  const far = [server("10.0.0.1", "", { network: "near" }), server("10.9.0.1", "", { network: "far" })];
  const gateways = [
    gateway("one", {}),
    gateway("sick", { healthy: false }),
    gateway("other-port", {
      labels: { "topology.istio.io/network": "far", "networking.istio.io/gatewayPort": "443" },
    }),
    gateway("plain", { labels: {} }),
    gateway("nowhere", { ports: [] }),
  ];
  assert.deepEqual(see([...far, ...gateways], "", { network: "near" }).groups, [
    "p0  w4: 10.0.0.1:9080*2 2.0.0.9:15443*1 2.0.0.9:443*1",
  ]);
});

test("a network's gateways can be those of a service", () => {
  const yaml = mesh(
    "{ meshNetworks: { networks: { far: { gateways: [{ registryServiceName: eastwest.default.svc.cluster.local, port: 15443 }] } } } }",
  );
  const workloads = [server("10.9.0.1", "", { network: "far" }), gateway("one", { labels: {}, network: "" })];
  assert.deepEqual(see(workloads, yaml, { network: "near" }).groups, ["p0  w1: 2.0.0.9:15443*1"]);
});

test("a gateway leads on to its own network only", () => {
  const { groups } = see(APART, NETWORKS, { network: "far", role: "gateway" }, sniDnatAssignmentsOf);
  assert.deepEqual(groups, ["p0  w5: 10.1.0.1:9080*1 10.1.0.2:9080*2 10.2.0.1:9080*1 10.9.0.1:9080*1"]);
});

/** Labels of a subset, and the last number of the addresses that are in it. */
const subsetCases: readonly (readonly [labels: string, want: readonly string[]])[] = [
  ["topology.kubernetes.io/region: eu", ["1", "2", "3"]],
  ["topology.kubernetes.io/region: eu, topology.kubernetes.io/zone: b", ["3"]],
  ['topology.istio.io/subzone: "2"', ["2"]],
  ["topology.istio.io/network: far", ["6"]],
  ["topology.kubernetes.io/region: us, rack: r1", ["4"]],
  ["topology.kubernetes.io/region: ap", []],
];
for (const [labels, want] of subsetCases) {
  test(`a subset of { ${labels} } has ${want.length === 0 ? "no endpoint" : `the endpoints ${want.join()}`}`, () => {
    const yaml = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: web }
spec: { host: web, subsets: [{ name: here, labels: { ${labels} } }] }`;
    const workloads = [...SPREAD, server("10.0.0.6", "", { network: "far" })];
    const { snapshot } = sampleState({ workloads, yaml }).next();
    const { value } = inScope(snapshot, (scope) => assignmentsOf(scope, client(), HOST));
    const subset = value.map(({ bytes }) => ClusterLoadAssignment.decode(bytes)).find(isHere);
    const addresses = subset?.endpoints.flatMap(({ lbEndpoints }) =>
      lbEndpoints.map(({ endpoint }) => endpoint?.address?.socketAddress?.address.slice("10.0.0.".length)),
    );
    assert.deepEqual(addresses?.sort(), want);
  });
}

function isHere({ clusterName }: ClusterLoadAssignment): boolean {
  return clusterName.includes("|here|");
}
