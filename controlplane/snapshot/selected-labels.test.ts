import assert from "node:assert/strict";
import { test } from "node:test";
import { added, objects } from "../../test/fakes/sample-mesh.ts";
import { SelectedLabels } from "./selected-labels.ts";

function keysOf(kind: string, spec: string): readonly string[] {
  const labels = new SelectedLabels();
  const yaml = `
apiVersion: networking.istio.io/v1
kind: ${kind}
metadata: { name: a }
spec: { ${spec} }
`;
  for (const change of added(objects(yaml))) labels.update(change);
  return labels.keys;
}

const failover = (labels: string): string =>
  `{ loadBalancer: { localityLbSetting: { failoverPriority: [${labels}] } }, outlierDetection: { consecutive5xxErrors: 1 } }`;

const cases: readonly (readonly [string, string, string, readonly string[]])[] = [
  ["nothing", "DestinationRule", "host: web", []],
  [
    "a workloadSelector",
    "DestinationRule",
    "host: web, workloadSelector: { matchLabels: { b: x, a: y } }",
    ["a", "b"],
  ],
  [
    "failoverPriority",
    "DestinationRule",
    `host: web, trafficPolicy: ${failover("rack, tier=gold")}`,
    ["rack", "tier"],
  ],
  [
    "failoverPriority of a subset and of a port",
    "DestinationRule",
    `host: web, trafficPolicy: { portLevelSettings: [{ port: { number: 80 }, ${failover("port").slice(2)}] },
     subsets: [{ name: s, trafficPolicy: ${failover("subset")} }]`,
    ["port", "subset"],
  ],
  [
    "sourceLabels",
    "VirtualService",
    "hosts: [web], http: [{ match: [{ sourceLabels: { a: x } }], route: [{ destination: { host: web } }] }]",
    ["a"],
  ],
];
for (const [name, kind, spec, want] of cases) {
  test(`labels that clients are told apart by: ${name}`, () => assert.deepEqual(keysOf(kind, spec), want));
}

test("keys stay as long as some object names them, and are the same list until they change", () => {
  const labels = new SelectedLabels();
  const yaml = (name: string): string => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${name} }
spec: { host: web, workloadSelector: { matchLabels: { app: x } } }
`;
  const [one, two] = [added(objects(yaml("one"))), added(objects(yaml("two")))];
  for (const change of one) labels.update(change);
  const keys = labels.keys;
  for (const change of two) labels.update(change);
  assert.equal(labels.keys, keys);
  for (const { key, after } of one) labels.update({ key, before: after, after: undefined });
  assert.equal(labels.keys, keys);
  for (const { key, after } of two) labels.update({ key, before: after, after: undefined });
  assert.deepEqual(labels.keys, []);
});
