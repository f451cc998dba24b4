import assert from "node:assert/strict";
import { test } from "node:test";
import type { StoredObject } from "../../../mesh/model/object.ts";
import { client, inScope } from "../../../test/fakes/in-scope.ts";
import { added, objects, port, sampleState, workload } from "../../../test/fakes/sample-mesh.ts";
import { layer4Routes, type RoutedConnections } from "./layer4-routes.ts";

const HOST = "db.default.svc.cluster.local";
const MATCH = { tcp: "destinationSubnets: [10.0.0.0/8]", tls: "sniHosts: [a.example.com]" };

type Kind = keyof typeof MATCH;

interface Revision {
  /** Where the connections of the only match go. */
  readonly to: string;
  readonly number: number;
  readonly name?: string;
  readonly createdAt?: number;
}

interface Before {
  readonly routed: RoutedConnections;
}

function virtualService(kind: Kind, { to, number, name = "db", createdAt = 1 }: Revision): StoredObject {
  const [object] = objects(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name} }
spec: { hosts: [db, a.example.com], ${kind}: [{ match: [{ ${MATCH[kind]} }], route: [{ destination: { host: ${to} } }] }] }
`);
  assert.ok(object);
  return { ...object, createdAt, revision: number };
}

/** With these VirtualServices, after `before`, and where there is no service `without`. */
function routed(kind: Kind, revisions: readonly Revision[], before?: Before, without = "") {
  const ports = [port({ protocol: kind, name: kind, servicePort: 5432 })];
  const services = ["db", "db1", "db2", "db3"].filter((service) => service !== without);
  const state = sampleState({ workloads: services.map((service) => workload(service, { ports })) });
  state.setConfig(added(revisions.map((one) => virtualService(kind, one))), 1);
  const place = { hostname: HOST, port: 5432, tls: kind === "tls" };
  const { value, warnings } = inScope(state.next().snapshot, (scope) =>
    layer4Routes(scope, client(), place, before?.routed),
  );
  const [first] = value.routes;
  return {
    routed: value,
    to: first?.clusters[0]?.name.split("|").at(-1)?.split(".")[0],
    destinations: first?.destinations.map(({ hostname }) => hostname.split(".")[0]),
    warnings: warnings.map(({ message }) => message),
  };
}

for (const kind of ["tcp", "tls"] as const) {
  test(`${kind}: a new revision that leads nowhere leaves the one before in force, and a warning says so`, () => {
    const first = routed(kind, [{ to: "db1", number: 1 }]);
    const second = routed(kind, [{ to: "nothing", number: 2 }], first);
    assert.equal(second.to, "db1");
    assert.deepEqual(second.destinations, ["db1"]);
    assert.deepEqual(second.warnings, [
      `spec.${kind}[0].route[0].destination: there is no service nothing; revision 1, whose destinations all exist, stays in force`,
    ]);
    // It stays while other things change, until a revision comes whose destinations exist.
    assert.equal(routed(kind, [{ to: "nothing", number: 3 }], second).to, "db1");
    const third = routed(kind, [{ to: "db2", number: 4 }], second);
    assert.equal(third.to, "db2");
    assert.deepEqual(third.warnings, []);
  });

  test(`${kind}: nothing stays in force that was of another object, was incomplete itself, or leads nowhere now`, () => {
    const first = routed(kind, [{ to: "db1", number: 1 }]);
    const broken = routed(kind, [{ to: "nothing", number: 2 }]);
    assert.equal(broken.to, "BlackHoleCluster");
    const cases: readonly (readonly [Revision, Before, string?])[] = [
      // Created anew under the same name.
      [{ to: "nothing", number: 2, createdAt: 2 }, first],
      [{ to: "nothing", number: 2, name: "other" }, first],
      [{ to: "nothing", number: 3 }, broken],
      [{ to: "nothing", number: 2 }, first, "db1"],
      // The same revision, whose destination has gone.
      [{ to: "db1", number: 1 }, first, "db1"],
    ];
    for (const [revision, before, without] of cases) {
      assert.equal(routed(kind, [revision], before, without).to, "BlackHoleCluster");
    }
  });

  test(`${kind}: what stays of one VirtualService keeps out the others that ask for the same, and only those`, () => {
    const older = { to: "db1", number: 1, createdAt: 1 };
    const younger = { to: "db2", number: 2, createdAt: 2, name: "younger" };
    const first = routed(kind, [older, younger]);
    const second = routed(kind, [{ ...older, to: "nothing", number: 3 }, younger], first);
    assert.equal(second.to, "db1");
    const third = routed(kind, [{ ...younger, to: "db3", number: 4 }], second);
    assert.equal(third.to, "db3", "the older one is gone, and nothing of it stays");
  });
}
