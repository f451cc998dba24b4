import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { consulClient } from "../../../mesh/consul/consul-client.ts";
import { systemClock } from "../../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../../mesh/telemetry/logger.ts";
import { ConsulDouble, type ConsulFault } from "../../../test/fakes/consul-double.ts";
import { consulRegistry, QUICK } from "../../../test/harness/consul-subjects.ts";
import { eventually } from "../../../test/harness/eventually.ts";
import { Reader } from "../registry.contract.ts";
import { ConsulRegistry } from "./consul-registry.ts";

/** reviews has three instances, ratings and details one each. */
function fill(double: ConsulDouble): void {
  for (const id of ["reviews-1", "reviews-2", "reviews-3", "ratings-1", "details-1"]) put(double, id);
}

function put(double: ConsulDouble, id: string): void {
  const service = id.split("-", 1)[0] ?? "";
  double.catalog.put({ node: "node-1", id, service, address: "10.0.0.1", port: 9080 });
}

const ALL = ["details-1", "ratings-1", "reviews-1", "reviews-2", "reviews-3"].map((id) => `dc1/node-1/${id}`);

async function started(double: ConsulDouble): Promise<{
  registry: ConsulRegistry;
  reader: Reader;
  [Symbol.asyncDispose](): Promise<void>;
}> {
  const registry = consulRegistry(double.address, QUICK);
  const reader = new Reader(registry);
  await eventually("synced", () => reader.synced);
  assert.deepEqual(reader.ids(), ALL);
  return {
    registry,
    reader,
    async [Symbol.asyncDispose]() {
      await reader[Symbol.asyncDispose]();
      registry[Symbol.dispose]();
    },
  };
}

function reasonOf(registry: ConsulRegistry): string {
  return registry.status.state === "stale" ? registry.status.reason : "";
}

const faults: readonly { readonly name: string; readonly fault: ConsulFault; readonly says: RegExp }[] = [
  { name: "an index of 0", fault: { kind: "index", index: 0 }, says: /has the index 0/ },
  { name: "no index", fault: { kind: "index", index: "missing" }, says: /has no index/ },
  {
    name: "a 500 without a leader",
    fault: { kind: "status", status: 500, body: "No cluster leader" },
    says: /500 No cluster leader.*consul members/,
  },
  {
    name: "a 429",
    fault: { kind: "status", status: 429, body: "Your IP is issuing too many concurrent connections" },
    says: /429 Your IP.*http_max_conns_per_client/,
  },
  {
    name: "an answer from a server without a leader",
    fault: { kind: "no-leader-header" },
    says: /no cluster leader/,
  },
  { name: "truncated JSON", fault: { kind: "truncated" }, says: /JSON/ },
  { name: "an answer cut off by a reset", fault: { kind: "cut" }, says: /cut off|ECONNRESET|aborted/ },
  { name: "a reset instead of an answer", fault: { kind: "reset" }, says: /ECONNRESET|socket hang up/ },
  {
    name: "an answer that stops in the middle",
    fault: { kind: "stall-in-body" },
    says: /did not end in 150 ms/,
  },
  { name: "50 MB", fault: { kind: "huge", bytes: 50 << 20 }, says: /longer than 1048576 bytes/ },
  { name: "JSON of another form", fault: { kind: "body", body: "hello" }, says: /not a list|not an object/ },
];

