import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Cluster } from "../../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import { createXdsJson, DESCRIPTORS_URL } from "../../../mesh/xds/json.ts";
import { TYPE_URL } from "../../../mesh/xds/type-urls.ts";
import { inScope } from "../../../test/fakes/in-scope.ts";
import { port, sampleState, workload } from "../../../test/fakes/sample-mesh.ts";
import { inboundPorts } from "../inbound/inbound-port.ts";
import type { Scope } from "../memo.ts";
import { blackHoleCluster, inboundPassthroughCluster, passthroughCluster } from "./fixed-clusters.ts";
import { inboundCluster } from "./inbound-cluster.ts";

const json = createXdsJson(() => readFileSync(DESCRIPTORS_URL));

type Json = { readonly [key: string]: unknown };

function printed(
  yaml: string,
  build: (scope: Scope) => Cluster,
  over: Parameters<typeof workload>[1] = {},
): Json {
  const { snapshot } = sampleState({ yaml, workloads: [workload("web", over)] }).next();
  const { value } = inScope(snapshot, build);
  return json.resourceToJson(TYPE_URL.cluster, Cluster.encode(value).finish()) as Json;
}

/** The cluster of the workload's first port. */
function inbound(yaml: string, over: Parameters<typeof workload>[1] = {}): Json {
  const build = (scope: Scope): Cluster => {
    const config = scope.view.workload("default/web-1");
    assert.ok(config);
    const [first] = inboundPorts(scope.view, config);
    assert.ok(first);
    return inboundCluster(scope, config, first);
  };
  return printed(yaml, build, over);
}

const BIND = {
  sourceAddress: { address: "127.0.0.6", portValue: 0 },
  extraSourceAddresses: [{ address: { address: "::1", portValue: 0 } }],
};

function object(kind: string, spec: string): string {
  const group = kind === "MeshConfig" ? "mesh.istio.io/v1alpha1" : "networking.istio.io/v1";
  return `
apiVersion: ${group}
kind: ${kind}
metadata: { name: a }
spec: { ${spec} }
---`;
}

const captured = { interception: "redirect" } as const;
const elsewhere = [port({ app: { address: "127.0.0.1", port: 8080 } })];

interface Case {
  readonly name: string;
  readonly yaml?: string;
  readonly over?: Parameters<typeof workload>[1];
  /** Where the application is called; `as called`: at the address that was called. */
  readonly want: string;
}

const places: readonly Case[] = [
  { name: "the proxy listens itself", want: "127.0.0.1:9080" },
  { name: "captured", over: captured, want: "as called" },
  {
    name: "captured, but the application is at another port",
    over: { ...captured, ports: elsewhere },
    want: "127.0.0.1:8080",
  },
  {
    name: "the mesh says that applications are at localhost",
    yaml: object("MeshConfig", "inboundTrafficPolicy: { mode: LOCALHOST }"),
    over: captured,
    want: "127.0.0.1:9080",
  },
  {
    name: "a Sidecar's port without an endpoint",
    yaml: object("Sidecar", "ingress: [{ port: { number: 9080, name: x, protocol: HTTP } }]"),
    over: captured,
    want: "as called",
  },
  {
    name: "a Sidecar's endpoint",
    yaml: object(
      "Sidecar",
      "ingress: [{ port: { number: 9080, name: x, protocol: HTTP }, defaultEndpoint: '127.0.0.1:9080' }]",
    ),
    over: captured,
    want: "127.0.0.1:9080",
  },
  {
    name: "a Sidecar's socket",
    yaml: object(
      "Sidecar",
      "ingress: [{ port: { number: 9080, name: x, protocol: HTTP }, defaultEndpoint: 'unix:///run/app.sock' }]",
    ),
    over: captured,
    want: "/run/app.sock",
  },
];
for (const { name, yaml = "", over = {}, want } of places) {
  test(`the application is called ${want === "as called" ? "where it was called" : `at ${want}`}: ${name}`, () => {
    const cluster = inbound(yaml, over);
    assert.equal(cluster["name"], "inbound|9080||");
    if (want === "as called") {
      assert.equal(cluster["type"], "ORIGINAL_DST");
      assert.equal(cluster["lbPolicy"], "CLUSTER_PROVIDED");
      assert.deepEqual(cluster["upstreamBindConfig"], BIND);
      return;
    }
    assert.equal(cluster["type"] ?? "STATIC", "STATIC");
    assert.equal(cluster["upstreamBindConfig"], undefined);
    const text = JSON.stringify(cluster["loadAssignment"]);
    const [address, portValue] = want.split(":");
    const at =
      portValue === undefined ? { pipe: { path: address } } : { address, portValue: Number(portValue) };
    assert.ok(text.includes(JSON.stringify(at)), text);
  });
}

