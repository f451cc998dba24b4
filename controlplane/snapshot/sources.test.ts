import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
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

function sourcesOf(registry: Registry): Sources {
  return publishSources({
    registries: [registry],
    placements: { list: () => [], onChange: () => {} },
    store: new SqliteConfigStore({
      database: new DatabaseSync(":memory:"),
      clock: systemClock,
      logger: silentLogger,
    }),
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
