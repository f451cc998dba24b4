import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { objects } from "../../test/fakes/sample-mesh.ts";
import type { Registry } from "../registry/registry.ts";
import { SqliteConfigStore } from "../store/sqlite-config-store.ts";
import { DEFAULT_SETTINGS } from "./mesh-settings.ts";
import { Publisher } from "./publisher.ts";
import { publishSources, type Sources } from "./sources.ts";

/** A catalog that says nothing before it is told to stop. */
const MUTE: Registry = {
  name: "mute",
  status: { state: "current", since: 0 },
  async *watch(signal) {
    while (!signal.aborted) await systemClock.sleep(1_000, signal);
    yield* [];
  },
};

function newStore(): SqliteConfigStore {
  return new SqliteConfigStore({
    database: new DatabaseSync(":memory:"),
    clock: systemClock,
    logger: silentLogger,
  });
}

function sourcesOf(registry: Registry, store = newStore()): Sources {
  return publishSources({
    registries: [registry],
    placements: { list: () => [], onChange: () => {} },
    store,
    directory: undefined,
    publisher: new Publisher({
      settings: DEFAULT_SETTINGS,
      clock: systemClock,
      quietMs: 1,
      capMs: 1,
      logger: silentLogger,
      publish: () => assert.fail("nothing may be published before the catalog has spoken"),
    }),
    logger: silentLogger,
  });
}

test("a stop ends the wait for a catalog that has not spoken", { timeout: 5_000 }, async () => {
  const stop = new AbortController();
  const sources = sourcesOf(MUTE);
  const running = sources.run(stop.signal);
  assert.deepEqual(sources.unready(), ["mute has not told what it has"]);
  stop.abort();
  await running;
});

test("a stop that came before the start ends it at once", { timeout: 5_000 }, async () => {
  await sourcesOf(MUTE).run(AbortSignal.abort());
});

test("an apply that would be more than the server holds is refused, and nothing of it is stored", async (t) => {
  const stop = new AbortController();
  t.after(() => stop.abort());
  const store = newStore();
  const running = sourcesOf(MUTE, store).run(stop.signal);
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
  const named = (index: number) => ({ ...entry, metadata: { ...entry.metadata, name: `many-${index}` } });
  const fitting = Array.from({ length: 4 }, (_, index) => named(index));
  store.apply(fitting, { origin: "api" });
  const tooLarge = { code: "mesh.too-large" };
  assert.throws(() => store.apply([named(4)], { origin: "api", dryRun: true }), tooLarge);
  assert.throws(() => store.apply([named(4)], { origin: "api" }), tooLarge);
  assert.equal(store.list().length, 4);
  stop.abort();
  await running;
});
