import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type DeltaOptions, type DeltaRequest, DeltaSubscription } from "./delta-subscription.ts";
import { type ResourceMap, resourceMap } from "./encoded-resource.ts";
import { type Change, MOST_NAMES } from "./subscription.ts";

const CLUSTERS: DeltaOptions = { legacyWildcard: true, absence: "removed" };
const ENDPOINTS: DeltaOptions = { legacyWildcard: false, absence: "removed" };
const RELAYED: DeltaOptions = { legacyWildcard: false, absence: "unknown" };

function req(request: Partial<DeltaRequest> = {}): DeltaRequest {
  return {
    resourceNamesSubscribe: [],
    resourceNamesUnsubscribe: [],
    initialResourceVersions: {},
    responseNonce: "",
    errorDetail: undefined,
    ...request,
  };
}

const subscribe = (...names: string[]): DeltaRequest => req({ resourceNamesSubscribe: names });
const unsubscribe = (...names: string[]): DeltaRequest => req({ resourceNamesUnsubscribe: names });
const ack = (nonce: string): DeltaRequest => req({ responseNonce: nonce });
const nack = (nonce: string, message = "no"): DeltaRequest =>
  req({ responseNonce: nonce, errorDetail: { message } });

/** `{ a: "1" }` → a resource `a` in version 1. */
function resources(versions: Record<string, string>): ResourceMap {
  return resourceMap(
    Object.entries(versions).map(([name, version]) => ({ name, version, bytes: new Uint8Array() })),
  );
}

interface Told {
  readonly upserts: readonly string[];
  readonly removals: readonly string[];
}

function told(change: Change | undefined): Told | undefined {
  if (change === undefined) return undefined;
  return {
    upserts: change.upserts.map(({ name, version }) => `${name}@${version}`),
    removals: change.removals,
  };
}

/** A subscription, and the server's part: sends what there is to send and acknowledges it at once. */
function stream(options: DeltaOptions) {
  const subscription = new DeltaSubscription(options);
  let nonces = 0;
  const send = (map: ResourceMap): Told | undefined => {
    const change = subscription.change(map, "now");
    if (change !== undefined) subscription.sent(`n${++nonces}`, change);
    return told(change);
  };
  const deliver = (map: ResourceMap): Told | undefined => {
    const result = send(map);
    if (result !== undefined) assert.equal(subscription.request(ack(`n${nonces}`)).kind, "ack");
    return result;
  };
  return { subscription, send, deliver, take: (request: DeltaRequest) => subscription.request(request) };
}

describe("wildcard", () => {
  test("a first request without names asks for all listeners or clusters", () => {
    const { take, deliver } = stream(CLUSTERS);
    take(req());
    assert.deepEqual(deliver(resources({ a: "1", b: "1" })), { upserts: ["a@1", "b@1"], removals: [] });
  });

  test("a first request without names asks for nothing of types that have no such wildcard", () => {
    const { take, send, subscription } = stream(ENDPOINTS);
    take(req());
    assert.equal(subscription.wildcard, false);
    assert.equal(send(resources({ a: "1" })), undefined);
  });

  test("a later request without names is no wildcard subscription", () => {
    const { take, deliver, send } = stream(CLUSTERS);
    take(subscribe("a"));
    deliver(resources({ a: "1", b: "1" }));
    take(req());
    assert.equal(send(resources({ a: "1", b: "2" })), undefined);
  });

  test("a legacy wildcard stays when names are subscribed to beside it", () => {
    const { take, deliver } = stream(CLUSTERS);
    take(req());
    deliver(resources({ a: "1" }));
    take(subscribe("b"));
    assert.deepEqual(deliver(resources({ a: "2", c: "1" })), { upserts: ["a@2", "c@1"], removals: ["b"] });
  });

  test("an explicit wildcard works for every type", () => {
    const { take, deliver } = stream(ENDPOINTS);
    take(subscribe("*"));
    assert.deepEqual(deliver(resources({ a: "1" })), { upserts: ["a@1"], removals: [] });
  });

  test("a wildcard can be subscribed to after names, and ends with an unsubscription from it", () => {
    const { take, deliver, send } = stream(CLUSTERS);
    take(subscribe("a"));
    deliver(resources({ a: "1", b: "1" }));
    take(subscribe("*"));
    assert.deepEqual(deliver(resources({ a: "1", b: "1" })), { upserts: ["b@1"], removals: [] });
    take(unsubscribe("*"));
    assert.equal(send(resources({ a: "1", b: "2" })), undefined);
    assert.deepEqual(deliver(resources({ a: "2", b: "2" })), { upserts: ["a@2"], removals: [] });
  });

  test("a first wildcard is answered even when there is nothing", () => {
    const { take, deliver } = stream(CLUSTERS);
    take(req());
    assert.deepEqual(deliver(resources({})), { upserts: [], removals: [] });
    assert.equal(deliver(resources({})), undefined);
  });

  test("a name beside a wildcard that does not exist is told gone with everything else", () => {
    const { take, deliver } = stream(CLUSTERS);
    take(subscribe("*", "ghost"));
    assert.deepEqual(deliver(resources({ a: "1" })), { upserts: ["a@1"], removals: ["ghost"] });
  });

  test("an explicit name that is dropped beside a wildcard is told again, or told gone", () => {
    const { take, deliver } = stream(CLUSTERS);
    take(subscribe("*", "a", "ghost"));
    const map = resources({ a: "1" });
    deliver(map);
    take(unsubscribe("a", "ghost"));
    assert.deepEqual(deliver(map), { upserts: ["a@1"], removals: ["ghost"] });
  });
});

