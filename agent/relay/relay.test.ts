import assert from "node:assert/strict";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { nodeId } from "../../mesh/xds/names.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import { deltaLine } from "../../test/harness/ads-clients.ts";
import { eventually } from "../../test/harness/eventually.ts";
import { startAds } from "../../test/harness/running-ads.ts";
import { readLog } from "./configuration-log.ts";
import { ALL_SMALL, API, acked, host, SMALL, sync, WEB } from "./testing/relay-host.ts";

const { cluster, endpoints, route, secret } = TYPE_URL;
const within = (): AbortSignal => AbortSignal.timeout(5000);

describe("with a server", () => {
  test("a data plane gets what the server has, and the server gets its ACKs", async () => {
    await using server = await startAds();
    await using at = await host();
    await using running = await at.start(server);
    const snapshot = server.source.publish(WEB, SMALL);
    assert.deepEqual(await sync(running.connect()), ALL_SMALL);
    const result = await server.ads.status.waitForSync(snapshot, within());
    assert.deepEqual(result, { acked: [WEB], pending: [], rejected: [] });
    const states = [...(server.ads.status.list()[0]?.types.values() ?? [])].map(({ state }) => state);
    assert.deepEqual(
      states.filter((state) => state !== "IGNORED"),
      ["SYNCED", "SYNCED", "SYNCED", "SYNCED"],
    );
  });

  test("a change flows through as a difference", async () => {
    await using server = await startAds();
    await using at = await host();
    await using running = await at.start(server);
    server.source.publish(WEB, SMALL);
    const client = running.connect();
    await sync(client);
    const snapshot = server.source.publish(WEB, { ...SMALL, endpoints: { c: "2" } });
    assert.equal(await client.take(), "endpoints +c@2");
    assert.deepEqual((await server.ads.status.waitForSync(snapshot, within())).acked, [WEB]);
  });

  test("a removed resource is removed", async () => {
    await using server = await startAds();
    await using at = await host();
    await using running = await at.start(server);
    server.source.publish(WEB, { ...SMALL, cluster: { c: "1", d: "1" } });
    const client = running.connect();
    client.request(cluster, { node: { id: WEB } });
    assert.equal(await client.take(), "cluster +c@1 +d@1");
    server.source.publish(WEB, SMALL);
    assert.equal(await client.take(), "cluster -d");
  });

  test("a name that the server does not have is told gone by the server, not by the relay", async () => {
    await using server = await startAds();
    await using at = await host();
    await using running = await at.start(server);
    server.source.publish(WEB, SMALL);
    const client = running.connect();
    client.request(endpoints, { node: { id: WEB }, resourceNamesSubscribe: ["ghost"] });
    assert.equal(await client.take(), "endpoints -ghost");
  });

  test("a refusal is forwarded, the good resources of the response are kept", async () => {
    await using server = await startAds();
    await using at = await host();
    const first = await at.start(server);
    server.source.publish(WEB, { cluster: { good: "1", bad: "1" } });
    const client = first.connect();
    client.request(cluster, { node: { id: WEB } });
    await client.take();
    const snapshot = server.source.publish(WEB, { cluster: { good: "2", bad: "2" } });
    client.nack(await client.inbox.next(), "Error adding/updating cluster(s) bad: no");
    const { rejected } = await server.ads.status.waitForSync(snapshot, within());
    assert.deepEqual(rejected[0]?.nack.resources, ["bad"]);
    assert.match(first.relay.status()[0]?.lastNack?.message ?? "", /bad: no/);
    assert.equal(await client.inbox.quiet(), undefined);
    await first.stop();
    server.down();
    await using second = await at.start(server);
    const again = second.connect();
    again.request(cluster, { node: { id: WEB } });
    assert.deepEqual((await again.take()).split(" ").toSorted(), ["+bad@1", "+good@2", "cluster"]);
  });

  test("two nodes on one relay get each its own", async () => {
    await using server = await startAds();
    await using at = await host();
    await using running = await at.start(server);
    server.source.publish(WEB, { cluster: { web: "1" } });
    server.source.publish(API, { cluster: { api: "1" } });
    const [web, api] = [running.connect(), running.connect()];
    web.request(cluster, { node: { id: WEB } });
    api.request(cluster, { node: { id: API } });
    assert.equal(await web.take(), "cluster +web@1");
    assert.equal(await api.take(), "cluster +api@1");
    const states = running.relay
      .status()
      .map(({ nodeId, connected, source }) => ({ nodeId, connected, source }));
    assert.deepEqual(states, [
      { nodeId: WEB, connected: true, source: "server" },
      { nodeId: API, connected: true, source: "server" },
    ]);
  });
});

