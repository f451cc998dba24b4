import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { createXdsJson, DESCRIPTORS_URL } from "../../mesh/xds/json.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import { staticCluster } from "../../test/harness/xds-samples.ts";
import type { ResourceUpdate } from "../ads/ads-client.ts";
import { ListeningSockets } from "../data-path/listener/listening-sockets.ts";
import { TrafficWorker } from "./traffic-worker.ts";

const json = createXdsJson(() => readFileSync(DESCRIPTORS_URL));

function startWorker(): TrafficWorker {
  return new TrafficWorker({
    bootstrap: {
      node: { id: "sidecar~127.0.0.1~a.default~default.svc.cluster.local", cluster: "a", metadata: {} },
      xdsSocket: "/nowhere/xds.sock",
      adminSocket: "/nowhere/admin.sock",
      adminPort: undefined,
      logLevel: "info",
    },
    sockets: new ListeningSockets([], false),
    logger: silentLogger,
    clock: systemClock,
    random: Math.random,
    resolve: () => Promise.resolve([]),
    drainMs: 100,
    writeAccessLog: () => Promise.resolve(),
    interestsChanged: () => {},
  });
}

function clusters(count: number): ResourceUpdate {
  const upserts = Array.from({ length: count }, (_, index) => {
    const name = `c${index}`;
    return { name, version: "1", bytes: json.jsonToResource(TYPE_URL.cluster, staticCluster(name, [9])) };
  });
  return { type: TYPE_URL.cluster, upserts, removed: [] };
}

test("a worker that is stopped leaves the update that it takes, and takes no other", async () => {
  const worker = startWorker();
  const taken = assert.rejects(worker.apply(clusters(500)));
  await worker.stop("close");
  await taken;
  assert.deepEqual(worker.clusters(), []);
  await assert.rejects(worker.apply(clusters(1)));
  assert.deepEqual(worker.clusters(), []);
});

test("the event loop turns while a worker takes a large update", async () => {
  const worker = startWorker();
  let turns = 0;
  let isTaken = false;
  const count = (): void => {
    turns++;
    if (!isTaken) setImmediate(count);
  };
  setImmediate(count);
  assert.deepEqual(await worker.apply(clusters(2000)), []);
  isTaken = true;
  assert.equal(worker.clusters().length, 2000);
  assert.ok(turns > 5, `${turns} turns`);
  await worker.stop("close");
});
