import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type DeltaRequest, DeltaSubscription } from "../../mesh/xds/delta-subscription.ts";
import { resourceMap } from "../../mesh/xds/encoded-resource.ts";
import { PUSH_ORDER, TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import type { NodeResources, ResourceMap } from "./config-source.ts";
import { type Push, PushScheduler } from "./push-scheduler.ts";
import { deltaWire } from "./wire.ts";

const { cluster, endpoints, listener, route } = TYPE_URL;
type Short = "cluster" | "endpoints" | "listener" | "route";
type Versions = Partial<Record<Short, Record<string, string>>>;

const SHORT = new Map<TypeUrl, string>(Object.entries(TYPE_URL).map(([short, url]) => [url, short]));

function state(versions: Versions): NodeResources {
  const types = new Map<TypeUrl, ResourceMap>();
  for (const short of ["cluster", "endpoints", "listener", "route"] as const) {
    const entries = Object.entries(versions[short] ?? {});
    types.set(
      TYPE_URL[short],
      resourceMap(entries.map(([name, version]) => ({ name, version, bytes: new Uint8Array() }))),
    );
  }
  return { snapshot: 1, types };
}

function req(request: Partial<DeltaRequest>): DeltaRequest {
  return {
    resourceNamesSubscribe: [],
    resourceNamesUnsubscribe: [],
    initialResourceVersions: {},
    responseNonce: "",
    errorDetail: undefined,
    ...request,
  };
}

/** `cluster +a@1 -b` */
function line({ typeUrl, change }: Push): string {
  const upserts = change.upserts.map(({ name, version }) => `+${name}@${version}`);
  return [SHORT.get(typeUrl), ...upserts, ...change.removals.map((name) => `-${name}`)].join(" ");
}

class Client {
  readonly scheduler = new PushScheduler<DeltaSubscription>((typeUrl) => deltaWire.create(typeUrl));
  #sent = new Map<TypeUrl, string>();

  ask(typeUrl: TypeUrl, request: Partial<DeltaRequest> = {}): void {
    this.scheduler.request(typeUrl, (subscription) => subscription.request(req(request)));
  }

  pushes(resources: NodeResources): readonly string[] {
    const lines: string[] = [];
    for (let push = this.scheduler.next(resources); push !== undefined; ) {
      this.#sent.set(push.typeUrl, push.nonce);
      lines.push(line(push));
      push = this.scheduler.next(resources);
    }
    return lines;
  }

  answer(typeUrl: TypeUrl, message?: string): void {
    const responseNonce = this.#sent.get(typeUrl) ?? "";
    this.ask(typeUrl, { responseNonce, errorDetail: message === undefined ? undefined : { message } });
  }

  ackAll(): void {
    for (const typeUrl of this.#sent.keys()) this.answer(typeUrl);
    this.#sent.clear();
  }

  /** A client that has everything of `resources`. */
  static synced(resources: NodeResources): Client {
    const client = new Client();
    for (const typeUrl of PUSH_ORDER) {
      const names = [...(resources.types.get(typeUrl)?.keys() ?? [])];
      const isNamed = typeUrl === endpoints || typeUrl === route;
      client.ask(typeUrl, isNamed ? { resourceNamesSubscribe: names } : {});
      client.pushes(resources);
      client.ackAll();
    }
    assert.deepEqual(client.pushes(resources), []);
    return client;
  }
}

describe("order", () => {
  test("clusters go first, then endpoints, listeners, routes, in whatever order they were asked for", () => {
    const client = new Client();
    client.ask(route, { resourceNamesSubscribe: ["r"] });
    client.ask(listener);
    client.ask(endpoints, { resourceNamesSubscribe: ["c"] });
    client.ask(cluster);
    const all = state({
      cluster: { c: "1" },
      endpoints: { c: "1" },
      listener: { l: "1" },
      route: { r: "1" },
    });
    assert.deepEqual(client.pushes(all), ["cluster +c@1", "endpoints +c@1"]);
    client.answer(cluster);
    client.answer(endpoints);
    assert.deepEqual(client.pushes(all), ["listener +l@1", "route +r@1"]);
  });

  test("a route to a new cluster waits until the client has taken the cluster and its endpoints", () => {
    const client = Client.synced(state({ cluster: { c: "1" }, endpoints: { c: "1" }, route: { r: "1" } }));
    const next = state({
      cluster: { c: "1", d: "1" },
      endpoints: { c: "1", d: "1" },
      route: { r: "to d" },
    });
    assert.deepEqual(client.pushes(next), ["cluster +d@1"]);
    client.ask(endpoints, { resourceNamesSubscribe: ["d"] });
    assert.deepEqual(client.pushes(next), ["endpoints +d@1"]);
    client.answer(cluster);
    assert.deepEqual(client.pushes(next), []);
    client.answer(endpoints);
    assert.deepEqual(client.pushes(next), ["route +r@to d"]);
  });

  test("routes do not wait for endpoints that merely change, however often", () => {
    const client = Client.synced(state({ cluster: { c: "1" }, endpoints: { c: "1" }, route: { r: "1" } }));
    const next = state({ cluster: { c: "1" }, endpoints: { c: "2" }, route: { r: "2" } });
    assert.deepEqual(client.pushes(next), ["endpoints +c@2", "route +r@2"]);
  });

  test("what refers to a cluster waits while that cluster cannot go out", () => {
    const before = state({ cluster: { c: "1" }, route: { r: "1" } });
    const client = Client.synced(before);
    assert.deepEqual(client.pushes(state({ cluster: { c: "2" }, route: { r: "1" } })), ["cluster +c@2"]);
    const next = state({ cluster: { c: "2", d: "1" }, route: { r: "to d" } });
    assert.deepEqual(client.pushes(next), []);
    client.answer(cluster);
    assert.deepEqual(client.pushes(next), ["cluster +d@1"]);
    client.answer(cluster);
    assert.deepEqual(client.pushes(next), ["route +r@to d"]);
  });

  test("a change of endpoints does not wait for the answer to unrelated clusters", () => {
    const client = Client.synced(state({ cluster: { c: "1" }, endpoints: { c: "1" } }));
    const clusterChange = state({ cluster: { c: "1", d: "1" }, endpoints: { c: "1" } });
    assert.deepEqual(client.pushes(clusterChange), ["cluster +d@1"]);
    const both = state({ cluster: { c: "1", d: "1" }, endpoints: { c: "2" } });
    assert.deepEqual(
      client.pushes({
        ...both,
        types: new Map([...both.types, [cluster, clusterChange.types.get(cluster) as ResourceMap]]),
      }),
      ["endpoints +c@2"],
    );
  });

  test("endpoints go out while clusters are unanswered and newer clusters wait, or both sides would wait for ever", () => {
    const client = Client.synced(state({ cluster: { c: "1" }, endpoints: { c: "1" } }));
    const next = state({ cluster: { c: "1", d: "1" }, endpoints: { c: "1", d: "1" } });
    assert.deepEqual(client.pushes(next), ["cluster +d@1"]);
    const newest = state({ cluster: { c: "1", d: "1", e: "1" }, endpoints: { c: "1", d: "1", e: "1" } });
    assert.deepEqual(client.pushes(newest), []);
    client.ask(endpoints, { resourceNamesSubscribe: ["d"] });
    assert.deepEqual(client.pushes(newest), ["endpoints +d@1"]);
    client.answer(endpoints);
    client.answer(cluster);
    assert.deepEqual(client.pushes(newest), ["cluster +e@1"]);
  });

  test("clusters and endpoints are removed last, once routes and listeners are taken", () => {
    const before = state({
      cluster: { c: "1", old: "1" },
      endpoints: { c: "1", old: "1" },
      route: { r: "to old" },
    });
    const client = Client.synced(before);
    const after = state({ cluster: { c: "1" }, endpoints: { c: "1" }, route: { r: "to c" } });
    assert.deepEqual(client.pushes(after), ["route +r@to c"]);
    client.answer(route);
    assert.deepEqual(client.pushes(after), ["cluster -old"]);
    client.ask(endpoints, { resourceNamesUnsubscribe: ["old"] });
    client.answer(cluster);
    assert.deepEqual(client.pushes(after), []);
    assert.equal(client.scheduler.isSettled(cluster, after), true);
    assert.equal(client.scheduler.isSettled(endpoints, after), true);
  });

  test("a removal goes with nothing in its way at once", () => {
    const client = Client.synced(state({ cluster: { c: "1", old: "1" } }));
    assert.deepEqual(client.pushes(state({ cluster: { c: "1" } })), ["cluster -old"]);
  });

  test("while a route is refused, what the client's old one may use stays", () => {
    const client = Client.synced(state({ cluster: { old: "1" }, route: { r: "1" } }));
    const bad = state({ cluster: { new: "1" }, route: { r: "2" } });
    assert.deepEqual(client.pushes(bad), ["cluster +new@1"]);
    client.answer(cluster);
    assert.deepEqual(client.pushes(bad), ["route +r@2"]);
    client.answer(route, "no");
    assert.deepEqual(client.pushes(bad), []);
    assert.equal(client.scheduler.isSettled(cluster, bad), false);
    const good = state({ cluster: { new: "1" }, route: { r: "3" } });
    assert.deepEqual(client.pushes(good), ["route +r@3"]);
    client.answer(route);
    assert.deepEqual(client.pushes(good), ["cluster -old"]);
  });
});

describe("back-pressure", () => {
  test("one response per type is unanswered, and the newest state follows, not those in between", () => {
    const client = new Client();
    client.ask(cluster);
    assert.deepEqual(client.pushes(state({ cluster: { a: "1" } })), ["cluster +a@1"]);
    for (let version = 2; version < 100; version += 1) {
      assert.deepEqual(client.pushes(state({ cluster: { a: String(version) } })), []);
    }
    client.answer(cluster);
    assert.deepEqual(client.pushes(state({ cluster: { a: "100" } })), ["cluster +a@100"]);
  });

  test("a state that came and went while the client was busy is never sent", () => {
    const client = new Client();
    client.ask(cluster);
    client.pushes(state({ cluster: { a: "1" } }));
    assert.deepEqual(client.pushes(state({ cluster: { a: "bad" } })), []);
    assert.deepEqual(client.pushes(state({ cluster: { a: "1" } })), []);
    client.answer(cluster);
    assert.deepEqual(client.pushes(state({ cluster: { a: "1" } })), []);
  });
});

describe("warming", () => {
  test("endpoints follow a changed cluster although they did not change", () => {
    const client = Client.synced(state({ cluster: { c: "1", d: "1" }, endpoints: { c: "1", d: "1" } }));
    const next = state({ cluster: { c: "2", d: "1" }, endpoints: { c: "1", d: "1" } });
    assert.deepEqual(client.pushes(next), ["cluster +c@2", "endpoints +c@1"]);
  });

  test("routes follow a changed listener although they did not change", () => {
    const client = Client.synced(state({ listener: { l: "1" }, route: { r: "1" } }));
    assert.deepEqual(client.pushes(state({ listener: { l: "2" }, route: { r: "1" } })), [
      "listener +l@2",
      "route +r@1",
    ]);
  });

  test("after a reconnect, endpoints of a changed cluster are sent although the client has their version", () => {
    const client = new Client();
    const now = state({ cluster: { c: "2" }, endpoints: { c: "1" } });
    client.ask(cluster, { initialResourceVersions: { c: "1" } });
    assert.deepEqual(client.pushes(now), ["cluster +c@2"]);
    client.ask(endpoints, { resourceNamesSubscribe: ["c"], initialResourceVersions: { c: "1" } });
    assert.deepEqual(client.pushes(now), ["endpoints +c@1"]);
  });
});

test("a reconnect with the same versions sends nothing but the answer to the wildcards", () => {
  const client = new Client();
  const now = state({ cluster: { c: "1" }, endpoints: { c: "1" } });
  client.ask(cluster, { initialResourceVersions: { c: "1" } });
  client.ask(endpoints, { resourceNamesSubscribe: ["c"], initialResourceVersions: { c: "1" } });
  assert.deepEqual(client.pushes(now), ["cluster"]);
});

test("a type that is refused holds up no other type", () => {
  const client = Client.synced(state({ cluster: { c: "1" }, listener: { l: "1" } }));
  client.pushes(state({ cluster: { c: "1" }, listener: { l: "bad" } }));
  client.answer(listener, "no");
  assert.deepEqual(client.pushes(state({ cluster: { c: "2" }, listener: { l: "bad" } })), ["cluster +c@2"]);
});