describe("without a server", () => {
  test("a data plane that is connected is told nothing of the loss, and gets the differences after it", async () => {
    await using server = await startAds();
    await using at = await host();
    await using running = await at.start(server);
    server.source.publish(WEB, SMALL);
    const client = running.connect();
    await sync(client);
    server.down();
    await eventually("the relay notices", () => running.relay.status()[0]?.source === "cache");
    assert.equal(await client.inbox.quiet(), undefined);
    server.source.publish(WEB, { ...SMALL, cluster: { d: "1" }, endpoints: { c: "2" } });
    await server.up();
    const lines = [await client.take(), await client.take(), await client.take()].toSorted();
    assert.deepEqual(lines, ["cluster +d@1", "cluster -c", "endpoints +c@2"]);
    const synced = () => server.ads.status.list()[0]?.types.get(endpoints)?.state === "SYNCED";
    await eventually("the server knows", synced);
  });

  test("a restarted agent serves what was acknowledged, at once", async () => {
    await using server = await startAds();
    await using at = await host();
    const first = await at.start(server);
    server.source.publish(WEB, SMALL);
    await sync(first.connect());
    await acked(first, route);
    await first.stop();
    server.down();
    await using second = await at.start(server);
    const start = performance.now();
    assert.deepEqual(await sync(second.connect()), ALL_SMALL);
    assert.ok(performance.now() - start < 1000);
    await acked(second, route);
    assert.equal(second.relay.status()[0]?.source, "cache");
  });

  test("what was sent and not acknowledged is not served after a restart", async () => {
    await using server = await startAds();
    await using at = await host();
    const first = await at.start(server);
    server.source.publish(WEB, { cluster: { c: "1" } });
    const client = first.connect();
    client.request(cluster, { node: { id: WEB } });
    await client.take();
    server.source.publish(WEB, { cluster: { c: "2" } });
    await client.inbox.next();
    await first.stop();
    server.down();
    await using second = await at.start(server);
    const again = second.connect();
    again.request(cluster, { node: { id: WEB } });
    assert.equal(await again.take(), "cluster +c@1");
  });

  test("a data plane that kept its configuration over the agent's restart is sent nothing again", async () => {
    await using server = await startAds();
    await using at = await host();
    const first = await at.start(server);
    server.source.publish(WEB, SMALL);
    await sync(first.connect());
    await acked(first, route);
    await first.stop();
    await using second = await at.start(server);
    const again = second.connect();
    again.request(cluster, { node: { id: WEB }, initialResourceVersions: { c: "1" } });
    assert.equal(await again.take(), "cluster");
    again.request(endpoints, { resourceNamesSubscribe: ["c"], initialResourceVersions: { c: "1" } });
    assert.equal(await again.inbox.quiet(), undefined);
  });

  test("a server that comes back with changes sends the differences to what is stored", async () => {
    await using server = await startAds();
    await using at = await host();
    const first = await at.start(server);
    server.source.publish(WEB, { cluster: { a: "1", b: "1", c: "1" } });
    const client = first.connect();
    client.request(cluster, { node: { id: WEB } });
    await client.take();
    await acked(first, cluster);
    await first.stop();
    server.down();
    await using second = await at.start(server);
    const again = second.connect();
    again.request(cluster, { node: { id: WEB } });
    assert.deepEqual((await again.take()).split(" ").toSorted(), ["+a@1", "+b@1", "+c@1", "cluster"]);
    server.source.publish(WEB, { cluster: { a: "1", b: "2" } });
    await server.up();
    assert.equal(await again.take(), "cluster +b@2");
    assert.equal(await again.take(), "cluster -c");
  });

  test("a server that comes back with less or with older things is followed, and so is what is stored", async () => {
    await using server = await startAds();
    await using at = await host();
    const first = await at.start(server);
    server.source.publish(WEB, { cluster: { a: "2", b: "1" } });
    const client = first.connect();
    client.request(cluster, { node: { id: WEB } });
    await client.take();
    await acked(first, cluster);
    server.down();
    await eventually("the relay notices", () => first.relay.status()[0]?.source === "cache");
    server.source.publish(WEB, { cluster: { a: "1" } });
    await server.up();
    assert.deepEqual([await client.take(), await client.take()].toSorted(), ["cluster +a@1", "cluster -b"]);
    await eventually("it knows", () => server.ads.status.list()[0]?.types.get(cluster)?.state === "SYNCED");
    await first.stop();
    server.down();
    await using second = await at.start(server);
    const again = second.connect();
    again.request(cluster, { node: { id: WEB } });
    assert.equal(await again.take(), "cluster +a@1");
  });

  test("a server that is back and has published nothing yet takes nothing away", async () => {
    await using server = await startAds();
    await using at = await host();
    const first = await at.start(server);
    server.source.publish(WEB, SMALL);
    await sync(first.connect());
    await acked(first, route);
    await first.stop();
    server.down();
    await using empty = await startAds();
    await using second = await at.start(empty);
    const again = second.connect();
    assert.deepEqual(await sync(again), ALL_SMALL);
    assert.equal(await again.inbox.quiet(), undefined);
    assert.equal(second.relay.status()[0]?.source, "server");
  });

  test("a late ACK of what a former server stream sent is not taken for one of the new", async () => {
    await using server = await startAds();
    await using at = await host();
    await using running = await at.start(server);
    server.source.publish(WEB, { cluster: { c: "1" } });
    const client = running.connect();
    client.request(cluster, { node: { id: WEB } });
    const unanswered = await client.inbox.next();
    server.down();
    await eventually("the relay notices", () => running.relay.status()[0]?.source === "cache");
    server.source.publish(WEB, { cluster: { c: "2" } });
    await server.up();
    await eventually("the relay is back", () => running.relay.status()[0]?.source === "server");
    client.ack(unanswered);
    const second = await client.inbox.next();
    assert.equal(second.resources[0]?.version, "2");
    assert.equal(server.ads.status.list()[0]?.types.get(cluster)?.state, "STALE");
    client.ack(second);
    assert.deepEqual((await server.ads.status.waitForSync(2, within())).acked, [WEB]);
  });

  test("a refused agent goes on serving what it has", async () => {
    let allowed = true;
    await using server = await startAds({
      authorize: (_call, id) =>
        allowed
          ? { kind: "allowed", node: { id, workload: "default/web" } }
          : { kind: "refused", reason: "not any more" },
    });
    await using at = await host();
    const first = await at.start(server);
    server.source.publish(WEB, SMALL);
    await sync(first.connect());
    await acked(first, route);
    await first.stop();
    allowed = false;
    await using second = await at.start(server);
    assert.deepEqual(await sync(second.connect()), ALL_SMALL);
  });

  test("a server that takes the stream and stays silent is waited for 300 ms, no longer", async () => {
    let known = true;
    await using server = await startAds({
      authorize: (_call, id) =>
        known ? { kind: "allowed", node: { id, workload: "default/web" } } : { kind: "unknown" },
    });
    await using at = await host();
    const first = await at.start(server);
    server.source.publish(WEB, SMALL);
    await sync(first.connect());
    await acked(first, route);
    await first.stop();
    known = false;
    await using second = await at.start(server);
    const start = performance.now();
    assert.deepEqual(await sync(second.connect()), ALL_SMALL);
    const waited = performance.now() - start;
    assert.ok(waited >= 290 && waited < 1500, `${waited} ms`);
  });

  test("without a server and without a store, the data plane waits, and starts when the server comes", async () => {
    await using server = await startAds();
    await using at = await host();
    server.source.publish(WEB, SMALL);
    server.down();
    await using running = await at.start(server);
    const client = running.connect();
    client.request(cluster, { node: { id: WEB } });
    assert.equal(await client.inbox.quiet(), undefined);
    await server.up();
    assert.equal(await client.take(), "cluster +c@1");
  });
});

