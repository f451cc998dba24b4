import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../mesh/lifecycle/clock.ts";
import { parseFiles } from "../mesh/model/parse-files.ts";
import { type PlacedWorkload, workloadId } from "../mesh/model/workload.ts";
import type { WorkloadGroupSpec } from "../mesh/model/workload-group.ts";
import { silentLogger } from "../mesh/telemetry/logger.ts";
import { FAKE_NOW } from "../test/fakes/admin-deps.ts";
import { MemoryConfigStore } from "../test/fakes/memory-config-store.ts";
import { bookinfoWorkloads, instance } from "../test/fakes/sample-mesh.ts";
import { CallHistory } from "./observed/call-history.ts";
import { asAdded } from "./snapshot/added-objects.ts";
import { withGroup } from "./snapshot/grouped-workload.ts";
import { DEFAULT_SETTINGS } from "./snapshot/mesh-settings.ts";
import { Publisher } from "./snapshot/publisher.ts";
import { createTranslator } from "./translate/translator.ts";
import { type WhatIf, whatIf } from "./what-if.ts";

const clock = { now: () => FAKE_NOW };

function filed(text: string, warnings = 0): ReturnType<typeof parseFiles>["objects"] {
  const { objects, violations } = parseFiles([{ name: "new.yaml", text }], { defaultNamespace: "default" });
  assert.equal(violations.length, warnings);
  return objects;
}

function canary(weight: number, to = "details"): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
    - route:
        - { destination: { host: reviews }, weight: ${weight} }
        - { destination: { host: ${to} }, weight: ${100 - weight} }
`;
}

/** A server with Bookinfo's workloads, a catalog's service, and a VirtualService, and its questions. */
async function server(
  more = "",
  workloads: readonly PlacedWorkload[] = bookinfoWorkloads(),
): Promise<WhatIf & { readonly store: MemoryConfigStore }> {
  const store = new MemoryConfigStore(clock);
  store.apply(
    filed([canary(90), more].join("---\n")).map(({ object }) => object),
    { origin: "api" },
  );
  const translator = createTranslator();
  const publisher = new Publisher({
    settings: DEFAULT_SETTINGS,
    publish: (snapshot, changed) => translator.publish(snapshot, changed),
    logger: silentLogger,
    clock: systemClock,
    quietMs: 1,
    capMs: 1,
  });
  publisher.setConfig(asAdded(store.list()), store.revision);
  publisher.setWorkloads(workloads.map((workload) => ({ id: workloadId(workload), workload })));
  publisher.setCatalog("consul", "default", "payments", [instance("payments")]);
  const history = new CallHistory(systemClock);
  const stop = new AbortController();
  const running = publisher.run(stop.signal);
  await publisher.snapshotWith(store.revision, stop.signal);
  stop.abort();
  await running;
  return { store, ...whatIf({ store, publisher, translator, clock, history }) };
}

const signal = new AbortController().signal;

test("a diff names the objects and, of each proxy, only the resources that would be others", async () => {
  const { diff, store } = await server();
  const { objects, workloads } = await diff(filed(canary(50)), { verbose: false, signal });
  assert.deepEqual(objects, [
    {
      kind: "VirtualService",
      namespace: "default",
      name: "reviews",
      change: "changed",
      fields: [
        { path: "spec.http[0].route[0].weight", before: 90, after: 50 },
        { path: "spec.http[0].route[1].weight", before: 10, after: 50 },
      ],
    },
  ]);
  const page = workloads.find(({ workload }) => workload === "default/productpage-1");
  assert.deepEqual(
    page?.resources.map(({ type, change, fields }) => [type, change, fields]),
    [["route", "changed", undefined]],
  );
  assert.ok(!workloads.some(({ workload }) => workload === "default/ratingsdb-1"));
  assert.deepEqual(store.list().length, 1);
});

test("a verbose diff has the fields of changed resources in ProtoJSON", async () => {
  const { diff } = await server();
  const { workloads } = await diff(filed(canary(50)), { verbose: true, signal });
  const page = workloads.find(({ workload }) => workload === "default/productpage-1");
  const paths = page?.resources.flatMap(({ fields = [] }) => fields.map(({ path, after }) => [path, after]));
  assert.ok(
    paths?.some(
      ([path, after]) => String(path).endsWith("weightedClusters.clusters[0].weight") && after === 50,
    ),
    JSON.stringify(paths),
  );
});

test("applying what is there already changes nothing", async () => {
  const { diff } = await server();
  const { objects, workloads } = await diff(filed(canary(90)), { verbose: false, signal });
  assert.deepEqual(
    objects.map(({ change, fields }) => [change, fields]),
    [["unchanged", []]],
  );
  assert.deepEqual(workloads, []);
});

test("a diff ends when its caller is gone", async () => {
  const { diff } = await server();
  await assert.rejects(diff(filed(canary(50)), { verbose: false, signal: AbortSignal.abort() }), /abort/i);
});

test("an analysis of the server knows its catalogs and workloads", async () => {
  const { analyze } = await server();
  assert.deepEqual(await analyze([], signal), []);
});

test("an analysis tells what the translation does otherwise than the objects say", async () => {
  const { analyze, store } = await server();
  const policy = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: asks }
spec: { action: CUSTOM, provider: { name: opa }, rules: [{ to: [{ operation: { paths: [/a] } }] }] }
`;
  const over = await analyze(filed(policy), signal);
  assert.deepEqual(
    over.slice(0, 1).map(({ code, origin, file, line }) => [code, origin, file, line]),
    [["LAT0013", "AuthorizationPolicy default/asks", "new.yaml", 1]],
  );
  assert.match(over[0]?.message ?? "", /provider opa cannot be asked/);
  assert.equal(store.list().length, 1);
});

test("an analysis of files over the server tells where in the files it is wrong", async () => {
  const { analyze } = await server();
  assert.deepEqual(await analyze(filed(canary(50, "payments")), signal), []);
  const over = await analyze(filed(canary(50, "nowhere")), signal);
  assert.deepEqual(
    over.map(({ code, origin, file, line }) => [code, origin, file, line]),
    [
      ["IST0101", "VirtualService default/reviews", "new.yaml", 9],
      ["LAT0013", "VirtualService default/reviews", "new.yaml", 1],
    ],
  );
  assert.match(over[1]?.message ?? "", /revision 1, .* stays in force/);
});

test("a draft that leads nowhere would change no proxy: what is in force would stay", async () => {
  const { diff } = await server();
  const { objects, workloads } = await diff(filed(canary(50, "nowhere")), { verbose: false, signal });
  assert.deepEqual(
    objects.map(({ change }) => change),
    ["changed"],
  );
  assert.deepEqual(workloads, []);
});

test("a diff knows what an edit of a WorkloadGroup makes of its workloads", async () => {
  const group = (labels: string): string => `apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: { name: vms }
spec: { metadata: { labels: ${labels} }, template: {} }
`;
  const policy = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: front }
spec: { selector: { matchLabels: { tier: front } }, mtls: { mode: STRICT } }
`;
  const said = filed(group("{ tier: back }"))[0]?.object.spec as WorkloadGroupSpec;
  const membership = { name: "vms", defaulted: [], applied: undefined };
  const workloads = bookinfoWorkloads().map((one) =>
    one.name === "reviews-v1" ? withGroup(one, membership, said) : one,
  );
  const { diff } = await server(`${group("{ tier: back }")}---\n${policy}`, workloads);
  const { workloads: changed } = await diff(filed(group("{ tier: front }")), { verbose: false, signal });
  const names = changed.map(({ workload }) => workload);
  assert.deepEqual(names, ["default/reviews-v1"]);
});