for (const { name, fault, says } of faults) {
  test(`${name} keeps what was known, is told, and is over without a restart`, async () => {
    await using double = await ConsulDouble.start();
    fill(double);
    await using mesh = await started(double);
    double.script(/^\/(health|catalog)\//, fault, 10_000);
    await eventually("it is told", () => says.test(reasonOf(mesh.registry)));
    put(double, "reviews-4");
    await delay(60);
    assert.deepEqual(mesh.reader.ids(), ALL);
    double.heal();
    await eventually("the fourth is there", () => mesh.reader.ids().length === 6);
    await eventually("current", () => mesh.registry.status.state === "current");
  });
}

test("a stalled Consul is noticed, and what was known stays", async () => {
  await using double = await ConsulDouble.start();
  fill(double);
  await using mesh = await started(double);
  double.down();
  double.script(/./, { kind: "stall" }, 10_000);
  double.up();
  await eventually("told", () => /timed out/.test(reasonOf(mesh.registry)));
  assert.deepEqual(mesh.reader.ids(), ALL);
});

test("an index that goes backwards starts over, and what is missing then stays until it is back", async () => {
  await using double = await ConsulDouble.start();
  fill(double);
  await using mesh = await started(double);
  const asked = double.requestsTo(/service\/ratings/);
  double.script(/service\/ratings/, { kind: "index", index: 2, body: [] }, 10_000);
  await eventually("the loss is told", () =>
    /suddenly lists 1 of 5.*\(ratings\)/.test(reasonOf(mesh.registry)),
  );
  await eventually("it starts over", () => double.requestsTo(/service\/ratings/) >= asked + 2);
  assert.deepEqual(mesh.reader.ids(), ALL);
  double.heal();
  await eventually("current again", () => mesh.registry.status.state === "current");
  double.catalog.remove("node-1", "ratings-1");
  await eventually("single removals pass again", () => mesh.reader.ids().length === 4, 1_000);
});

test("a service that is suddenly empty stays when it was most of the catalog", async () => {
  await using double = await ConsulDouble.start();
  fill(double);
  await using mesh = await started(double);
  double.script(/service\/reviews/, { kind: "empty" });
  await eventually("told", () =>
    /suddenly lists 3 of 5 instances no more \(reviews\)/.test(reasonOf(mesh.registry)),
  );
  assert.deepEqual(mesh.reader.ids(), ALL);
  put(double, "reviews-4");
  await eventually("all are back", () => mesh.registry.status.state === "current");
  assert.equal(mesh.reader.ids().length, 6);
});

test("a Consul that comes back without its data takes nothing away", async () => {
  await using double = await ConsulDouble.start();
  fill(double);
  await using mesh = await started(double);
  double.down();
  await eventually("stale", () => mesh.registry.status.state === "stale");
  double.catalog.wipe();
  double.up();
  await eventually("told", () => /suddenly lists 5 of 5/.test(reasonOf(mesh.registry)));
  assert.deepEqual(mesh.reader.ids(), ALL);
  assert.equal(
    mesh.reader.events.filter((event) => event.kind === "service" && event.instances.length === 0).length,
    0,
  );
  mesh.registry.release();
  await eventually("an operator's word lets them go", () => mesh.reader.ids().length === 0);
  assert.equal(mesh.registry.status.state, "current");
});

test("one query that was between two questions when Consul lost its data does not wait for an index of before", async () => {
  await using double = await ConsulDouble.start();
  fill(double);
  // Indexes of before are far beyond those of after.
  for (let round = 0; round < 30; round += 1) put(double, "details-1");
  const registry = consulRegistry(double.address, { ...QUICK, refillMs: 1_000 });
  await using reader = new Reader(registry);
  await eventually("synced", () => reader.synced);
  const asked = double.requestsTo(/service\/reviews/);
  await eventually("all wait for news", () => double.requestsTo(/service\/reviews/) >= Math.max(2, asked));
  // Both questions that it may ask at once are asked: after this answer it pauses.
  put(double, "reviews-4");
  await eventually("the fourth is there", () => reader.ids().length === 6);
  double.down();
  double.catalog.wipe();
  double.up();
  await eventually("the loss is told", () => /lists 6 of 6/.test(reasonOf(registry)));
  for (const id of [...ALL.map((one) => one.replace("dc1/node-1/", "")), "reviews-4"]) put(double, id);
  await eventually("current", () => registry.status.state === "current");
  assert.equal(reader.ids().length, 6);
  registry[Symbol.dispose]();
});

test("one that was deregistered during an outage goes afterwards", async () => {
  await using double = await ConsulDouble.start();
  fill(double);
  await using mesh = await started(double);
  double.down();
  await eventually("stale", () => mesh.registry.status.state === "stale");
  double.catalog.remove("node-1", "reviews-2");
  double.up();
  await eventually("it is gone", () => mesh.reader.ids().length === 4);
  await eventually("current", () => mesh.registry.status.state === "current");
});

test("a Consul that is down at the start is waited for, and said to be", async () => {
  await using double = await ConsulDouble.start();
  fill(double);
  double.down();
  using registry = consulRegistry(double.address, QUICK);
  await using reader = new Reader(registry);
  await eventually("told", () => /curl .*\/v1\/status\/leader/.test(reasonOf(registry)));
  assert.equal(reader.synced, false);
  double.up();
  await eventually("synced", () => reader.synced);
  assert.deepEqual(reader.ids(), ALL);
});

test("one service that cannot be read does not keep the others from changing", async () => {
  await using double = await ConsulDouble.start();
  fill(double);
  await using mesh = await started(double);
  double.script(/service\/reviews/, { kind: "status", status: 500, body: "rpc error" }, 10_000);
  await eventually("told", () => /service\/reviews: 500 rpc error/.test(reasonOf(mesh.registry)));
  double.catalog.remove("node-1", "ratings-1");
  await eventually("ratings is gone", () => mesh.reader.ids().length === 4, 1_000);
});

test("under churn Consul is asked as often as the bucket allows, and the last state arrives", async () => {
  await using double = await ConsulDouble.start();
  fill(double);
  using registry = consulRegistry(double.address, { ...QUICK, refillMs: 100 });
  await using reader = new Reader(registry);
  await eventually("synced", () => reader.synced);
  const before = double.requestsTo(/service\/reviews/);
  const begun = performance.now();
  for (let round = 0; round < 60; round++) {
    const status = round % 2 === 0 ? "critical" : "passing";
    const port = 9000 + round;
    double.catalog.put({
      node: "node-1",
      id: "reviews-1",
      service: "reviews",
      address: "10.0.0.1",
      port,
      status,
    });
    await delay(5);
  }
  await eventually("the last port", () => reader.instances().some(({ port }) => port === 9059));
  const allowed = 3 + (performance.now() - begun) / 100;
  const asked = double.requestsTo(/service\/reviews/) - before;
  assert.ok(asked <= allowed, `${asked} requests, ${allowed.toFixed(1)} allowed`);
});

test("the token is read again before each request", async () => {
  const folder = await mkdtemp(join(tmpdir(), "lateen-consul-"));
  const tokenFile = join(folder, "token");
  await writeFile(tokenFile, "old\n");
  await using double = await ConsulDouble.start();
  fill(double);
  double.token = "new";
  using client = consulClient({ address: double.address, tokenFile });
  const deps = { client, clock: systemClock, random: Math.random, logger: silentLogger };
  const registry = new ConsulRegistry({ ...deps, timing: QUICK });
  await using reader = new Reader(registry);
  await eventually("refused", () => /403 Permission denied.*put a token/.test(reasonOf(registry)));
  assert.doesNotMatch(reasonOf(registry), /old/);
  await writeFile(tokenFile, "new\n");
  await eventually("synced", () => reader.synced);
  await rm(folder, { recursive: true });
});

test("a service that left and came back is watched again", async () => {
  await using double = await ConsulDouble.start();
  fill(double);
  await using mesh = await started(double);
  for (let round = 0; round < 3; round++) {
    double.catalog.remove("node-1", "ratings-1");
    await eventually("gone", () => mesh.reader.ids().length === 4);
    put(double, "ratings-1");
    await eventually("back", () => mesh.reader.ids().length === 5);
  }
});