describe("secrets", () => {
  test("come from the agent, never go upstream, and are pushed when they are renewed", async () => {
    await using server = await startAds();
    await using at = await host();
    await using running = await at.start(server);
    const client = running.connect();
    client.request(secret, { node: { id: WEB }, resourceNamesSubscribe: ["default", "ROOTCA"] });
    assert.equal(await client.inbox.quiet(), undefined);
    at.secrets.set("default/web", "default", "1");
    const first = await client.inbox.next();
    assert.equal(Buffer.from(first.resources[0]?.resource?.value ?? []).toString(), "key of default/web");
    client.ack(first);
    at.secrets.set("default/web", "ROOTCA", "1");
    assert.equal(await client.take(), "secret +ROOTCA@1");
    at.secrets.set("default/api", "default", "9");
    at.secrets.set("default/web", "default", "2");
    assert.equal(await client.take(), "secret +default@2");
    assert.equal(await client.inbox.quiet(), undefined);
    assert.deepEqual(server.ads.status.list(), []);
  });

  test("are not on disk afterwards", async () => {
    await using server = await startAds();
    await using at = await host();
    const running = await at.start(server);
    server.source.publish(WEB, SMALL);
    at.secrets.set("default/web", "default", "1");
    const client = running.connect();
    await sync(client);
    await acked(running, route);
    client.request(secret, { resourceNamesSubscribe: ["default"] });
    assert.equal(await client.take(), "secret +default@1");
    await running.stop();
    assert.deepEqual(await readdir(at.xdsDir("web")), ["configuration.xds"]);
    const text = await readFile(join(at.xdsDir("web"), "configuration.xds"), "utf8");
    const log = readLog(text, { node: WEB, trustDomain: "cluster.local" });
    assert.ok(log.kind === "read" && !log.configuration.has(secret));
  });

  test("of a gateway's credentials come from the server, beside its identity on one subscription", async () => {
    await using server = await startAds();
    await using at = await host();
    await using running = await at.start(server);
    server.source.publish(WEB, { secret: { "kubernetes://edge": "1" } });
    at.secrets.set("default/web", "default", "1");
    const client = running.connect();
    client.request(secret, { node: { id: WEB }, resourceNamesSubscribe: ["kubernetes://edge", "default"] });
    const first = [await client.inbox.next(), await client.inbox.next()];
    assert.deepEqual(first.map(deltaLine).toSorted(), ["secret +default@1", "secret +kubernetes://edge@1"]);
    for (const response of first) client.ack(response);
    const renewed = server.source.publish(WEB, { secret: { "kubernetes://edge": "2" } });
    assert.equal(await client.take(), "secret +kubernetes://edge@2");
    assert.deepEqual((await server.ads.status.waitForSync(renewed, within())).acked, [WEB]);
    at.secrets.set("default/web", "default", "2");
    assert.equal(await client.take(), "secret +default@2");
    assert.equal(server.ads.status.list()[0]?.types.get(secret)?.resources, 1);
  });

  test("of a gateway's credentials are kept for a time without the server", async () => {
    await using server = await startAds();
    await using at = await host();
    const running = await at.start(server);
    server.source.publish(WEB, { secret: { "kubernetes://edge": "1" } });
    const client = running.connect();
    client.request(secret, { node: { id: WEB }, resourceNamesSubscribe: ["kubernetes://edge"] });
    assert.equal(await client.take(), "secret +kubernetes://edge@1");
    await acked(running, secret);
    await running.stop();
    server.down();
    const file = join(at.xdsDir("web"), "configuration.xds");
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    await using again = await at.start(server);
    const restarted = again.connect();
    restarted.request(secret, {
      node: { id: WEB },
      resourceNamesSubscribe: ["kubernetes://edge", "default"],
    });
    assert.equal(await restarted.take(), "secret +kubernetes://edge@1");
  });

  test("a refused secret is not sent again in the same version", async () => {
    await using server = await startAds();
    await using at = await host();
    await using running = await at.start(server);
    at.secrets.set("default/web", "default", "1");
    const client = running.connect();
    client.request(secret, { node: { id: WEB }, resourceNamesSubscribe: ["default"] });
    client.nack(await client.inbox.next(), "key does not match");
    at.secrets.set("default/web", "ROOTCA", "1");
    assert.equal(await client.inbox.quiet(), undefined);
    at.secrets.set("default/web", "default", "2");
    assert.equal(await client.take(), "secret +default@2");
  });
});