describe("names", () => {
  test("only what was asked for is sent", () => {
    const { take, deliver } = stream(ENDPOINTS);
    take(subscribe("a"));
    assert.deepEqual(deliver(resources({ a: "1", b: "1" })), { upserts: ["a@1"], removals: [] });
  });

  test("only what changed is sent", () => {
    const { take, deliver } = stream(ENDPOINTS);
    take(subscribe("a", "b"));
    deliver(resources({ a: "1", b: "1" }));
    assert.deepEqual(deliver(resources({ a: "1", b: "2" })), { upserts: ["b@2"], removals: [] });
    assert.equal(deliver(resources({ a: "1", b: "2" })), undefined);
  });

  test("a second subscription to a name is answered although its version is known", () => {
    const { take, deliver } = stream(ENDPOINTS);
    const map = resources({ a: "1", b: "1" });
    take(subscribe("a", "b"));
    deliver(map);
    take(subscribe("a"));
    assert.deepEqual(deliver(map), { upserts: ["a@1"], removals: [] });
  });

  test("unsubscribing and subscribing again before the server knew is answered", () => {
    const { take, send, deliver, subscription } = stream(ENDPOINTS);
    const map = resources({ a: "1" });
    take(subscribe("a"));
    send(map);
    take(unsubscribe("a"));
    take(subscribe("a"));
    assert.ok(subscription.outstanding);
    take(ack("n1"));
    assert.deepEqual(deliver(map), { upserts: ["a@1"], removals: [] });
  });

  test("a name that is unsubscribed while its response is on the way gets no update", () => {
    const { take, send } = stream(ENDPOINTS);
    take(subscribe("a"));
    send(resources({ a: "1" }));
    take(unsubscribe("a"));
    take(ack("n1"));
    assert.equal(send(resources({ a: "2" })), undefined);
  });

  test("a name that is both unsubscribed and subscribed in one request stays subscribed", () => {
    const { take, deliver } = stream(ENDPOINTS);
    take(req({ resourceNamesSubscribe: ["a"], resourceNamesUnsubscribe: ["a"] }));
    assert.deepEqual(deliver(resources({ a: "1" })), { upserts: ["a@1"], removals: [] });
  });

  test("unsubscribing from what was never subscribed to does nothing", () => {
    const { take, deliver, send } = stream(CLUSTERS);
    take(req());
    const map = resources({ a: "1" });
    deliver(map);
    take(unsubscribe("a", "b"));
    assert.equal(send(map), undefined);
  });

  test("a name that does not exist is told gone once, and sent when it appears", () => {
    const { take, deliver } = stream(ENDPOINTS);
    take(subscribe("a"));
    assert.deepEqual(deliver(resources({})), { upserts: [], removals: ["a"] });
    assert.equal(deliver(resources({ b: "1" })), undefined);
    assert.deepEqual(deliver(resources({ a: "1" })), { upserts: ["a@1"], removals: [] });
  });

  test("where absence means that nobody has told yet, the name is waited for", () => {
    const { take, deliver, send } = stream(RELAYED);
    take(subscribe("a"));
    assert.equal(send(resources({})), undefined);
    assert.deepEqual(deliver(resources({ a: "1" })), { upserts: ["a@1"], removals: [] });
    assert.equal(send(resources({})), undefined);
  });

  test("a removed resource is told gone once", () => {
    const { take, deliver } = stream(CLUSTERS);
    take(req());
    deliver(resources({ a: "1", b: "1" }));
    assert.deepEqual(deliver(resources({ a: "1" })), { upserts: [], removals: ["b"] });
    assert.equal(deliver(resources({ a: "1" })), undefined);
  });

  test("a removal can be held back, and is told with the next change that allows it", () => {
    const { take, deliver, subscription } = stream(CLUSTERS);
    take(req());
    deliver(resources({ a: "1", b: "1" }));
    const map = resources({ a: "2" });
    const change = subscription.change(map, "later");
    assert.deepEqual(told(change), { upserts: ["a@2"], removals: [] });
    assert.equal(change?.heldBack, true);
    assert.deepEqual(told(subscription.change(map, "now")), { upserts: ["a@2"], removals: ["b"] });
  });

  test("a client of everything that takes up and drops names without end, and answers nothing, is refused", () => {
    const { take, deliver } = stream(CLUSTERS);
    take(req());
    deliver(resources({ a: "1" }));
    const storm = (): void => {
      for (let round = 0; round < 6; round += 1) {
        const names = Array.from({ length: 10_000 }, (_, index) => `${round}-${index}`);
        take(subscribe(...names));
        take(unsubscribe(...names));
      }
    };
    assert.throws(storm, { code: "xds.refused" });
  });

  test("too many names are refused", () => {
    const { take } = stream(ENDPOINTS);
    const names = Array.from({ length: MOST_NAMES + 1 }, (_, index) => `n${index}`);
    assert.throws(() => take(subscribe(...names)), { code: "xds.refused" });
  });
});

