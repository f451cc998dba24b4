import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { MeshError } from "../../mesh/errors.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import { type DeltaClient, deltaLine } from "../../test/harness/ads-clients.ts";
import { eventually } from "../../test/harness/eventually.ts";
import { startAds } from "../../test/harness/running-ads.ts";
import type { Authorization } from "./ads-connection.ts";
import type { Propagation } from "./ads-stream.ts";

const { cluster, endpoints, listener, route, secret } = TYPE_URL;
const NODE = { id: "node-1" };
const within = (): AbortSignal => AbortSignal.timeout(2000);

/** Subscribes to everything of a small configuration as Envoy does, and acknowledges it. */
async function sync(client: DeltaClient): Promise<readonly string[]> {
  client.request(cluster, { node: NODE });
  const lines = [await client.take()];
  client.request(endpoints, { resourceNamesSubscribe: ["c"] });
  lines.push(await client.take());
  client.request(listener);
  lines.push(await client.take());
  client.request(route, { resourceNamesSubscribe: ["r"] });
  lines.push(await client.take());
  return lines;
}

const SMALL = { cluster: { c: "1" }, endpoints: { c: "1" }, listener: { l: "1" }, route: { r: "1" } };

describe("delta", () => {
  test("a client that asks step by step is served step by step", async () => {
    await using server = await startAds();
    server.source.publish("node-1", SMALL);
    assert.deepEqual(await sync(server.delta()), [
      "cluster +c@1",
      "endpoints +c@1",
      "listener +l@1",
      "route +r@1",
    ]);
  });

  test("the bytes of a resource arrive as they were encoded, under their type", async () => {
    await using server = await startAds();
    server.source.publish("node-1", SMALL);
    const client = server.delta();
    client.request(cluster, { node: NODE });
    const [resource] = (await client.inbox.next()).resources;
    assert.equal(resource?.resource?.typeUrl, cluster);
    assert.equal(Buffer.from(resource?.resource?.value ?? []).toString(), "c@1");
  });

  test("a publication reaches the client as the difference, in push order", async () => {
    await using server = await startAds();
    server.source.publish("node-1", SMALL);
    const client = server.delta();
    await sync(client);
    server.source.publish("node-1", { ...SMALL, cluster: { c: "1", d: "1" }, route: { r: "2" } });
    assert.equal(await client.take(), "cluster +d@1");
    assert.equal(await client.take(), "route +r@2");
    assert.equal(await client.inbox.quiet(), undefined);
  });

  test("a client that does not answer gets nothing more, then the newest", async () => {
    await using server = await startAds();
    server.source.publish("node-1", { cluster: { c: "1" } });
    const client = server.delta();
    client.request(cluster, { node: NODE });
    const first = await client.inbox.next();
    for (let version = 2; version <= 50; version += 1) {
      server.source.publish("node-1", { cluster: { c: String(version) } });
    }
    assert.equal(await client.inbox.quiet(), undefined);
    client.ack(first);
    assert.equal(await client.take(), "cluster +c@50");
    assert.equal(await client.inbox.quiet(), undefined);
  });

  test("a stale nonce is no answer", async () => {
    await using server = await startAds();
    server.source.publish("node-1", { cluster: { c: "1" } });
    const client = server.delta();
    client.request(cluster, { node: NODE });
    const first = await client.inbox.next();
    server.source.publish("node-1", { cluster: { c: "2" } });
    client.request(cluster, { responseNonce: "of yesterday" });
    assert.equal(await client.inbox.quiet(), undefined);
    client.ack(first);
    assert.equal(await client.take(), "cluster +c@2");
  });

  test("a refused version is sent once, however often something else is published", async () => {
    await using server = await startAds();
    server.source.publish("node-1", { cluster: { bad: "1", good: "1" } });
    const client = server.delta();
    client.request(cluster, { node: NODE });
    client.nack(await client.inbox.next(), "Error adding/updating cluster(s) bad: no");
    for (let version = 2; version < 6; version += 1) {
      server.source.publish("node-1", { cluster: { bad: "1", good: String(version) } });
      assert.equal(await client.take(), `cluster +good@${version}`);
    }
    await server.ads.status.waitForSync(server.source.snapshot, within());
    const types = server.ads.status.list()[0]?.types.get(cluster);
    assert.equal(types?.state, "REJECTED");
    assert.deepEqual(types?.lastNack?.resources, ["bad"]);
  });

  test("after a reconnect with versions only differences flow", async () => {
    await using server = await startAds();
    server.source.publish("node-1", { cluster: { a: "1", b: "2", c: "1" } });
    const client = server.delta();
    client.request(cluster, { node: NODE, initialResourceVersions: { a: "1", b: "1", gone: "1" } });
    assert.equal(await client.take(), "cluster +b@2 +c@1");
    assert.equal(await client.take(), "cluster -gone");
  });

  test("a credential is sent to who names it, before what refers to it", async () => {
    await using server = await startAds();
    server.source.publish("node-1", { secret: { "kubernetes://edge": "1" }, listener: { l: "1" } });
    const client = server.delta();
    client.request(listener, { node: NODE });
    const first = await client.inbox.next();
    assert.equal(deltaLine(first), "listener +l@1");
    client.request(secret, { resourceNamesSubscribe: ["kubernetes://edge"] });
    const credential = await client.inbox.next();
    assert.equal(deltaLine(credential), "secret +kubernetes://edge@1");
    client.ack(first);
    client.ack(credential);
    server.source.publish("node-1", { secret: { "kubernetes://edge": "2" }, listener: { l: "2" } });
    assert.equal(await client.take(), "secret +kubernetes://edge@2");
    assert.equal(await client.take(), "listener +l@2");
  });

  test("types that nobody serves are never answered", async () => {
    await using server = await startAds();
    server.source.publish("node-1", SMALL);
    const client = server.delta();
    client.request("type.googleapis.com/unheard.of", { node: NODE, resourceNamesSubscribe: ["*"] });
    assert.equal(await client.inbox.quiet(), undefined);
    client.request(cluster);
    assert.equal(await client.take(), "cluster +c@1");
  });

  test("two nodes get each its own", async () => {
    await using server = await startAds();
    server.source.publish("node-1", { cluster: { one: "1" } });
    server.source.publish("node-2", { cluster: { two: "1" } });
    const [one, two] = [server.delta(), server.delta()];
    one.request(cluster, { node: { id: "node-1" } });
    two.request(cluster, { node: { id: "node-2" } });
    assert.equal(await one.take(), "cluster +one@1");
    assert.equal(await two.take(), "cluster +two@1");
  });
});

