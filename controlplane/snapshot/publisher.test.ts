import assert from "node:assert/strict";
import { test } from "node:test";
import { MeshError } from "../../mesh/errors.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { ManualClock } from "../../test/fakes/manual-clock.ts";
import { added, instance, objects } from "../../test/fakes/sample-mesh.ts";
import { DEFAULT_SETTINGS } from "./mesh-settings.ts";
import { Publisher, type PublishStep } from "./publisher.ts";

interface Harness extends AsyncDisposable {
  readonly clock: ManualClock;
  readonly publisher: Publisher;
  readonly published: { readonly version: number; readonly changed: readonly string[] }[];
  start(): void;
  stop(): void;
}

function harness(step: PublishStep = () => ({ failures: [], warnings: [] })): Harness {
  const clock = new ManualClock();
  const published: Harness["published"] = [];
  const stopping = new AbortController();
  let running: Promise<void> = Promise.resolve();
  const publisher = new Publisher({
    settings: DEFAULT_SETTINGS,
    clock,
    quietMs: 10,
    capMs: 100,
    logger: silentLogger,
    publish: (snapshot, changed) => {
      published.push({ version: snapshot.version, changed: [...changed].sort() });
      return step(snapshot, changed);
    },
  });
  return {
    clock,
    publisher,
    published,
    start: () => {
      running = publisher.run(stopping.signal);
    },
    stop: () => stopping.abort(),
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await running;
    },
  };
}