describe("initial versions", () => {
  test("what the client has in the same version is not sent again", () => {
    const { take, deliver } = stream(CLUSTERS);
    take(req({ initialResourceVersions: { a: "1", b: "1" } }));
    assert.deepEqual(deliver(resources({ a: "1", b: "2", c: "1" })), {
      upserts: ["b@2", "c@1"],
      removals: [],
    });
  });

  test("what the client has and nobody has any more is told gone", () => {
    const { take, deliver } = stream(CLUSTERS);
    take(req({ initialResourceVersions: { a: "1", gone: "1" } }));
    assert.deepEqual(deliver(resources({ a: "1" })), { upserts: [], removals: ["gone"] });
  });

  test("an unknown version is sent anew", () => {
    const { take, deliver } = stream(ENDPOINTS);
    take(req({ resourceNamesSubscribe: ["a", "b"], initialResourceVersions: { a: "", b: "" } }));
    assert.deepEqual(deliver(resources({ a: "1" })), { upserts: ["a@1"], removals: ["b"] });
  });

  test("versions of names that are not subscribed to count for nothing", () => {
    const { take, deliver, subscription } = stream(ENDPOINTS);
    take(req({ resourceNamesSubscribe: ["a"], initialResourceVersions: { a: "1", b: "1" } }));
    assert.equal(deliver(resources({ a: "1" })), undefined);
    assert.equal(subscription.size, 1);
    take(subscribe("b"));
    assert.deepEqual(deliver(resources({ a: "1", b: "1" })), { upserts: ["b@1"], removals: [] });
  });

  test("they are taken from the first request only", () => {
    const { take, deliver } = stream(CLUSTERS);
    take(req());
    deliver(resources({ a: "1" }));
    take(req({ initialResourceVersions: { a: "9", z: "9" } }));
    assert.equal(deliver(resources({ a: "1" })), undefined);
  });
});