describe("state of the world", () => {
  test("a client gets all clusters, and of endpoints what changed", async () => {
    await using server = await startAds();
    const two = { cluster: { c: "1", d: "1" }, endpoints: { c: "1", d: "1" } };
    server.source.publish("node-1", two);
    const client = server.sotw();
    client.request(cluster, { node: NODE });
    const first = await client.inbox.next();
    assert.equal(first.resources.length, 2);
    client.request(cluster, { responseNonce: first.nonce, versionInfo: first.versionInfo });
    client.request(endpoints, { resourceNames: ["c", "d"] });
    const second = await client.inbox.next();
    assert.equal(second.resources.length, 2);
    const names = { resourceNames: ["c", "d"] };
    client.request(endpoints, { ...names, responseNonce: second.nonce, versionInfo: second.versionInfo });
    server.source.publish("node-1", { ...two, endpoints: { c: "1", d: "2" } });
    const third = await client.inbox.next();
    assert.deepEqual(
      third.resources.map(({ value }) => Buffer.from(value).toString()),
      ["d@2"],
    );
  });

  test("the version of a response is that of its content", async () => {
    await using server = await startAds();
    server.source.publish("node-1", { cluster: { c: "1" } });
    server.source.publish("node-2", { cluster: { c: "1" } });
    const [one, two] = [server.sotw(), server.sotw()];
    one.request(cluster, { node: { id: "node-1" } });
    two.request(cluster, { node: { id: "node-2" } });
    assert.equal((await one.inbox.next()).versionInfo, (await two.inbox.next()).versionInfo);
  });
});

