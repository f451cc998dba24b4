import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../../test/fakes/manual-clock.ts";
import { OnDemandClusters } from "./on-demand-clusters.ts";

const NEVER = new AbortController().signal;

function start(): { clusters: OnDemandClusters; clock: ManualClock; asks: () => number } {
  const clock = new ManualClock();
  let asks = 0;
  return { clusters: new OnDemandClusters({ clock, ask: () => asks++ }), clock, asks: () => asks };
}

test("a cluster is asked for once, whoever waits, and wanted from then on", async () => {
  const { clusters, asks } = start();
  const waiting = [clusters.ask("c", 5000, NEVER), clusters.ask("c", 5000, NEVER)];
  clusters.put("c");
  await Promise.all(waiting);
  assert.deepEqual([...clusters.names], ["c"]);
  assert.equal(asks(), 1);
});

test("who waits is let go when the time is over, and when its caller is gone", async () => {
  const { clusters, clock } = start();
  const gone = new AbortController();
  const waiting = [clusters.ask("c", 5000, NEVER), clusters.ask("c", 5000, gone.signal)];
  gone.abort();
  await waiting[1];
  clock.advance(5000);
  await waiting[0];
  assert.deepEqual([...clusters.names], ["c"]);
});

test("who waits for what does not exist is let go at once, and the next one asks again", async () => {
  const { clusters, asks } = start();
  const waiting = clusters.ask("c", 5000, NEVER);
  clusters.remove("c");
  await waiting;
  assert.deepEqual([...clusters.names], []);
  void clusters.ask("c", 5000, NEVER);
  assert.equal(asks(), 2);
});

test("what comes and goes unasked is not wanted by name", () => {
  const { clusters } = start();
  clusters.put("c");
  clusters.remove("d");
  assert.deepEqual([...clusters.names], []);
});

test("there is an end to how many are asked for and to how many wait", async () => {
  const { clusters, clock } = start();
  for (let index = 0; index < 10_000; index++) {
    const waiting = clusters.ask(`c${index}`, 1, NEVER);
    clusters.put(`c${index}`);
    await waiting;
  }
  await clusters.ask("one-more", 5000, NEVER);
  assert.equal([...clusters.names].includes("one-more"), false);
  clusters.remove("c0");
  const held = Array.from({ length: 1000 }, () => clusters.ask("again", 5000, NEVER));
  await clusters.ask("again", 5000, NEVER);
  clock.advance(5000);
  await Promise.all(held);
});