describe("answers", () => {
  test("an ACK carries what was sent", () => {
    const { take, send } = stream(CLUSTERS);
    take(req());
    send(resources({ a: "1" }));
    const answer = take(ack("n1"));
    assert.equal(answer.kind, "ack");
    assert.deepEqual(told(answer.kind === "ack" ? answer.sent : undefined), {
      upserts: ["a@1"],
      removals: [],
    });
  });

  test("a stale nonce answers nothing, and its subscriptions count", () => {
    const { take, send, deliver, subscription } = stream(ENDPOINTS);
    take(subscribe("a"));
    send(resources({ a: "1" }));
    const answer = take(req({ responseNonce: "n0", resourceNamesSubscribe: ["b"] }));
    assert.deepEqual(answer, { kind: "stale" });
    assert.equal(subscription.outstanding?.nonce, "n1");
    take(ack("n1"));
    assert.deepEqual(deliver(resources({ a: "1", b: "1" })), { upserts: ["b@1"], removals: [] });
  });

  test("a nonce that was answered before is stale", () => {
    const { take, deliver } = stream(CLUSTERS);
    take(req());
    deliver(resources({ a: "1" }));
    assert.deepEqual(take(ack("n1")), { kind: "stale" });
  });

  test("a refused version is not sent again, its next version is", () => {
    const { take, send, deliver, subscription } = stream(CLUSTERS);
    take(req());
    send(resources({ a: "1" }));
    take(nack("n1"));
    assert.deepEqual([...subscription.rejected], [["a", "1"]]);
    for (let publish = 0; publish < 100; publish += 1) assert.equal(send(resources({ a: "1" })), undefined);
    assert.deepEqual(deliver(resources({ a: "2" })), { upserts: ["a@2"], removals: [] });
    assert.equal(subscription.rejected.size, 0);
  });

  test("going back to the version before the refused one is sent, since the client may have either", () => {
    const { take, send, deliver } = stream(CLUSTERS);
    take(req());
    deliver(resources({ a: "1" }));
    send(resources({ a: "2" }));
    take(nack("n2"));
    assert.deepEqual(deliver(resources({ a: "1" })), { upserts: ["a@1"], removals: [] });
  });

  test("a refusal that names resources refuses those alone", () => {
    const { take, send } = stream(CLUSTERS);
    take(req());
    const map = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`c${index}`, "1"]));
    send(resources(map));
    const answer = take(nack("n1", "Error adding/updating cluster(s) c12: no such thing"));
    assert.deepEqual(answer.kind === "nack" ? answer.rejected : [], ["c12"]);
  });

  test("a refusal that names nothing refuses the whole response, removals too", () => {
    const { take, deliver, send } = stream(CLUSTERS);
    take(req());
    deliver(resources({ a: "1", b: "1" }));
    send(resources({ a: "2" }));
    const answer = take(nack("n2", "broken"));
    assert.deepEqual(answer.kind === "nack" ? answer.rejected : [], ["b", "a"]);
  });

  test("a refreshed resource goes out again in the same version, others do not", () => {
    const { take, deliver, subscription } = stream(ENDPOINTS);
    const map = resources({ a: "1", b: "1", c: "1" });
    take(subscribe("a", "b"));
    deliver(map);
    subscription.refresh(["b", "c"]);
    assert.deepEqual(deliver(map), { upserts: ["b@1"], removals: [] });
    assert.equal(deliver(map), undefined);
  });
});

describe("a name that is being looked up", () => {
  const awaited = (...names: string[]) => {
    const it = stream(CLUSTERS);
    it.subscription.request(subscribe());
    it.deliver(resources({ a: "1" }));
    it.subscription.request(subscribe(...names), names);
    return it;
  };

  test("is not told absent, while one that is not looked up is", () => {
    const { deliver, subscription } = awaited("asked");
    assert.equal(deliver(resources({ a: "1" })), undefined);
    subscription.request(subscribe("other"));
    assert.deepEqual(deliver(resources({ a: "1" })), { upserts: [], removals: ["other"] });
  });

  test("is told as soon as it is there, and gone when it goes", () => {
    const { deliver } = awaited("asked");
    assert.deepEqual(deliver(resources({ a: "2" })), { upserts: ["a@2"], removals: [] });
    assert.deepEqual(deliver(resources({ a: "2", asked: "1" })), { upserts: ["asked@1"], removals: [] });
    assert.deepEqual(deliver(resources({ a: "2" })), { upserts: [], removals: ["asked"] });
  });

  test("stays with a client that has it from another server, until this one has looked it up", () => {
    const { deliver, subscription } = stream(CLUSTERS);
    const versions = { a: "1", asked: "1" };
    const first = req({ resourceNamesSubscribe: ["*", "asked"], initialResourceVersions: versions });
    subscription.request(first, ["asked"]);
    assert.deepEqual(deliver(resources({ a: "1" })), { upserts: [], removals: [] });
    assert.equal(deliver(resources({ a: "1", asked: "1" })), undefined);
    assert.deepEqual(deliver(resources({ a: "1" })), { upserts: [], removals: ["asked"] });
  });

  test("is told absent like others once it was left and is asked for again", () => {
    const { deliver, subscription } = awaited("asked");
    subscription.request(unsubscribe("asked"));
    deliver(resources({ a: "1" }));
    subscription.request(subscribe("asked"));
    assert.deepEqual(deliver(resources({ a: "1" })), { upserts: [], removals: ["asked"] });
  });
});
