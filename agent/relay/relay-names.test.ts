import assert from "node:assert/strict";
import { test } from "node:test";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import { eventually } from "../../test/harness/eventually.ts";
import { startAds } from "../../test/harness/running-ads.ts";
import { ALL_SMALL, host, SMALL, sync, WEB } from "./testing/relay-host.ts";

const within = (): AbortSignal => AbortSignal.timeout(5000);

/** Notes what comes, as the lines of the data planes' clients. */
function nameBook() {
  const told: string[] = [];
  return {
    told,
    names:
      () =>
      (change: { upserts: readonly { name: string; version: string }[]; removals: readonly string[] }) => {
        told.push(...change.upserts.map(({ name, version }) => `+${name}@${version}`));
        told.push(...change.removals.map((name) => `-${name}`));
        return new Map(change.upserts.flatMap(({ name }) => (name === "bad" ? [[name, "bad: no"]] : [])));
      },
  };
}

test("names are the agent's: it takes them as they change, and its data plane is told none", async () => {
  await using server = await startAds();
  await using at = await host();
  const { told, names } = nameBook();
  await using running = await at.start(server, { names });
  server.source.publish(WEB, { ...SMALL, hostName: { a: "1", b: "1" } });
  const client = running.connect();
  assert.deepEqual(await sync(client), ALL_SMALL);
  client.request(TYPE_URL.hostName, { resourceNamesSubscribe: ["*"] });
  await eventually("all of them", () => told.length === 2);
  const snapshot = server.source.publish(WEB, { ...SMALL, hostName: { a: "2", c: "1" } });
  assert.deepEqual((await server.ads.status.waitForSync(snapshot, within())).acked, [WEB]);
  assert.deepEqual(told.slice(2).toSorted(), ["+a@2", "+c@1", "-b"]);
  assert.equal(await client.inbox.quiet(), undefined);
});

test("a name that cannot be read is refused, and the server is told", async () => {
  await using server = await startAds();
  await using at = await host();
  const { names } = nameBook();
  await using running = await at.start(server, { names });
  const snapshot = server.source.publish(WEB, { ...SMALL, hostName: { good: "1", bad: "1" } });
  await sync(running.connect());
  const { rejected } = await server.ads.status.waitForSync(snapshot, within());
  assert.deepEqual(rejected[0]?.nack.resources, ["bad"]);
});

test("somebody who wants names later gets them then, and from the disk when the server is away", async () => {
  await using server = await startAds();
  await using at = await host();
  const book = nameBook();
  let wanted = false;
  const names = () => (wanted ? book.names() : undefined);
  const first = await at.start(server, { names });
  server.source.publish(WEB, { ...SMALL, hostName: { a: "1" } });
  await sync(first.connect());
  assert.deepEqual(book.told, []);
  wanted = true;
  first.relay.namesChanged();
  await eventually("a name", () => book.told.length === 1);
  await eventually("it is taken", () => first.relay.status()[0]?.lastAck?.typeUrl === TYPE_URL.hostName);
  await first.stop();
  server.down();
  await using second = await at.start(server, { names });
  await sync(second.connect());
  await eventually("the same name", () => book.told.length === 2);
  assert.deepEqual(book.told, ["+a@1", "+a@1"]);
});
