/**
 * Behaviours of an xDS server that clients rely on and servers get wrong, over real streams: go-control-plane's list as far
 * as it is not in `ads-handlers.test.ts` and the subscriptions' own tests.
 */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import { deltaLine } from "../../test/harness/ads-clients.ts";
import { eventually } from "../../test/harness/eventually.ts";
import { startAds } from "../../test/harness/running-ads.ts";
import { UnreadClient } from "../../test/harness/unread-client.ts";

const { cluster, endpoints, listener } = TYPE_URL;
const NODE = { id: "node-1" };

describe("delta", () => {
  test("a stale NACK refuses nothing", async () => {
    await using server = await startAds();
    server.source.publish("node-1", { cluster: { c: "1" } });
    const client = server.delta();
    client.request(cluster, { node: NODE });
    const first = await client.inbox.next();
    client.ack(first);
    client.nack(first, "c: no");
    server.source.publish("node-1", { cluster: { c: "2" } });
    assert.equal(await client.take(), "cluster +c@2");
    assert.equal(server.ads.status.list()[0]?.types.get(cluster)?.lastNack, undefined);
  });

  test("a nonce of a former stream answers nothing, and the request counts", async () => {
    await using server = await startAds();
    server.source.publish("node-1", { cluster: { c: "1" } });
    const client = server.delta();
    client.request(cluster, { node: NODE, responseNonce: "1" });
    assert.equal(await client.take(), "cluster +c@1");
  });

  test("a name that is there twice in a request is one subscription, and one unsubscription", async () => {
    await using server = await startAds();
    server.source.publish("node-1", { endpoints: { a: "1", b: "1" } });
    const client = server.delta();
    client.request(endpoints, { node: NODE, resourceNamesSubscribe: ["a", "a", "b"] });
    assert.equal(await client.take(), "endpoints +a@1 +b@1");
    client.request(endpoints, { resourceNamesUnsubscribe: ["a", "a"] });
    const kept = async () => server.ads.status.list()[0]?.types.get(endpoints)?.resources === 1 || undefined;
    await eventually("one is left", kept);
    server.source.publish("node-1", { endpoints: { a: "2", b: "2" } });
    assert.equal(await client.take(), "endpoints +b@2");
  });

  test("an unsubscription that crosses a response ends the updates", async () => {
    await using server = await startAds();
    server.source.publish("node-1", { endpoints: { a: "1", b: "1" } });
    const client = server.delta();
    client.request(endpoints, { node: NODE, resourceNamesSubscribe: ["a", "b"] });
    const first = await client.inbox.next();
    server.source.publish("node-1", { endpoints: { a: "2", b: "1" } });
    client.request(endpoints, { resourceNamesUnsubscribe: ["a"] });
    client.ack(first);
    assert.equal(await client.inbox.quiet(), undefined);
    server.source.publish("node-1", { endpoints: { a: "3", b: "2" } });
    assert.equal(await client.take(), "endpoints +b@2");
  });

  test("a client of everything that reconnects with versions, and with names beside them, is told the differences", async () => {
    await using server = await startAds();
    server.source.publish("node-1", { cluster: { a: "1", b: "2", c: "1" } });
    const client = server.delta();
    client.request(cluster, {
      node: NODE,
      resourceNamesSubscribe: ["*", "a", "ghost"],
      initialResourceVersions: { a: "1", b: "1", gone: "1" },
    });
    assert.equal(await client.take(), "cluster +b@2 +c@1 -ghost");
    assert.equal(await client.take(), "cluster -gone");
    assert.equal(await client.inbox.quiet(), undefined);
  });

  test("one bad resource of a thousand holds none of the others back", async () => {
    await using server = await startAds();
    const state = (version: string): Record<string, string> =>
      Object.fromEntries(
        Array.from({ length: 1000 }, (_, index) => [`c${index}`, index === 500 ? "bad" : version]),
      );
    server.source.publish("node-1", { cluster: state("1"), listener: { l: "1" } });
    const client = server.delta();
    client.request(cluster, { node: NODE });
    const first = await client.inbox.next();
    assert.equal(first.resources.length, 1000);
    client.nack(first, "Error adding/updating cluster(s) c500: unknown lb policy");
    client.request(listener);
    assert.equal(await client.take(), "listener +l@1");
    server.source.publish("node-1", { cluster: state("2"), listener: { l: "2" } });
    const second = await client.inbox.next();
    assert.equal(second.resources.length, 999);
    assert.ok(second.resources.every(({ name }) => name !== "c500"));
    client.ack(second);
    assert.equal(await client.take(), "listener +l@2");
    const status = server.ads.status.list()[0]?.types;
    assert.equal(status?.get(cluster)?.state, "REJECTED");
    assert.deepEqual(status?.get(cluster)?.lastNack?.resources, ["c500"]);
    server.source.publish("node-1", { cluster: { ...state("2"), c500: "good" }, listener: { l: "2" } });
    assert.equal(await client.take(), "cluster +c500@good");
  });

  test("a proxy that is back before its old stream has ended is served on the new one, with all", async () => {
    await using server = await startAds();
    server.source.publish("node-1", { cluster: { c: "1" } });
    const [old, fresh] = [server.delta(), server.delta()];
    old.request(cluster, { node: NODE });
    assert.equal(await old.take(), "cluster +c@1");
    fresh.request(cluster, { node: NODE });
    assert.equal(await fresh.take(), "cluster +c@1");
    old.stream.cancel();
    server.source.publish("node-1", { cluster: { c: "2" } });
    assert.equal(await fresh.take(), "cluster +c@2");
  });
});

