import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import { eventually } from "../../test/harness/eventually.ts";
import { FakeAds } from "../../test/harness/fake-ads.ts";
import { staticCluster } from "../../test/harness/xds-samples.ts";
import { AdsClient, type Rejection, type ResourceSink, type ResourceUpdate } from "./ads-client.ts";
import { ALL } from "./interest.ts";

/** Takes what it is given when the test says so. */
class HeldSink implements ResourceSink {
  readonly updates: ResourceUpdate[] = [];
  #answer = Promise.withResolvers<readonly Rejection[]>();

  async apply(update: ResourceUpdate): Promise<readonly Rejection[]> {
    this.updates.push(update);
    return await this.#answer.promise;
  }

  interests(): ReadonlyMap<typeof TYPE_URL.cluster, typeof ALL> {
    return new Map([[TYPE_URL.cluster, ALL]]);
  }

  answer(rejections: readonly Rejection[] = []): void {
    this.#answer.resolve(rejections);
    this.#answer = Promise.withResolvers();
  }

  get versions(): string[][] {
    return this.updates.map(({ upserts }) => upserts.map(({ name, version }) => `${name} ${version}`));
  }
}

async function connect(): Promise<{
  readonly ads: FakeAds;
  readonly sink: HeldSink;
  readonly stop: AbortController;
  readonly running: Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}> {
  const folder = await mkdtemp(join(tmpdir(), "lateen-ads-"));
  const socketPath = join(folder, "xds.sock");
  const ads = new FakeAds(socketPath);
  ads.set("cluster", "a", staticCluster("a", [1]));
  await ads.start();
  const sink = new HeldSink();
  const stop = new AbortController();
  const client = new AdsClient({
    socketPath,
    node: { id: "n", cluster: "c", metadata: {} },
    sink,
    clock: systemClock,
    random: () => 0,
    logger: silentLogger,
  });
  const running = client.run(stop.signal);
  await eventually("the first update", () => sink.updates.length === 1);
  return {
    ads,
    sink,
    stop,
    running,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
      ads.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

test("a client that is stopped does not wait for an update that is being taken, and does not answer it", async () => {
  await using setup = await connect();
  setup.stop.abort();
  await setup.running;
  setup.sink.answer();
  assert.deepEqual([setup.ads.acks("cluster"), setup.ads.nacks], [0, []]);
});

test("a version that overtakes one that is being taken is taken after it, and each is answered", async () => {
  await using setup = await connect();
  const { ads, sink } = setup;
  ads.set("cluster", "a", staticCluster("a", [2]));
  ads.set("cluster", "b", staticCluster("b", [3]));
  assert.equal(sink.updates.length, 1);
  sink.answer([{ name: "a", reason: "a is refused" }]);
  await eventually("the second update", () => sink.updates.length === 2);
  assert.deepEqual([ads.acks("cluster"), ads.nacks], [0, ["a is refused"]]);
  sink.answer();
  await eventually("the third update", () => sink.updates.length === 3);
  sink.answer();
  await eventually("all are answered", () => ads.acks("cluster") === 2);
  assert.deepEqual(sink.versions, [["a v1"], ["a v2"], ["b v3"]]);
});
