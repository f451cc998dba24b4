import assert from "node:assert/strict";
import { test } from "node:test";
import type { StoredObject } from "../../../mesh/model/object.ts";
import { client, inScope } from "../../../test/fakes/in-scope.ts";
import { objects, port, sampleState, workload } from "../../../test/fakes/sample-mesh.ts";
import { keyOf } from "../../snapshot/config-index.ts";
import { layer4Routes } from "./layer4-routes.ts";

const HOST = "db.default.svc.cluster.local";
const MATCH = { tcp: "destinationSubnets: [10.0.0.0/8]", tls: "sniHosts: [a.example.com]" };

type Kind = keyof typeof MATCH;

interface Revision {
  /** Where the connections of the only match go. */
  readonly to: string;
  readonly number: number;
  readonly name?: string;
  /** The revision that was in force before. */
  readonly kept?: Revision;
}

function virtualService(kind: Kind, { to, number, name = "db" }: Revision): StoredObject {
  const [object] = objects(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name} }
spec: { hosts: [db, a.example.com], ${kind}: [{ match: [{ ${MATCH[kind]} }], route: [{ destination: { host: ${to} } }] }] }
`);
  assert.ok(object);
  return { ...object, createdAt: name === "db" ? 1 : 2, revision: number };
}

/** With these VirtualServices, and where there is no service `without`. */
function routed(kind: Kind, revisions: readonly Revision[], without = "") {
  const ports = [port({ protocol: kind, name: kind, servicePort: 5432 })];
  const services = ["db", "db1", "db2", "db3"].filter((service) => service !== without);
  const state = sampleState({ workloads: services.map((service) => workload(service, { ports })) });
  const changes = revisions.map((one) => ({
    newest: virtualService(kind, one),
    kept: one.kept && virtualService(kind, one.kept),
  }));
  state.setConfig(
    changes.map(({ newest, kept }) => ({ key: keyOf(newest), before: undefined, after: newest, kept })),
    1,
  );
  const place = { hostname: HOST, port: 5432, tls: kind === "tls" };
  const { value, warnings } = inScope(state.next().snapshot, (scope) => layer4Routes(scope, client(), place));
  const [first] = value.routes;
  return {
    to: first?.clusters[0]?.name.split("|").at(-1)?.split(".")[0],
    destinations: first?.destinations.map(({ hostname }) => hostname.split(".")[0]),
    warnings,
  };
}

for (const kind of ["tcp", "tls"] as const) {
  const first = { to: "db1", number: 1 };

  test(`${kind}: a new revision that leads nowhere leaves the one before in force, and a warning says so`, () => {
    const second = routed(kind, [{ to: "nothing", number: 2, kept: first }]);
    assert.equal(second.to, "db1");
    assert.deepEqual(second.destinations, ["db1"]);
    assert.deepEqual(second.warnings, [
      {
        subject: "VirtualService/default/db",
        message: `spec.${kind}[0].route[0].destination: there is no service nothing; revision 1, whose destinations all exist, stays in force`,
        inForce: 1,
      },
    ]);
    const third = routed(kind, [{ to: "db2", number: 4, kept: first }]);
    assert.equal(third.to, "db2");
    assert.deepEqual(third.warnings, []);
  });

  test(`${kind}: nothing stays in force of which nothing is kept, or that leads nowhere itself`, () => {
    const cases: readonly (readonly [Revision, string?])[] = [
      [{ to: "nothing", number: 2 }],
      [{ to: "nothing", number: 3, kept: { to: "nothing", number: 2 } }],
      [{ to: "nothing", number: 2, kept: first }, "db1"],
      [first, "db1"],
    ];
    for (const [revision, without] of cases) {
      assert.equal(routed(kind, [revision], without).to, "BlackHoleCluster");
    }
  });

  test(`${kind}: what stays of one VirtualService keeps out the others that ask for the same, and only those`, () => {
    const younger = { to: "db2", number: 2, name: "younger" };
    assert.equal(routed(kind, [first, younger]).to, "db1");
    assert.equal(routed(kind, [{ to: "nothing", number: 3, kept: first }, younger]).to, "db1");
    assert.equal(
      routed(kind, [{ ...younger, to: "db3", number: 4 }]).to,
      "db3",
      "nothing of the older stays",
    );
  });
}
