import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type ResourceMap, resourceMap } from "../../mesh/xds/encoded-resource.ts";
import { type SotwOptions, type SotwRequest, SotwSubscription } from "./sotw-subscription.ts";

const CLUSTERS: SotwOptions = { wholeState: true };
const ENDPOINTS: SotwOptions = { wholeState: false };

function resources(versions: Record<string, string>): ResourceMap {
  return resourceMap(
    Object.entries(versions).map(([name, version]) => ({ name, version, bytes: new Uint8Array() })),
  );
}

/** A subscription and the server's part; `deliver` sends what there is and has it acknowledged. */
function stream(options: SotwOptions) {
  const subscription = new SotwSubscription(options);
  let nonces = 0;
  let names: readonly string[] = [];
  const request = (given: Partial<SotwRequest>) =>
    subscription.request({ resourceNames: names, responseNonce: "", errorDetail: undefined, ...given });
  const send = (map: ResourceMap): readonly string[] | undefined => {
    const change = subscription.change(map, "now");
    if (change === undefined) return undefined;
    nonces += 1;
    subscription.sent(`n${nonces}`, change);
    return change.upserts.map(({ name, version }) => `${name}@${version}`);
  };
  return {
    subscription,
    request,
    send,
    /** The client's names from now on, told with the last nonce (none at first). */
    ask: (...list: string[]) => {
      names = list;
      return request({ responseNonce: nonces === 0 ? "" : `n${nonces}` });
    },
    deliver: (map: ResourceMap) => {
      const sent = send(map);
      if (sent !== undefined) assert.equal(request({ responseNonce: `n${nonces}` }).kind, "ack");
      return sent;
    },
  };
}

describe("listeners and clusters", () => {
  test("a first request without names asks for everything, and is answered even when there is nothing", () => {
    const { ask, deliver } = stream(CLUSTERS);
    ask();
    assert.deepEqual(deliver(resources({})), []);
    assert.deepEqual(deliver(resources({ a: "1" })), ["a@1"]);
  });

  test("each response has the whole state, and there is none without a change", () => {
    const { ask, deliver } = stream(CLUSTERS);
    ask();
    deliver(resources({ a: "1", b: "1" }));
    assert.equal(deliver(resources({ a: "1", b: "1" })), undefined);
    assert.deepEqual(deliver(resources({ a: "1", b: "2" })), ["a@1", "b@2"]);
    assert.deepEqual(deliver(resources({ b: "2" })), ["b@2"]);
  });

  test("a removal that is held back keeps the old resource in the response", () => {
    const { ask, deliver, subscription } = stream(CLUSTERS);
    ask();
    deliver(resources({ a: "1", b: "1" }));
    const map = resources({ a: "2" });
    const change = subscription.change(map, "later");
    assert.deepEqual(
      change?.upserts.map(({ name }) => name),
      ["a", "b"],
    );
    assert.equal(change?.heldBack, true);
    assert.deepEqual(deliver(map), ["a@2"]);
  });

  test("names end the legacy wildcard, and no names afterwards are no wildcard again", () => {
    const { ask, deliver, subscription } = stream(CLUSTERS);
    ask();
    deliver(resources({ a: "1", b: "1" }));
    ask("a");
    assert.equal(subscription.wildcard, false);
    assert.deepEqual(deliver(resources({ a: "1", b: "2" })), ["a@1"]);
    ask();
    assert.equal(subscription.wildcard, false);
    assert.equal(deliver(resources({ a: "2", b: "2" })), undefined);
  });

  test("an explicit wildcard can be taken up again", () => {
    const { ask, deliver } = stream(CLUSTERS);
    ask("a");
    deliver(resources({ a: "1", b: "1" }));
    ask("*");
    assert.deepEqual(deliver(resources({ a: "1", b: "1" })), ["a@1", "b@1"]);
  });
});

describe("endpoints and routes", () => {
  test("no names ask for nothing", () => {
    const { ask, send } = stream(ENDPOINTS);
    ask();
    assert.equal(send(resources({ a: "1" })), undefined);
  });

  test("a response has only what changed", () => {
    const { ask, deliver } = stream(ENDPOINTS);
    ask("a", "b");
    assert.deepEqual(deliver(resources({ a: "1", b: "1", c: "1" })), ["a@1", "b@1"]);
    assert.deepEqual(deliver(resources({ a: "1", b: "2", c: "2" })), ["b@2"]);
  });

  test("a name that is asked for anew is answered although nothing changed", () => {
    const { ask, deliver } = stream(ENDPOINTS);
    const map = resources({ a: "1", b: "1" });
    ask("a");
    deliver(map);
    ask("a", "b");
    assert.deepEqual(deliver(map), ["b@1"]);
    ask("a");
    ask("a", "b");
    assert.deepEqual(deliver(map), ["b@1"]);
  });

  test("fewer names get no response", () => {
    const { ask, deliver } = stream(ENDPOINTS);
    const map = resources({ a: "1", b: "1" });
    ask("a", "b");
    deliver(map);
    ask("a");
    assert.equal(deliver(map), undefined);
  });

  test("a name that does not exist is sent when it appears", () => {
    const { ask, deliver } = stream(ENDPOINTS);
    ask("a");
    assert.equal(deliver(resources({})), undefined);
    assert.deepEqual(deliver(resources({ a: "1" })), ["a@1"]);
  });
});

describe("answers", () => {
  test("a request with a stale nonce is ignored as a whole, its names too", () => {
    const { ask, send, request, subscription } = stream(ENDPOINTS);
    ask("a");
    send(resources({ a: "1" }));
    assert.deepEqual(request({ responseNonce: "n0", resourceNames: ["b"] }), { kind: "stale" });
    assert.equal(subscription.covers("b"), false);
    assert.equal(subscription.outstanding?.nonce, "n1");
  });

  test("a first request may carry the nonce of a former stream", () => {
    const { request, deliver } = stream(CLUSTERS);
    assert.equal(request({ responseNonce: "of another stream" }).kind, "none");
    assert.deepEqual(deliver(resources({ a: "1" })), ["a@1"]);
  });

  test("a new subscription with the last nonce after its ACK is taken", () => {
    const { ask, deliver } = stream(ENDPOINTS);
    ask("a");
    deliver(resources({ a: "1", b: "1" }));
    assert.equal(ask("a", "b").kind, "none");
    assert.deepEqual(deliver(resources({ a: "1", b: "1" })), ["b@1"]);
  });

  test("a refused state is not sent again until it changes", () => {
    const { ask, send, request, deliver, subscription } = stream(CLUSTERS);
    ask();
    send(resources({ a: "1" }));
    const answer = request({ responseNonce: "n1", errorDetail: { message: "no" } });
    assert.deepEqual(answer.kind === "nack" ? answer.rejected : undefined, ["a"]);
    for (let publish = 0; publish < 100; publish += 1) assert.equal(send(resources({ a: "1" })), undefined);
    assert.deepEqual(deliver(resources({ a: "2" })), ["a@2"]);
    assert.equal(subscription.rejected.size, 0);
  });
});
