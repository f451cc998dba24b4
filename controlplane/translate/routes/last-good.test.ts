import assert from "node:assert/strict";
import { test } from "node:test";
import type { StoredObject } from "../../../mesh/model/object.ts";
import { client, inScope } from "../../../test/fakes/in-scope.ts";
import { objects, sampleState, workload } from "../../../test/fakes/sample-mesh.ts";
import { keyOf } from "../../snapshot/config-index.ts";
import { Memo } from "../memo.ts";
import { routedHost } from "./routed-host.ts";
import { foreignVirtualHost, serviceVirtualHost } from "./virtual-host.ts";

const HOST = "reviews.default.svc.cluster.local";

/** A revision of a VirtualService, and the one that was in force before it. */
interface Revisions {
  readonly newest: StoredObject;
  readonly kept?: StoredObject | undefined;
}

const route = (host: string): string => `{ route: [{ destination: { host: ${host} } }] }`;
const delegate = (name: string): string => `{ delegate: { name: ${name} } }`;

function revision(
  revisionNumber: number,
  http: string,
  { name = "reviews", hosts = "[reviews]" } = {},
): StoredObject {
  const [object] = objects(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name} }
spec: { hosts: ${hosts}, http: [${http}] }
`);
  assert.ok(object);
  return { ...object, createdAt: 1, revision: revisionNumber };
}

function routedBy(all: readonly Revisions[], without = "") {
  const services = ["reviews", "details", "ratings"].filter((service) => service !== without);
  const state = sampleState({ workloads: services.map((service) => workload(service)) });
  state.setConfig(
    all.map(({ newest, kept }) => ({ key: keyOf(newest), before: undefined, after: newest, kept })),
    1,
  );
  const { value, warnings } = inScope(state.next().snapshot, (scope) =>
    serviceVirtualHost(scope, client(), HOST, 9080),
  );
  return {
    host: value,
    cluster: value.virtualHost.routes[0]?.route?.cluster?.split("|").at(-1)?.split(".")[0],
    warnings,
  };
}

test("a new revision that leads nowhere leaves the one before in force, and a warning says so", () => {
  const kept = revision(1, route("details"));
  const { cluster, host, warnings } = routedBy([{ newest: revision(2, route("nothing")), kept }]);
  assert.equal(cluster, "details");
  assert.equal(host.virtualService, kept);
  assert.deepEqual(
    host.destinations.map(({ hostname }) => hostname),
    ["details.default.svc.cluster.local"],
  );
  assert.deepEqual(warnings, [
    {
      subject: "VirtualService/default/reviews",
      message:
        "spec.http[0].route[0].destination: there is no service nothing; revision 1, whose destinations all exist, stays in force",
      inForce: 1,
    },
  ]);
  const next = routedBy([{ newest: revision(3, route("ratings")), kept }]);
  assert.deepEqual([next.cluster, next.warnings], ["ratings", []]);
});

test("nothing stays in force of which nothing is kept, that leads nowhere itself, or was not for the host", () => {
  const cases: readonly (readonly [Revisions, string?])[] = [
    [{ newest: revision(2, route("nothing")) }],
    [{ newest: revision(2, route("nothing")), kept: revision(1, route("nowhere")) }],
    [{ newest: revision(2, route("nothing")), kept: revision(1, route("details")) }, "details"],
    [{ newest: revision(2, route("nothing")), kept: revision(1, route("details"), { hosts: "[ratings]" }) }],
    // The same revision, whose destination has gone.
    [{ newest: revision(1, route("details")) }, "details"],
  ];
  for (const [revisions, without] of cases) {
    const { cluster, warnings } = routedBy([revisions], without);
    assert.equal(cluster, "BlackHoleCluster");
    assert.match(warnings[0]?.message ?? "", /; its requests fail$/);
    assert.equal(warnings[0]?.inForce, undefined);
  }
});

test("of a root and its delegates only those stay back that lead nowhere", () => {
  const delegated = { name: "delegated", hosts: "[]" };
  const root = revision(1, delegate("delegated"));
  const kept = revision(2, route("details"), delegated);
  const bad = revision(3, route("nothing"), delegated);
  const fromDelegate = routedBy([{ newest: root }, { newest: bad, kept }]);
  assert.equal(fromDelegate.cluster, "details");
  assert.deepEqual(
    fromDelegate.warnings.map(({ subject, inForce }) => [subject, inForce]),
    [["VirtualService/default/delegated", 2]],
  );

  // A kept root has the delegate again, of which a revision is kept too.
  const fromBoth = routedBy([
    { newest: revision(4, route("nothing")), kept: root },
    { newest: bad, kept },
  ]);
  assert.equal(fromBoth.cluster, "details");
  assert.deepEqual(
    fromBoth.warnings.map(({ subject, inForce }) => [subject, inForce]),
    [
      ["VirtualService/default/reviews", 1],
      ["VirtualService/default/delegated", 2],
    ],
  );

  const newRoot = revision(
    4,
    `{ match: [{ uri: { prefix: /a } }], ${delegate("delegated").slice(1)}, ${route("ratings")}`,
  );
  const { host } = routedBy([
    { newest: newRoot, kept: root },
    { newest: bad, kept },
  ]);
  assert.equal(host.virtualHost.routes.length, 2, "the root's newest revision is in force");
});

const DELEGATED = { name: "part", hosts: "[]" };
const part: Revisions = { newest: revision(1, route("details"), DELEGATED) };
const NO_PART = "spec.http[0].delegate: there is no VirtualService default/gone to delegate to";

test("a new revision that delegates to what is not there leaves the one before in force, and a warning says so", () => {
  const kept = revision(2, delegate("part"));
  for (const http of [delegate("gone"), `${delegate("gone")}, ${route("ratings")}`]) {
    const { cluster, warnings } = routedBy([part, { newest: revision(3, http), kept }]);
    assert.equal(cluster, "details");
    assert.deepEqual(warnings, [
      {
        subject: "VirtualService/default/reviews",
        message: `${NO_PART}; revision 2, whose destinations all exist, stays in force`,
        inForce: 2,
      },
    ]);
  }
});

test("without an earlier revision, what delegates to nothing alone leaves the host to its service, with a warning", () => {
  const told = ({ warnings }: ReturnType<typeof routedBy>): readonly string[] =>
    warnings.map(({ message }) => message);
  const alone = routedBy([{ newest: revision(1, delegate("gone")) }]);
  assert.equal(alone.cluster, "reviews");
  assert.deepEqual(told(alone), [`${NO_PART}; no route is left: its calls go as if it were not there`]);
  const beside = routedBy([{ newest: revision(1, `${delegate("gone")}, ${route("details")}`) }]);
  assert.equal(beside.cluster, "details");
  assert.deepEqual(told(beside), [`${NO_PART}; it is left out`]);
});

test("a VirtualService that has no route for the client anyway lacks nothing", () => {
  const elsewhere = `{ match: [{ port: 1 }], ${delegate("gone").slice(1)}`;
  const { cluster, warnings } = routedBy([{ newest: revision(1, elsewhere) }]);
  assert.deepEqual([cluster, warnings], ["reviews", []]);
});

test("the same of a host that only VirtualServices have: its routes stay, and without earlier ones it has none", () => {
  const hosts = "[book.example.com]";
  const newest = revision(2, delegate("gone"), { hosts });
  for (const kept of [undefined, revision(1, route("details"), { hosts })]) {
    const state = sampleState({ workloads: [workload("details")] });
    state.setConfig([{ key: keyOf(newest), before: undefined, after: newest, kept }], 2);
    const { value, warnings } = inScope(state.next().snapshot, (scope) =>
      foreignVirtualHost(scope, client(), "book.example.com", 80),
    );
    assert.equal(value?.virtualService, kept);
    assert.match(warnings[0]?.message ?? "", kept ? /revision 1, .* stays in force/ : /no route is left/);
  }
});

test("the labels that a kept revision chooses clients by are looked at as long as it is kept", () => {
  const labelled = "{ match: [{ sourceLabels: { app: web } }], route: [{ destination: { host: details } }] }";
  const newest = revision(2, route("nothing"));
  const state = sampleState({ workloads: [workload("reviews"), workload("details")] });
  state.setConfig([{ key: keyOf(newest), before: undefined, after: newest, kept: revision(1, labelled) }], 2);
  assert.deepEqual(state.next().snapshot.selectedLabels, ["app"]);
  state.setKept(keyOf(newest), undefined);
  assert.deepEqual(state.next().snapshot.selectedLabels, []);
});

test("letting go of a kept revision builds again only what asked for it", () => {
  const [good, bad] = [
    revision(2, route("details")),
    revision(3, route("nothing"), { name: "b", hosts: "[ratings]" }),
  ];
  const state = sampleState({ workloads: ["reviews", "details", "ratings"].map((one) => workload(one)) });
  state.setConfig(
    [good, bad].map((after) => ({
      key: keyOf(after),
      before: undefined,
      after,
      kept: revision(1, route("ratings")),
    })),
    3,
  );
  const built: string[] = [];
  const memo = new Memo(state.next().snapshot, (key) => built.push(key));
  const read = (): void =>
    memo.root("all", (scope) => {
      for (const host of ["reviews", "ratings"])
        routedHost(scope, client(), `${host}.default.svc.cluster.local`, 9080);
    });
  read();
  built.length = 0;
  for (const one of [good, bad]) state.setKept(keyOf(one), undefined);
  const { snapshot, changed } = state.next();
  memo.advance(snapshot, changed);
  read();
  assert.deepEqual(
    built.filter((key) => key.startsWith("routed-host/")).map((key) => key.split(".")[0]),
    ["routed-host/ratings"],
  );
});
