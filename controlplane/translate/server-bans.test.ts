import assert from "node:assert/strict";
import { test } from "node:test";
import { type PlacedWorkload, workloadId } from "../../mesh/model/workload.ts";
import { Cluster } from "../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import { bookinfoWorkloads, sampleState, workload } from "../../test/fakes/sample-mesh.ts";
import { createTranslator } from "./translator.ts";

const CALLER = "default/productpage-1";
const SERVER = "spiffe://cluster.local/ns/default/sa/ratingsdb";
const STRANGER = "spiffe://cluster.local/ns/default/sa/stranger";

/** A caller, and what its proxy has for the one server of a TCP service. */
class Bench {
  readonly #state = sampleState({ workloads: bookinfoWorkloads() });
  readonly #translator = createTranslator();
  readonly #server: PlacedWorkload;

  constructor() {
    const server = bookinfoWorkloads().find(({ service }) => service === "ratingsdb");
    assert.ok(server);
    this.#server = server;
    this.seen();
  }

  set(over: Partial<PlacedWorkload> | undefined): void {
    const id = workloadId(this.#server);
    this.#state.setWorkloads([{ id, workload: over && { ...this.#server, ...over } }]);
  }

  ban(identity: string, atMs: number): void {
    this.#state.setLastBans({ atMs, ofIdentities: new Map([[identity, atMs]]) });
  }

  come(): void {
    const other = workload("other");
    this.#state.setWorkloads([{ id: workloadId(other), workload: other }]);
  }

  /** The stamp by which the cluster of the service is a new one; undefined: none. */
  seen(): unknown {
    const { snapshot, changed } = this.#state.next();
    this.#translator.publish(snapshot, changed);
    const clusters = this.#translator.preview(CALLER)?.types.get(TYPE_URL.cluster);
    const found = [...(clusters?.values() ?? [])]
      .map(({ bytes }) => Cluster.decode(bytes))
      .find(({ name }) => name.includes("ratingsdb"));
    assert.ok(found);
    return found.metadata?.filterMetadata["lateen"]?.["lastBan"];
  }
}

test("the ban of the one server of a service makes its callers' cluster a new one, when it is told", () => {
  const bench = new Bench();
  bench.set({ banned: true });
  assert.equal(bench.seen(), undefined, "not before every host has the list");
  bench.ban(SERVER, 1000);
  assert.equal(bench.seen(), "1970-01-01T00:00:01.000Z");
});

test("neither that the ban is lifted, nor that the server goes and comes, makes it another", () => {
  const bench = new Bench();
  bench.set({ banned: true });
  bench.ban(SERVER, 1000);
  const stamp = bench.seen();
  bench.set({ banned: false });
  assert.equal(bench.seen(), stamp);
  bench.come();
  assert.equal(bench.seen(), stamp);
  bench.set({ healthy: false, serviceAccount: "another" });
  assert.equal(bench.seen(), stamp, "who has served it may still have connections");
});

test("a ban of somebody who does not serve it changes nothing, and a later one of its server does", () => {
  const bench = new Bench();
  bench.ban(STRANGER, 500);
  assert.equal(bench.seen(), undefined);
  bench.ban(SERVER, 1000);
  bench.seen();
  bench.ban(SERVER, 2000);
  assert.equal(bench.seen(), "1970-01-01T00:00:02.000Z");
});