/** Lets everything run that waits for no timer. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

function change({ publisher }: Harness, id: string): void {
  publisher.setCatalog("consul", "default", "reviews", [instance("reviews", { id })]);
}

test("nothing is published before the publisher runs; then what was gathered is, at once", async () => {
  await using it = harness();
  change(it, "a");
  await settle();
  assert.equal(it.published.length, 0);
  assert.equal(it.publisher.current.version, 0);
  it.start();
  await settle();
  assert.equal(it.published.length, 1);
  assert.equal(it.publisher.current.services.size, 1);
});

test("a lone change is published without waiting for the clock", async () => {
  await using it = harness();
  it.start();
  change(it, "a");
  await settle();
  assert.equal(it.published.length, 1);
  it.clock.advance(10);
  await settle();
  change(it, "b");
  await settle();
  assert.equal(it.published.length, 2);
});

test("a burst is published once it is quiet", async () => {
  await using it = harness();
  it.start();
  change(it, "0");
  await settle();
  for (const id of ["1", "2", "3", "4"]) {
    it.clock.advance(5);
    change(it, id);
    await settle();
  }
  assert.equal(it.published.length, 1);
  it.clock.advance(10);
  await settle();
  assert.equal(it.published.length, 2);
  assert.equal(it.publisher.current.endpoints.values().next().value?.[0]?.id, "consul/4");
});

test("a storm without an end is published at the cap", async () => {
  await using it = harness();
  it.start();
  change(it, "first");
  await settle();
  for (let turn = 0; turn < 60; turn += 1) {
    it.clock.advance(5);
    change(it, `i${turn}`);
    await settle();
  }
  // 300 ms of storm: the first at once, then one for each 100 ms.
  assert.ok(it.published.length >= 3 && it.published.length <= 5, `${it.published.length} publications`);
});

test("what a failed publication did not bring into force is told again with the next", async () => {
  let fail = true;
  await using it = harness(() => {
    if (fail) throw new MeshError("xds.inconsistent", "a cluster is missing");
    return { failures: [], warnings: [] };
  });
  it.start();
  change(it, "a");
  await settle();
  assert.equal(it.publisher.current.version, 0);
  assert.deepEqual(it.publisher.status.error, {
    code: "xds.inconsistent",
    reason: "a cluster is missing",
    snapshot: 1,
  });
  fail = false;
  it.clock.advance(20);
  await settle();
  it.publisher.setCatalog("consul", "default", "details", [instance("details")]);
  await settle();
  assert.equal(it.publisher.status.error, undefined);
  assert.equal(it.publisher.current.version, 2);
  assert.ok(it.published[1]?.changed.includes("service/reviews.default.svc.cluster.local"));
});

test("status has the report of the publication", async () => {
  const failure = {
    workload: "default/a",
    code: "internal",
    reason: "boom",
    hint: undefined,
    snapshot: 1,
  } as const;
  await using it = harness(() => ({
    failures: [failure],
    warnings: [{ subject: "VirtualService/default/x", message: "m" }],
  }));
  it.start();
  change(it, "a");
  await settle();
  assert.deepEqual(it.publisher.status.failures, [failure]);
  assert.equal(it.publisher.status.warnings.length, 1);
  assert.equal(it.publisher.status.publishedAt, it.clock.now());
});

test("a change that changes nothing is not published, but a store revision is awaited and told", async () => {
  await using it = harness();
  it.start();
  change(it, "a");
  await settle();
  it.clock.advance(20);
  await settle();
  change(it, "a");
  await settle();
  assert.equal(it.published.length, 1);
  it.clock.advance(20);
  await settle();
  const waited = it.publisher.snapshotWith(7, new AbortController().signal);
  const [object] = objects(
    "{ apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: { name: a }, spec: {} }",
    7,
  );
  assert.ok(object);
  it.publisher.setConfig(added([object]), 7);
  assert.equal(await waited, it.publisher.current.version);
  assert.equal(it.publisher.current.revision, 7);
  assert.equal(
    await it.publisher.snapshotWith(3, AbortSignal.abort()),
    it.publisher.current.version,
    "a revision in force is told at once",
  );
});

test("who waits for a revision that never comes is let go by its signal", async () => {
  await using it = harness();
  const waiting = new AbortController();
  const waited = it.publisher.snapshotWith(99, waiting.signal);
  waiting.abort();
  assert.equal(await waited, undefined);
});

test("listeners hear of each snapshot until their signal is aborted", async () => {
  await using it = harness();
  const heard: number[] = [];
  const listening = new AbortController();
  it.publisher.onPublish(({ version }) => heard.push(version), listening.signal);
  it.start();
  change(it, "a");
  await settle();
  listening.abort();
  it.clock.advance(20);
  await settle();
  change(it, "b");
  await settle();
  assert.deepEqual(heard, [1]);
});

test("a mesh that is too large is not taken over: the last good one stays in force, and the status says so", async () => {
  await using it = harness();
  it.start();
  change(it, "a");
  await settle();
  const { current } = it.publisher;
  const ports = Array.from(
    { length: 100 },
    (_, index) => `{ number: ${8000 + index}, name: http-${index}, protocol: HTTP }`,
  );
  const [entry] = objects(`apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: many }
spec:
  hosts: [${Array.from({ length: 250 }, (_, index) => `h${index}.example.com`).join(", ")}]
  ports: [${ports.join(", ")}]
  resolution: DNS
`);
  assert.ok(entry !== undefined);
  const many = Array.from({ length: 11 }, (_, index) => ({
    ...entry,
    metadata: { ...entry.metadata, name: `many-${index}` },
  }));
  const tooLarge = { code: "mesh.too-large" };
  assert.throws(() => it.publisher.admit(added(many)), tooLarge);
  assert.throws(() => it.publisher.whatIf(many), tooLarge);
  it.publisher.setConfig(added(many), 1);
  it.clock.advance(100);
  await settle();
  assert.equal(it.publisher.current, current);
  assert.equal(it.publisher.status.error?.code, "mesh.too-large");
  assert.equal(it.published.length, 1);
  it.publisher.setConfig(
    added(many).map(({ key, after }) => ({ key, before: after, after: undefined })),
    2,
  );
  it.clock.advance(100);
  await settle();
  assert.equal(it.publisher.status.error, undefined);
  assert.equal(it.publisher.current.revision, 2);
});