test("a captured application that is called at its host's address is called in the way that is not captured", () => {
  const ports = [port({ app: { address: "10.0.0.1", port: 8080 } })];
  assert.deepEqual(inbound("", { ...captured, ports })["upstreamBindConfig"], BIND);
  assert.equal(inbound("", { ports })["upstreamBindConfig"], undefined);
});

const POOL = (most: number): string => `connectionPool: { tcp: { maxConnections: ${most} } }`;
/** A ServiceEntry whose port 7000 leads to the workload's 9080, and a rule for its host. */
const selecting = (policy: string, more = "", selected = "web"): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: pay }
spec:
  hosts: [Pay.example.com]
  ports: [{ number: 7000, targetPort: 9080, name: pay, protocol: HTTP }]
  resolution: STATIC
  location: MESH_INTERNAL
  workloadSelector: { labels: { app: ${selected} } }
  ${more}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: pay }
spec: { host: pay.example.com, trafficPolicy: { ${policy} } }
---`;
const pools: readonly (readonly [string, string, number])[] = [
  ["nobody says anything", "", 4_294_967_295],
  ["the rule for its own service", object("DestinationRule", `host: web, trafficPolicy: { ${POOL(5)} }`), 5],
  [
    "that rule's settings for the port",
    object(
      "DestinationRule",
      `host: web, trafficPolicy: { portLevelSettings: [{ port: { number: 9080 }, ${POOL(6)} }] }`,
    ),
    6,
  ],
  [
    "not what a rule says to chosen clients",
    object(
      "DestinationRule",
      `host: web, workloadSelector: { matchLabels: { app: web } }, trafficPolicy: { ${POOL(5)} }`,
    ),
    4_294_967_295,
  ],
  ["the rule for the host of a ServiceEntry that selects it", selecting(POOL(9)), 9],
  [
    "that rule's settings for the port of the ServiceEntry",
    selecting(`${POOL(9)}, portLevelSettings: [{ port: { number: 7000 }, ${POOL(10)} }]`),
    10,
  ],
  ["not of one that selects others", selecting(POOL(9), "", "others"), 4_294_967_295],
  ["not of one that its namespace does not see", selecting(POOL(9), "exportTo: [shop]"), 4_294_967_295],
  [
    "the rule for its own service before that",
    selecting(POOL(9)) + object("DestinationRule", `host: web, trafficPolicy: { ${POOL(5)} }`),
    5,
  ],
  ["the mesh", object("MeshConfig", `defaultTrafficPolicy: { ${POOL(7)} }`), 7],
  [
    "the Sidecar before all of them",
    object("DestinationRule", `host: web, trafficPolicy: { ${POOL(5)} }`) +
      object("Sidecar", "inboundConnectionPool: { tcp: { maxConnections: 8 } }"),
    8,
  ],
];
for (const [name, yaml, want] of pools) {
  test(`most connections to the application: ${name}`, () => {
    const breakers = inbound(yaml)["circuitBreakers"] as { readonly thresholds: readonly Json[] };
    assert.equal(breakers.thresholds[0]?.["maxConnections"], want);
  });
}

const protocols: readonly (readonly [string, string, "http" | "grpc", RegExp | undefined])[] = [
  ["http", "", "http", undefined],
  ["grpc", "", "grpc", /"explicitHttpConfig":{"http2ProtocolOptions":{}}/],
  [
    "http as the caller speaks it",
    object(
      "DestinationRule",
      "host: web, trafficPolicy: { connectionPool: { http: { useClientProtocol: true } } }",
    ),
    "http",
    /useDownstreamProtocolConfig/,
  ],
];
for (const [name, yaml, protocol, want] of protocols) {
  test(`an application that speaks ${name}`, () => {
    const options = inbound(yaml, { ports: [port({ protocol })] })["typedExtensionProtocolOptions"];
    if (want === undefined) assert.equal(options, undefined);
    else assert.match(JSON.stringify(options), want);
  });
}

test("what the mesh does not know passes through, with the mesh's limits", () => {
  const yaml = object("MeshConfig", `defaultTrafficPolicy: { ${POOL(7)} }, connectTimeout: 3s`);
  const outbound = printed(yaml, passthroughCluster);
  assert.equal(outbound["name"], "PassthroughCluster");
  assert.equal(outbound["type"], "ORIGINAL_DST");
  assert.equal(outbound["connectTimeout"], "3s");
  assert.match(JSON.stringify(outbound["typedExtensionProtocolOptions"]), /useDownstreamProtocolConfig/);
  assert.match(JSON.stringify(outbound["circuitBreakers"]), /"maxConnections":7,/);
  assert.deepEqual(printed(yaml, inboundPassthroughCluster), {
    ...outbound,
    name: "InboundPassthroughCluster",
    upstreamBindConfig: BIND,
  });
});

test("the black hole has no endpoints", () => {
  assert.deepEqual(printed("", blackHoleCluster), {
    name: "BlackHoleCluster",
    type: "STATIC",
    connectTimeout: "10s",
  });
});
