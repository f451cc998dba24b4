import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { createXdsJson, DESCRIPTORS_URL } from "../../mesh/xds/json.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import { endpoints, foreignTls, upstreamTls } from "../../test/harness/xds-samples.ts";
import { SecretStore } from "../data-path/tls/secret-store.ts";
import type { Cluster, Endpoint } from "../model/cluster.ts";
import { parseCluster } from "../parse/cluster.ts";
import { parseLoadAssignment } from "../parse/endpoints.ts";
import { Alarms } from "../transport/alarms.ts";
import { ClusterSet } from "./cluster-set.ts";

const json = createXdsJson(() => readFileSync(DESCRIPTORS_URL));

function byEndpoints(name: string, service: string, more: object = {}): Cluster {
  const resource = {
    name,
    type: "EDS",
    edsClusterConfig: { edsConfig: { ads: {} }, serviceName: service },
    ...more,
  };
  return parseCluster(json.jsonToResource(TYPE_URL.cluster, resource), name);
}

function at(service: string, port: number): readonly Endpoint[] {
  const bytes = json.jsonToResource(TYPE_URL.endpoints, endpoints(service, [port], false));
  return parseLoadAssignment(bytes, service).endpoints;
}

class World {
  warmed = 0;
  readonly set = new ClusterSet({
    secrets: new SecretStore(),
    clock: systemClock,
    resolve: () => Promise.resolve([]),
    alarms: new Alarms(() => performance.now()),
    random: Math.random,
    endpointsOf: () => undefined,
    warmed: () => void this.warmed++,
  });

  put(model: Cluster): void {
    this.set.put(model, this.set.prepare(model));
  }
}

const portsOf = (set: ClusterSet, name: string): number[] =>
  [...(set.get(name)?.hosts ?? [])].map(({ endpoint }) => endpoint.port);

test("endpoints of a service are those of every cluster that names it, as long as it does", () => {
  const world = new World();
  const { set } = world;
  world.put(byEndpoints("a", "s"));
  world.put(byEndpoints("b", "s"));
  world.put(byEndpoints("c", "other"));
  const services = set.services();
  assert.deepEqual([...services], ["s", "other"]);
  assert.equal(set.services(), services);
  set.assign("s", at("s", 1));
  assert.deepEqual(
    ["a", "b", "c"].map((name) => portsOf(set, name)),
    [[1], [1], []],
  );
  world.put(byEndpoints("b", "other"));
  set.remove("a");
  assert.deepEqual([...set.services()], ["other"]);
  set.assign("s", at("s", 2));
  set.assign("other", at("other", 3));
  assert.deepEqual(
    ["b", "c"].map((name) => portsOf(set, name)),
    [[3], [3]],
  );
  set.close();
});

test("it is told once that a cluster is warm, and nothing of one that is gone", async () => {
  const world = new World();
  world.put(byEndpoints("a", "s"));
  world.put(byEndpoints("a", "s"));
  world.put(byEndpoints("b", "other"));
  const gone = world.set.get("b");
  world.set.remove("b");
  world.set.assign("s", at("s", 1));
  gone?.assign([]);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(world.warmed, 1);
  world.set.close();
});

test("secrets are wanted as long as a cluster names them", () => {
  const world = new World();
  const { set } = world;
  const mesh = { transportSocket: upstreamTls("spiffe://cluster.local/ns/default/sa/a") };
  const foreign = {
    transportSocket: foreignTls({
      tlsCertificateSdsSecretConfigs: [{ name: "own", sdsConfig: { ads: {} } }],
    }),
  };
  world.put(byEndpoints("a", "a", mesh));
  world.put(byEndpoints("b", "b", mesh));
  world.put(byEndpoints("c", "c", foreign));
  assert.deepEqual([...set.secrets()].sort(), ["ROOTCA", "default", "own"]);
  assert.deepEqual([...set.secrets("mesh")].sort(), ["ROOTCA", "default"]);
  set.remove("a");
  world.put(byEndpoints("c", "c"));
  assert.deepEqual([...set.secrets()].sort(), ["ROOTCA", "default"]);
  set.remove("b");
  assert.deepEqual([...set.secrets()], []);
  set.close();
});