describe("who is served", () => {
  test("a node whose workload is not known waits, and is served as soon as it is", async () => {
    await using server = await startAds();
    const client = server.delta();
    client.request(cluster, { node: NODE });
    assert.equal(await client.inbox.quiet(), undefined);
    server.source.publish("node-1", SMALL);
    assert.equal(await client.take(), "cluster +c@1");
  });

  test("a node that nobody has registered yet is asked about again after each publication", async () => {
    let verdict: Authorization = { kind: "unknown" };
    await using server = await startAds({ authorize: () => verdict });
    const client = server.delta();
    client.request(cluster, { node: NODE });
    client.request(endpoints, { resourceNamesSubscribe: ["c"] });
    server.source.publish("node-1", SMALL);
    assert.equal(await client.inbox.quiet(), undefined);
    verdict = { kind: "allowed", node: { id: "node-1", workload: "default/node-1" } };
    server.source.publish("node-1", SMALL);
    assert.equal(await client.take(), "cluster +c@1");
    assert.equal(await client.take(), "endpoints +c@1");
  });

  test("what a node asks for while others are told, before anybody has registered it, is not forgotten", async () => {
    let verdict: Authorization = { kind: "unknown" };
    let now = 0;
    const asked: string[] = [];
    // Each look at it finds a slice of the wave over, so that there is time for requests to come in between.
    const clock = { ...systemClock, monotonic: () => (now += 10) };
    const authorize = (_call: unknown, id: string): Authorization => {
      if (id === "node-1") asked.push(id);
      return id === "node-1" ? verdict : { kind: "allowed", node: { id, workload: `default/${id}` } };
    };
    await using server = await startAds({ clock, authorize });
    for (let index = 0; index < 64; index += 1) server.delta().request(cluster, { node: { id: "node-2" } });
    await eventually("all others are connected", () => server.ads.status.list().length === 64);
    const client = server.delta();
    client.request(cluster, { node: NODE });
    client.request(endpoints, { resourceNamesSubscribe: ["c"] });
    client.request(listener);
    while (asked.length === 0) {
      server.source.publish("node-1", SMALL);
      await nextTurn();
    }
    verdict = { kind: "allowed", node: { id: "node-1", workload: "default/node-1" } };
    server.source.publish("node-1", SMALL);
    const lines = [await client.take(), await client.take(), await client.take()];
    assert.deepEqual(lines, ["cluster +c@1", "endpoints +c@1", "listener +l@1"]);
  });

  test("a node of another agent is refused, without a reason", async () => {
    await using server = await startAds({
      authorize: () => ({ kind: "refused", reason: "agent a-7 has it" }),
    });
    const client = server.delta();
    const details = Promise.withResolvers<string>();
    client.stream.on("error", (error) => details.resolve(error.message));
    client.request(cluster, { node: NODE });
    assert.equal(await client.inbox.ended, status.PERMISSION_DENIED);
    assert.doesNotMatch(await details.promise, /a-7/);
  });

  test("a peer that may have no stream is sent away before it has said anything, and counts for nothing", async () => {
    await using server = await startAds({
      mostStreams: 1,
      authenticate: () => {
        throw new MeshError("attest.unauthenticated", "authenticate the agent");
      },
    });
    assert.equal(await server.delta().inbox.ended, status.UNAUTHENTICATED);
    assert.equal(await server.delta().inbox.ended, status.UNAUTHENTICATED);
  });

  test("an agent that is banned while its stream is open hears that it is refused", async () => {
    let isBanned = false;
    await using server = await startAds({
      authorize: (_call, id) => {
        if (isBanned) throw new MeshError("attest.refused", "the agent is banned");
        return { kind: "allowed", node: { id, workload: `default/${id}` } };
      },
    });
    server.source.publish("node-1", SMALL);
    const client = server.delta();
    await sync(client);
    isBanned = true;
    server.source.publish("node-1", { ...SMALL, cluster: { c: "2" } });
    assert.equal(await client.inbox.ended, status.PERMISSION_DENIED);
  });

  test("a workload that moves to another agent is served no longer", async () => {
    let verdict: Authorization = { kind: "allowed", node: { id: "node-1", workload: "default/node-1" } };
    await using server = await startAds({ authorize: () => verdict });
    server.source.publish("node-1", SMALL);
    const client = server.delta();
    await sync(client);
    verdict = { kind: "refused", reason: "moved" };
    server.source.publish("node-1", { ...SMALL, cluster: { c: "2" } });
    assert.equal(await client.inbox.ended, status.PERMISSION_DENIED);
    assert.deepEqual(server.ads.status.list(), []);
  });

  test("where it is told when an answer may have changed, it is asked for again then, and after a while", async () => {
    let [asked, revision, minutes] = [0, 0, 0];
    await using server = await startAds({
      authorize: (_call, id) => {
        asked += 1;
        if (revision > 1) return { kind: "refused", reason: "moved" };
        return { kind: "allowed", node: { id, workload: `default/${id}` } };
      },
      authorizationRevision: () => revision,
      clock: { ...systemClock, monotonic: () => systemClock.monotonic() + minutes * 60_000 },
    });
    let version = 0;
    const publish = (): void => {
      version += 1;
      server.source.publish("node-1", { cluster: { c: String(version) } });
    };
    publish();
    const client = server.delta();
    client.request(cluster, { node: NODE });
    await client.take();
    const askedAfter = async (change: () => void): Promise<number> => {
      change();
      const before = asked;
      for (let round = 0; round < 3; round++) {
        publish();
        await client.take();
      }
      return asked - before;
    };
    assert.equal(await askedAfter(() => {}), 1, "the first answer was for the stream's start");
    assert.equal(await askedAfter(() => {}), 0);
    assert.equal(await askedAfter(() => (revision = 1)), 1);
    assert.equal(await askedAfter(() => (minutes = 1)), 1);
    revision = 2;
    publish();
    assert.equal(await client.inbox.ended, status.PERMISSION_DENIED);
  });

  test("a stream without a node, or that changes its node, is refused", async () => {
    await using server = await startAds();
    const [nameless, changing] = [server.delta(), server.delta()];
    nameless.request(cluster);
    assert.equal(await nameless.inbox.ended, status.INVALID_ARGUMENT);
    changing.request(cluster, { node: NODE });
    changing.request(cluster, { node: { id: "node-2" } });
    assert.equal(await changing.inbox.ended, status.INVALID_ARGUMENT);
  });

  test("one stream more than the limit is refused", async () => {
    await using server = await startAds({ mostStreams: 1 });
    const [first, second] = [server.delta(), server.delta()];
    server.source.publish("node-1", SMALL);
    first.request(cluster, { node: NODE });
    await first.take();
    second.request(cluster, { node: NODE });
    assert.equal(await second.inbox.ended, status.RESOURCE_EXHAUSTED);
  });

  test("a source that fails for one node leaves its stream open and others served", async () => {
    await using server = await startAds();
    const resourcesFor = server.source.resourcesFor.bind(server.source);
    server.source.resourcesFor = (node) => {
      if (node.id === "broken") throw new Error("translation failed");
      return resourcesFor(node);
    };
    server.source.publish("node-1", SMALL);
    const [broken, sound] = [server.delta(), server.delta()];
    broken.request(cluster, { node: { id: "broken" } });
    sound.request(cluster, { node: NODE });
    assert.equal(await sound.take(), "cluster +c@1");
    assert.equal(await broken.inbox.quiet(), undefined);
  });

  test("bytes that are no request end that stream alone", async () => {
    await using server = await startAds();
    server.source.publish("node-1", SMALL);
    const [bad, good] = [server.delta(), server.delta()];
    bad.stream.write({ typeUrl: 7 } as never);
    assert.notEqual(await bad.inbox.ended, status.OK);
    good.request(cluster, { node: NODE });
    assert.equal(deltaLine(await good.inbox.next()), "cluster +c@1");
  });
});

