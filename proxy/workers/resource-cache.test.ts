import assert from "node:assert/strict";
import { test } from "node:test";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import type { ResourceUpdate } from "../ads/ads-client.ts";
import { ALL, type Interests } from "../ads/interest.ts";
import { joinInterests, ofInterest, ResourceCache } from "./resource-cache.ts";

const HOSTS = TYPE_URL.virtualHost;
const CLUSTERS = TYPE_URL.cluster;

function update(
  type: ResourceUpdate["type"],
  names: readonly string[],
  removed: readonly string[] = [],
): ResourceUpdate {
  return {
    type,
    upserts: names.map((name) => ({ name, version: "1", bytes: new Uint8Array() })),
    removed,
  };
}

function hosts(...names: string[]): Interests {
  return new Map([[HOSTS, new Set(names)]]);
}

const NOTHING: Interests = new Map();

test("a worker that begins is told all that there is, in the order in which it may be told", () => {
  const cache = new ResourceCache();
  cache.record(update(TYPE_URL.listener, ["l"]), NOTHING);
  cache.record(update(CLUSTERS, ["a", "b"]), NOTHING);
  const all: Interests = new Map([
    [TYPE_URL.listener, ALL],
    [CLUSTERS, ALL],
  ]);
  assert.deepEqual(cache.news(NOTHING, all), [
    update(CLUSTERS, ["a", "b"]),
    update(TYPE_URL.listener, ["l"]),
  ]);
  assert.deepEqual(cache.news(all, all), []);
});

test("that there is nothing of a type is news, too", () => {
  const cache = new ResourceCache();
  const all: Interests = new Map([[CLUSTERS, ALL]]);
  assert.deepEqual(cache.news(NOTHING, all), [], "nothing has been said of it");
  cache.record(update(CLUSTERS, []), NOTHING);
  assert.deepEqual(cache.news(NOTHING, all), [update(CLUSTERS, [])]);
});

test("what another worker has asked for is told at once: that it is there, and that it is not", () => {
  const cache = new ResourceCache();
  cache.record(update(HOSTS, ["here"], ["nowhere"]), hosts("here", "nowhere"));
  assert.deepEqual(cache.news(NOTHING, hosts("here", "nowhere", "new")), [
    update(HOSTS, ["here"], ["nowhere"]),
  ]);
  assert.deepEqual(cache.news(hosts("here"), hosts("here")), []);
});

test("what nobody wants any more is asked for again", () => {
  const cache = new ResourceCache();
  cache.record(update(HOSTS, ["here"], ["nowhere"]), hosts("here", "nowhere"));
  cache.prune(NOTHING);
  assert.deepEqual(cache.news(NOTHING, hosts("here", "nowhere")), []);
});

test("that something is gone which nobody asked for by name is not remembered", () => {
  const cache = new ResourceCache();
  const all: Interests = new Map([[CLUSTERS, ALL]]);
  cache.record(update(CLUSTERS, ["a", "b"]), all);
  cache.record(update(CLUSTERS, [], ["a"]), all);
  const byName: Interests = new Map([[CLUSTERS, new Set(["*", "a"])]]);
  assert.deepEqual(cache.news(NOTHING, byName), [update(CLUSTERS, ["b"])]);
});

test("a worker hears of nothing that it did not ask for", () => {
  const told = ofInterest(update(HOSTS, ["a", "b"], ["c"]), new Set(["b"]));
  assert.deepEqual(told, update(HOSTS, ["b"]));
  assert.deepEqual(ofInterest(update(HOSTS, ["a"], ["c"]), undefined), update(HOSTS, []));
});

test("all are interested in what one of them is", () => {
  assert.deepEqual(
    joinInterests([hosts("a"), hosts("b"), new Map([[CLUSTERS, ALL]])]),
    new Map([
      [HOSTS, new Set(["a", "b"])],
      [CLUSTERS, ALL],
    ]),
  );
});