describe("state of the world", () => {
  test("a stale NACK refuses nothing", async () => {
    await using server = await startAds();
    server.source.publish("node-1", { cluster: { c: "1" } });
    const client = server.sotw();
    client.request(cluster, { node: NODE });
    const first = await client.inbox.next();
    client.request(cluster, { responseNonce: first.nonce, versionInfo: first.versionInfo });
    server.source.publish("node-1", { cluster: { c: "2" } });
    const second = await client.inbox.next();
    client.request(cluster, { responseNonce: first.nonce, error: "no" });
    client.request(cluster, { responseNonce: second.nonce, versionInfo: second.versionInfo });
    const state = () => server.ads.status.list()[0]?.types.get(cluster);
    await eventually("the cluster is taken", async () => state()?.state === "SYNCED" || undefined);
    assert.equal(state()?.lastNack, undefined);
  });

  test("a name that is there twice in a request is one subscription", async () => {
    await using server = await startAds();
    server.source.publish("node-1", { endpoints: { a: "1" } });
    const client = server.sotw();
    client.request(endpoints, { node: NODE, resourceNames: ["a", "a"] });
    assert.equal((await client.inbox.next()).resources.length, 1);
    assert.equal(server.ads.status.list()[0]?.types.get(endpoints)?.resources, 1);
  });

  test("names that are dropped while a response is on its way get no update", async () => {
    await using server = await startAds();
    server.source.publish("node-1", { endpoints: { a: "1", b: "1" } });
    const client = server.sotw();
    client.request(endpoints, { node: NODE, resourceNames: ["a", "b"] });
    const { nonce, versionInfo } = await client.inbox.next();
    server.source.publish("node-1", { endpoints: { a: "2", b: "1" } });
    client.request(endpoints, { resourceNames: ["b"], responseNonce: nonce, versionInfo });
    assert.equal(await client.inbox.quiet(), undefined);
    server.source.publish("node-1", { endpoints: { a: "3", b: "2" } });
    const next = await client.inbox.next();
    assert.deepEqual(
      next.resources.map(({ value }) => Buffer.from(value).toString()),
      ["b@2"],
    );
  });
});

describe("back-pressure", () => {
  test("a client that does not read is kept one response, and then gets the newest state of everything else", async () => {
    await using server = await startAds();
    // More than a client takes unread, so that it cannot leave the server.
    const big = "c".repeat(200_000);
    server.source.publish("node-1", { cluster: { [big]: "1" }, endpoints: { e: "1" } });
    using client = new UnreadClient(NODE, () => connect(server.address.slice("unix:".length)));
    client.request(cluster, []);
    client.request(endpoints, ["e"]);
    const sent = () => server.ads.status.list()[0]?.types;
    await eventually("the clusters are under way", async () => sent()?.get(cluster)?.sentAt);
    for (let version = 2; version <= 50; version += 1) {
      server.source.publish("node-1", { cluster: { [big]: "1" }, endpoints: { e: String(version) } });
    }
    await eventually(
      "the last is looked at",
      async () => server.ads.status.list()[0]?.snapshot === 50 || undefined,
    );
    assert.equal(sent()?.get(endpoints)?.sentAt, undefined, "it waits for the stream to take more");
    const [first, second] = await client.read(2);
    assert.equal(first?.resources[0]?.name, big);
    assert.equal(second && deltaLine(second), "endpoints +e@50");
  });
});