describe("the socket", () => {
  test("is the owner's alone, and is gone after the stop", async () => {
    await using server = await startAds();
    await using at = await host();
    const running = await at.start(server);
    assert.equal((await stat(at.socketPath)).mode & 0o777, 0o600);
    assert.equal((await stat(join(at.directory, "run"))).mode & 0o777, 0o700);
    await running.stop();
    await assert.rejects(stat(at.socketPath), { code: "ENOENT" });
  });

  test("of another agent that is alive is not taken over", async () => {
    await using server = await startAds();
    await using at = await host();
    await using running = await at.start(server);
    await assert.rejects(at.start(server), { code: "agent.state", message: /another agent/ });
    server.source.publish(WEB, SMALL);
    assert.deepEqual(await sync(running.connect()), ALL_SMALL);
  });

  test("refuses nodes of other agents, and names that are no plain names", async () => {
    await using server = await startAds();
    await using at = await host();
    await using running = await at.start(server, { serves: (id) => id !== API });
    for (const id of [API, "", "envoy", nodeId("127.0.0.1", "../../etc", "default", "cluster.local")]) {
      const client = running.connect();
      client.request(cluster, { node: { id } });
      assert.equal(await client.inbox.ended, status.PERMISSION_DENIED, id);
    }
  });

  test("refuses a data plane that asks for types without end", async () => {
    await using server = await startAds();
    await using at = await host();
    await using running = await at.start(server);
    const client = running.connect();
    client.request(cluster, { node: { id: WEB } });
    for (let index = 0; index < 100; index += 1) client.request(`type.googleapis.com/t${index}`);
    assert.equal(await client.inbox.ended, status.PERMISSION_DENIED);
  });
});
