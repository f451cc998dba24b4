import assert from "node:assert/strict";
import { test } from "node:test";
import { TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import { sampleState, workload } from "../../test/fakes/sample-mesh.ts";
import { messageTypes } from "../message-types.ts";
import { createTranslator } from "./translator.ts";

const UPSTREAMS = [{ host: "web", port: 9080, bind: { address: "127.0.0.1", port: 9001 } }];
const WEB = "outbound|9080||web.default.svc.cluster.local";
const LISTENER = "127.0.0.1_9001";
const ROUTE = "web.default.svc.cluster.local:9080";

const filter = (name: string, patches: string): string => `
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: { name: ${name} }
spec: { configPatches: [${patches}] }`;
const YAML = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: pools }
spec: { host: web, trafficPolicy: { connectionPool: { http: { maxRetries: 3 } } } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: routes }
spec: { hosts: [web], http: [{ route: [{ destination: { host: web } }] }] }
${filter("slow", "{ applyTo: CLUSTER, match: { context: SIDECAR_OUTBOUND }, patch: { operation: MERGE, value: { connect_timeout: 60s } } }")}
${filter("elsewhere", "{ applyTo: CLUSTER, match: { context: GATEWAY }, patch: { operation: MERGE, value: { connect_timeout: 60s } } }")}
${filter("adds", "{ applyTo: CLUSTER, patch: { operation: ADD, value: { name: extra, type: STATIC } } }")}
${filter("listens", "{ applyTo: LISTENER, match: { listener: { name: 127.0.0.1_9001 } }, patch: { operation: MERGE, value: { tcp_backlog_size: 9 } } }")}
`;

const translator = createTranslator({ messageTypes });
const { snapshot, changed } = sampleState({
  yaml: YAML,
  workloads: [workload("caller", { ports: [], upstreams: UPSTREAMS }), workload("web")],
}).next();
translator.publish(snapshot, changed);
translator.preview("default/caller-1");

const CASES: readonly (readonly [what: string, TypeUrl, string, readonly string[]])[] = [
  [
    "a cluster: its rule, and the filter that changes it",
    TYPE_URL.cluster,
    WEB,
    ["DestinationRule/default/pools", "EnvoyFilter/default/slow"],
  ],
  ["a cluster that a filter adds", TYPE_URL.cluster, "extra", ["EnvoyFilter/default/adds"]],
  ["a listener", TYPE_URL.listener, LISTENER, ["EnvoyFilter/default/listens"]],
  ["routes", TYPE_URL.route, ROUTE, ["VirtualService/default/routes"]],
  ["what there is not", TYPE_URL.cluster, "nothing", []],
];
for (const [what, type, name, want] of CASES) {
  test(`the objects behind ${what}`, () => {
    assert.deepEqual(translator.causes("default/caller-1", { type, names: [name] }), want);
  });
}

test("nothing is known of another workload", () => {
  assert.deepEqual(translator.causes("default/nobody", { type: TYPE_URL.cluster, names: [WEB] }), []);
});
