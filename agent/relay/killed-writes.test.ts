import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Logger, silentLogger } from "../../mesh/telemetry/logger.ts";
import { type ResourceMap, resourceMap } from "../../mesh/xds/encoded-resource.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import { LastGoodStore } from "./last-good-store.ts";
import type { Configuration } from "./stored-types.ts";

const { cluster, endpoints, route, secret } = TYPE_URL;
const WRITER = resolve(import.meta.dirname, "../../test/fakes/store-writer.ts");

async function directory() {
  const dir = await mkdtemp(join(tmpdir(), "lateen-killed-"));
  return {
    dir,
    file: join(dir, "configuration.xds"),
    store: (logger: Logger = silentLogger) =>
      new LastGoodStore({ dir, node: "node-1", trustDomain: "a.example", logger, clock: { now: () => 1 } }),
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true }),
  };
}

function one(name: string, version: number | string, size = 8): ResourceMap {
  return resourceMap([{ name, version: String(version), bytes: new Uint8Array(size).fill(7) }]);
}

/** `c@1 r@1`: every resource with its version. */
function said(configuration: Configuration): string {
  const all = [...configuration.values()].flatMap((map) => [...map.values()]);
  return all.map(({ name, version }) => `${name}@${version}`).join(" ");
}

test("cut off anywhere, a file says what was so at one moment, and goes on from there", async () => {
  await using at = await directory();
  const store = at.store();
  const moments = [{ bytes: 0, said: "" }];
  for (const version of [1, 2, 3]) {
    for (const [type, name] of [
      [cluster, "c"],
      [route, "r"],
    ] as const) {
      store.save(type, one(name, version));
      await store.flush();
      moments.push({ bytes: (await readFile(at.file)).length, said: said(await store.load()) });
    }
  }
  assert.deepEqual(
    moments.map((moment) => moment.said),
    ["", "c@1", "c@1 r@1", "c@2 r@1", "c@2 r@2", "c@3 r@2", "c@3 r@3"],
  );
  const whole = await readFile(at.file);
  for (let length = 1; length <= whole.length; length += 1) {
    await writeFile(at.file, whole.subarray(0, length), { mode: 0o600 });
    const cut = at.store();
    const want = moments.findLast(({ bytes }) => bytes <= length)?.said;
    assert.equal(said(await cut.load()), want, `${length} bytes`);
    if (length % 41 !== 0 || want === "") continue;
    cut.save(endpoints, one("e", 1));
    await cut.flush();
    assert.equal(said(await at.store().load()), `${want} e@1`);
  }
});

test("a change costs what it changes, and the file stays bounded", async () => {
  await using at = await directory();
  const store = at.store();
  const large = resourceMap(
    Array.from({ length: 1000 }, (_, index) => ({
      name: `e${index}`,
      version: "1",
      bytes: new Uint8Array(1000),
    })),
  );
  store.save(endpoints, large);
  await store.flush();
  const first = (await readFile(at.file)).length;
  let [now, size, largest] = [large, first, first];
  for (let version = 2; version < 2000; version += 1) {
    now = now.edited([["e1", { name: "e1", version: String(version), bytes: new Uint8Array(1000) }]]);
    store.save(endpoints, now);
    if (version % 20 > 0) continue;
    await store.flush();
    const { length } = await readFile(at.file);
    if (length > size) assert.ok(length - size < 45_000, `${length - size} bytes for 20 changes`);
    size = length;
    largest = Math.max(largest, length);
  }
  await store.flush();
  assert.ok(largest <= 2.1 * first, `${largest} bytes of ${first}`);
  assert.equal((await at.store().load()).get(endpoints)?.get("e1")?.version, "1999");
});

test("a key that was replaced or removed is not left behind", async () => {
  await using at = await directory();
  const store = at.store();
  const key = (text: string): ResourceMap =>
    resourceMap([{ name: "edge", version: text, bytes: new Uint8Array(Buffer.from(text)) }]);
  const inFile = async (text: string): Promise<boolean> => {
    await store.flush();
    const parts = (await readFile(at.file, "utf8")).split(/[\n ]/).map((part) => Buffer.from(part, "base64"));
    return parts.some((part) => part.includes(text));
  };
  store.save(cluster, one("c", 1));
  store.save(secret, key("the-first-key"));
  assert.ok(await inFile("the-first-key"));
  store.save(secret, key("the-second-key"));
  assert.ok(await inFile("the-second-key"));
  assert.ok(!(await inFile("the-first-key")));
  store.save(secret, resourceMap([]));
  assert.ok(!(await inFile("the-second-key")));
  assert.equal(said(await at.store().load()), "c@1");
});

test("a write that came to nothing is told, and the next one is of all", async () => {
  await using at = await directory();
  const told: string[] = [];
  const store = at.store({ ...silentLogger, error: (message) => told.push(message) });
  store.save(cluster, one("c", 1));
  await store.flush();
  // As a full disk leaves it.
  await appendFile(at.file, "half a chan");
  store.save(route, one("r", 1));
  await store.flush();
  assert.deepEqual(told, ["last good configuration not stored"]);
  assert.equal(said(await at.store().load()), "c@1");
  store.save(endpoints, one("e", 1));
  await store.flush();
  assert.equal(said(await at.store().load()), "c@1 r@1 e@1");
  assert.deepEqual(await readdir(at.dir), ["configuration.xds"]);
});

test("a process that is killed at any moment leaves no route without its cluster, and nothing that it said is lost", async () => {
  await using at = await directory();
  let version = 0;
  for (let round = 0; round < 12; round += 1) {
    const child = spawn(process.execPath, [WRITER, at.dir, String(version)], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    let stored = version;
    const lines = createInterface({ input: child.stdout });
    lines.on("line", (line) => {
      stored = Number(line);
    });
    await once(lines, "line", { signal: AbortSignal.timeout(20_000) });
    await delay(17 * round);
    child.kill("SIGKILL");
    await once(child, "close");
    const loaded = await at.store().load();
    const [clusters, routes] = [cluster, route].map((type) =>
      Number([...(loaded.get(type)?.values() ?? [])][0]?.version),
    );
    assert.ok(routes !== undefined && clusters !== undefined);
    assert.ok(routes === clusters || routes === clusters - 1, `clusters ${clusters}, routes ${routes}`);
    assert.ok(routes >= stored, `${routes} on disk, ${stored} was`);
    version = clusters;
  }
  assert.deepEqual(
    (await readdir(at.dir)).filter((name) => name.includes("corrupt")),
    [],
  );
});
