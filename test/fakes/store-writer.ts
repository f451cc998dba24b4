import { createInterface } from "node:readline";
import { setImmediate } from "node:timers/promises";
import { LastGoodStore } from "../../agent/relay/last-good-store.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { resourceMap } from "../../mesh/xds/encoded-resource.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";

/**
 * A process to be killed: goes on to the next version for ever, of clusters before the routes that lead to them, and says
 * which version was on disk. `node store-writer.ts DIRECTORY VERSION`.
 */
const [dir = "", from = "0"] = process.argv.slice(2);
const store = new LastGoodStore({
  dir,
  node: "node-1",
  trustDomain: "a.example",
  logger: silentLogger,
  clock: Date,
});
await store.load();

/** Large enough for the file to be written anew now and then. */
const of = (name: string, version: number): ReturnType<typeof resourceMap> =>
  resourceMap([{ name, version: String(version), bytes: new Uint8Array(8_000).fill(version) }]);

createInterface({ input: process.stdin }).on("close", () => process.exit(0));
for (let version = Number(from) + 1; ; version += 1) {
  store.save(TYPE_URL.cluster, of("c", version));
  await setImmediate();
  store.save(TYPE_URL.route, of("r", version));
  if (version % 3 === 0) await store.flush();
  if (version % 3 === 0) process.stdout.write(`${version}\n`);
}