describe("status", () => {
  test("tells per type what is synced, stale, not sent, refused and never asked for", async () => {
    await using server = await startAds();
    const client = server.delta();
    client.request(cluster, { node: NODE });
    client.request(listener);
    await client.inbox.quiet();
    const states = () => {
      const types = server.ads.status.list()[0]?.types;
      return [cluster, endpoints, listener, route].map((typeUrl) => types?.get(typeUrl)?.state);
    };
    assert.deepEqual(states(), ["NOT SENT", "IGNORED", "NOT SENT", "IGNORED"]);
    const snapshot = server.source.publish("node-1", SMALL);
    const first = await client.inbox.next();
    assert.deepEqual(states(), ["STALE", "IGNORED", "STALE", "IGNORED"]);
    client.ack(first);
    client.nack(await client.inbox.next(), "port 80 is taken");
    const result = await server.ads.status.waitForSync(snapshot, within());
    assert.deepEqual(states(), ["SYNCED", "IGNORED", "REJECTED", "IGNORED"]);
    assert.equal(result.rejected[0]?.nack.message, "port 80 is taken");
    const [proxy] = server.ads.status.list();
    assert.equal(proxy?.server, "server-1");
    assert.equal(proxy?.types.get(cluster)?.ackedSnapshot, snapshot);
  });

  test("waitForSync returns when all proxies have acknowledged the snapshot", async () => {
    await using server = await startAds();
    const clients = [server.delta(), server.delta()];
    for (const [index, client] of clients.entries()) {
      server.source.publish(`node-${index}`, { cluster: { c: "1" } });
      client.request(cluster, { node: { id: `node-${index}` } });
      await client.take();
    }
    server.source.publish("node-0", { cluster: { c: "2" } });
    const snapshot = server.source.publish("node-1", { cluster: { c: "2" } });
    server.source.publish("node-0", { cluster: { c: "2" } });
    const waiting = server.ads.status.waitForSync(snapshot, within());
    assert.equal(await clients[0]?.take(), "cluster +c@2");
    assert.equal(await clients[1]?.take(), "cluster +c@2");
    assert.deepEqual((await waiting).acked.toSorted(), ["node-0", "node-1"]);
  });

  test("waitForSync tells who is missing when it is stopped", async () => {
    await using server = await startAds();
    server.source.publish("node-1", { cluster: { c: "1" } });
    const client = server.delta();
    client.request(cluster, { node: NODE });
    await client.inbox.next();
    const result = await server.ads.status.waitForSync(1, AbortSignal.timeout(20));
    assert.deepEqual(result, { acked: [], pending: ["node-1"], rejected: [] });
  });

  test("a proxy that goes away is waited for no longer, and leaves the table", async () => {
    await using server = await startAds();
    server.source.publish("node-1", { cluster: { c: "1" } });
    const client = server.delta();
    client.request(cluster, { node: NODE });
    await client.inbox.next();
    const waiting = server.ads.status.waitForSync(1, within());
    client.stream.cancel();
    assert.deepEqual(await waiting, { acked: [], pending: [], rejected: [] });
    assert.deepEqual(server.ads.status.list(), []);
  });

  test("the time from publication to ACK is told, for publications only", async () => {
    const seen: Propagation[] = [];
    await using server = await startAds({ onPropagation: (propagation) => seen.push(propagation) });
    server.source.publish("node-1", { cluster: { c: "1" } });
    const client = server.delta();
    client.request(cluster, { node: NODE });
    await client.take();
    const snapshot = server.source.publish("node-1", { cluster: { c: "2" } });
    await client.take();
    await server.ads.status.waitForSync(snapshot, within());
    assert.equal(seen.length, 1);
    assert.equal(seen[0]?.typeUrl, cluster);
    assert.ok((seen[0]?.ms ?? -1) > 0 && (seen[0]?.ms ?? 9999) < 1000);
  });
});

test("a server that stops ends its streams as unavailable", async () => {
  await using server = await startAds();
  server.source.publish("node-1", SMALL);
  const client = server.delta();
  client.request(cluster, { node: NODE });
  await client.take();
  await server.stop();
  assert.equal(await client.inbox.ended, status.UNAVAILABLE);
});
