import assert from "node:assert/strict";
import { test } from "node:test";
import type { DeltaRequest } from "../../mesh/xds/delta-subscription.ts";
import {
  type EncodedResource,
  NO_RESOURCES,
  type ResourceMap,
  resourceMap,
} from "../../mesh/xds/encoded-resource.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import { RelayLane } from "./relay-lane.ts";

const { cluster, endpoints } = TYPE_URL;

function resource(name: string, version: string): EncodedResource {
  return { name, version, bytes: new Uint8Array() };
}

function stored(...resources: EncodedResource[]): ResourceMap {
  return resourceMap(resources);
}

function ask(lane: RelayLane, request: Partial<DeltaRequest>) {
  return lane.subscription.request({
    resourceNamesSubscribe: [],
    resourceNamesUnsubscribe: [],
    initialResourceVersions: {},
    responseNonce: "",
    errorDetail: undefined,
    ...request,
  });
}

/** Sends what the lane has to the data plane, which answers. */
function push(lane: RelayLane, error?: string): void {
  const change = lane.subscription.change(lane.offered ?? NO_RESOURCES, "now");
  assert.ok(change, "nothing to push");
  lane.subscription.sent("r", change);
  lane.pushed();
  const errorDetail = error === undefined ? undefined : { message: error };
  const answer = ask(lane, { responseNonce: "r", errorDetail });
  assert.ok(answer.kind === "ack" || answer.kind === "nack");
  lane.commit(answer);
}

function receive(
  lane: RelayLane,
  nonce: string,
  upserts: EncodedResource[],
  removals: string[] = [],
): boolean {
  return lane.receive(nonce, { typeUrl: lane.typeUrl, upserts, removals });
}

test("a server that knows nothing is told the versions that are stored", () => {
  const lane = new RelayLane(cluster, stored(resource("a", "1")));
  ask(lane, {});
  assert.deepEqual(lane.announcement(), { subscribe: [], versions: { a: "1" } });
});

test("what the data plane has and the store has not is told in no version, so that it is sent or told gone", () => {
  const lane = new RelayLane(cluster, undefined);
  ask(lane, { initialResourceVersions: { a: "1" } });
  assert.deepEqual(lane.announcement(), { subscribe: [], versions: { a: "" } });
});

test("a version that was sent and not acknowledged is not told, and neither is the one before", () => {
  const lane = new RelayLane(cluster, stored(resource("a", "1")));
  ask(lane, {});
  push(lane);
  receive(lane, "u1", [resource("a", "2")]);
  assert.deepEqual(lane.announcement()?.versions, { a: "" });
  push(lane);
  assert.deepEqual(lane.announcement()?.versions, { a: "2" });
});

test("names beside a wildcard are announced with the wildcard", () => {
  const lane = new RelayLane(cluster, undefined);
  ask(lane, { resourceNamesSubscribe: ["*", "a"] });
  assert.deepEqual(lane.announcement()?.subscribe, ["*", "a"]);
});

test("a type without a subscription is not announced: that would ask for everything", () => {
  const lane = new RelayLane(endpoints, stored(resource("a", "1")));
  ask(lane, { resourceNamesSubscribe: ["a"] });
  ask(lane, { resourceNamesUnsubscribe: ["a"] });
  assert.equal(lane.announcement(), undefined);
});

test("the server's nonces are answered by the data plane's answer to what they brought", () => {
  const lane = new RelayLane(cluster, undefined);
  ask(lane, {});
  receive(lane, "u1", [resource("a", "1")]);
  receive(lane, "u2", [resource("b", "1")]);
  push(lane);
  assert.deepEqual(lane.takeAnswered(), ["u1", "u2"]);
  assert.deepEqual(lane.takeAnswered(), []);
});

test("nonces of a server stream that is over are answered to nobody", () => {
  const lane = new RelayLane(cluster, undefined);
  ask(lane, {});
  receive(lane, "u1", [resource("a", "1")]);
  lane.pushed();
  receive(lane, "u2", [resource("a", "2")]);
  lane.lost();
  assert.deepEqual(lane.takeAnswered(), []);
  assert.deepEqual(lane.takeUnneeded(), []);
});

test("a refused version is not good, what was taken beside it is", () => {
  const lane = new RelayLane(cluster, stored(resource("a", "1"), resource("b", "1")));
  ask(lane, {});
  push(lane);
  receive(lane, "u1", [resource("a", "2"), resource("b", "2")]);
  push(lane, "cluster(s) b: no");
  assert.deepEqual([...lane.good], [...stored(resource("a", "2"), resource("b", "1"))]);
});

test("a stored version that the data plane refuses now is good no more", () => {
  const lane = new RelayLane(cluster, stored(resource("a", "1")));
  ask(lane, {});
  push(lane, "unknown field");
  assert.equal(lane.good.size, 0);
});

test("a name that is dropped leaves the store", () => {
  const lane = new RelayLane(endpoints, stored(resource("a", "1"), resource("b", "1")));
  ask(lane, { resourceNamesSubscribe: ["a", "b"] });
  push(lane);
  ask(lane, { resourceNamesUnsubscribe: ["a"] });
  assert.equal(lane.forget(["a"]), true);
  assert.deepEqual([...lane.good], [...stored(resource("b", "1"))]);
});

test("when the server is lost before it answered, the store stands in", () => {
  const lane = new RelayLane(endpoints, stored(resource("a", "1")));
  lane.awaitAnswer(["a"]);
  assert.equal(lane.offered?.size, 0);
  lane.lost();
  assert.deepEqual([...(lane.offered ?? [])], [...stored(resource("a", "1"))]);
});

test("a server that sends without waiting for answers is noticed", () => {
  const lane = new RelayLane(cluster, undefined);
  ask(lane, {});
  let takes = true;
  for (let index = 0; takes && index < 1000; index += 1)
    takes = receive(lane, `u${index}`, [resource("a", String(index))]);
  assert.equal(takes, false);
});
