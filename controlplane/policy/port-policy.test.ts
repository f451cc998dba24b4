import assert from "node:assert/strict";
import { test } from "node:test";
import type { StoredObject } from "../../mesh/model/object.ts";
import { objects } from "../../test/fakes/sample-mesh.ts";
import type { DestinationPolicy } from "./destination-rules.ts";
import { portPolicy } from "./port-policy.ts";

function policy(spec: string): DestinationPolicy {
  const [rule] = objects(`
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: a }
spec: { host: web, ${spec} }
`) as readonly StoredObject<"DestinationRule">[];
  assert.ok(rule);
  return { trafficPolicy: rule.spec.trafficPolicy, subsets: rule.spec.subsets, rule };
}

const LAYERS = policy(`
  trafficPolicy: {
    loadBalancer: { simple: ROUND_ROBIN },
    connectionPool: { tcp: { maxConnections: 1 } },
    proxyProtocol: { version: V1 },
    portLevelSettings: [{ port: { number: 90 }, connectionPool: { tcp: { maxConnections: 2 } } }] },
  subsets: [
    { name: plain },
    { name: lb, trafficPolicy: { loadBalancer: { simple: RANDOM }, proxyProtocol: { version: V2 } } },
    { name: port, trafficPolicy: {
        loadBalancer: { simple: RANDOM },
        portLevelSettings: [{ port: { number: 90 }, tls: { mode: DISABLE } }] } }]`);

const MESH = policy(`trafficPolicy: {
  connectionPool: { tcp: { maxConnections: 7 } }, outlierDetection: { consecutive5xxErrors: 8 } }`).trafficPolicy;

type Seen = readonly (string | number | undefined)[];

/** Subset and port; then load balancer, most connections, TLS, PROXY protocol. */
const merged: readonly (readonly [string, number, Seen])[] = [
  ["", 80, ["ROUND_ROBIN", 1, undefined, "V1"]],
  ["", 90, [undefined, 2, undefined, undefined]],
  ["plain", 80, ["ROUND_ROBIN", 1, undefined, "V1"]],
  ["plain", 90, [undefined, 2, undefined, undefined]],
  ["lb", 80, ["RANDOM", 1, undefined, "V2"]],
  ["lb", 90, ["RANDOM", 2, undefined, "V2"]],
  ["port", 80, ["RANDOM", 1, undefined, "V1"]],
  ["port", 90, [undefined, undefined, "DISABLE", undefined]],
];
for (const [subset, port, want] of merged) {
  test(`the policy of subset "${subset}" at port ${port} is merged block by block`, () => {
    const { loadBalancer, connectionPool, tls, proxyProtocol } = portPolicy(LAYERS, subset, port);
    assert.deepEqual([loadBalancer?.simple, connectionPool?.maxConnections, tls?.mode, proxyProtocol], want);
  });
}

/** Most connections and errors, where the mesh has a policy too. */
const overMesh: readonly (readonly [string, DestinationPolicy, string, number, Seen])[] = [
  ["no rule", { trafficPolicy: undefined, subsets: [], rule: undefined }, "", 80, [7, 8]],
  ["a block of the rule replaces the mesh's, others stay", LAYERS, "", 80, [1, 8]],
  ["a port's settings replace those of the rule, not those of the mesh", LAYERS, "", 90, [2, 8]],
  ["a subset's port settings replace all", LAYERS, "port", 90, [undefined, undefined]],
];
for (const [name, rules, subset, port, want] of overMesh) {
  test(`over the mesh's defaultTrafficPolicy: ${name}`, () => {
    const { connectionPool, outlierDetection } = portPolicy(rules, subset, port, MESH);
    assert.deepEqual([connectionPool?.maxConnections, outlierDetection?.consecutive5xxErrors], want);
  });
}
