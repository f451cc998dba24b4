import assert from "node:assert/strict";
import {
  chmod,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { NO_RESOURCES, type ResourceMap, resourceMap } from "../../mesh/xds/encoded-resource.ts";
import { TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import { LastGoodStore } from "./last-good-store.ts";

const { cluster } = TYPE_URL;
const FILE = "configuration.xds";
const NOW = 1_767_323_045_000;

function resources(versions: Record<string, string>): ResourceMap {
  return resourceMap(
    Object.entries(versions).map(([name, version]) => ({
      name,
      version,
      bytes: new Uint8Array(Buffer.from(`${name} ${version}`)),
    })),
  );
}

async function directory() {
  const parent = await mkdtemp(join(tmpdir(), "lateen-store-"));
  const dir = join(parent, "xds");
  return {
    dir,
    file: join(dir, FILE),
    store: ({ node = "node-1", trustDomain = "a.example", logger = silentLogger } = {}) =>
      new LastGoodStore({ dir, node, trustDomain, logger, clock: { now: () => NOW } }),
    async [Symbol.asyncDispose]() {
      await rm(parent, { recursive: true });
    },
  };
}

/** Stores two clusters and returns the file's bytes. */
async function stored(at: Awaited<ReturnType<typeof directory>>): Promise<Buffer> {
  const store = at.store();
  store.save(cluster, resources({ a: "1", b: "2" }));
  await store.flush();
  return await readFile(at.file);
}

test("what was saved is loaded", async () => {
  await using at = await directory();
  await stored(at);
  const loaded = await at.store().load();
  assert.deepEqual([...loaded.keys()], [cluster]);
  assert.deepEqual([...(loaded.get(cluster) ?? [])], [...resources({ a: "1", b: "2" })]);
});

test("an empty set is loaded as an empty set, and what was never saved is missing", async () => {
  await using at = await directory();
  const store = at.store();
  store.save(cluster, NO_RESOURCES);
  const loaded = [...(await store.load())];
  assert.deepEqual(
    loaded.map(([typeUrl, resources]) => [typeUrl, resources.size]),
    [[cluster, 0]],
  );
});

test("many changes in a row leave the last one on disk", async () => {
  await using at = await directory();
  const store = at.store();
  for (let version = 1; version <= 200; version += 1) store.save(cluster, resources({ a: String(version) }));
  await store.flush();
  assert.deepEqual([...((await at.store().load()).get(cluster) ?? [])], [...resources({ a: "200" })]);
  assert.deepEqual(await readdir(at.dir), [FILE]);
});

test("types that no data plane asks a server for are not stored", async () => {
  await using at = await directory();
  const store = at.store();
  store.save("type.googleapis.com/unheard.of" as TypeUrl, resources({ a: "1" }));
  await store.flush();
  assert.deepEqual(await store.load(), new Map());
});

test("another node's file is not used, and not put aside", async () => {
  await using at = await directory();
  await stored(at);
  assert.deepEqual(await at.store({ node: "node-2" }).load(), new Map());
  assert.deepEqual(await readdir(at.dir), [FILE]);
});

test("every flipped bit is noticed", async () => {
  await using at = await directory();
  const sound = await stored(at);
  let seed = 1;
  for (let round = 0; round < 150; round += 1) {
    seed = (seed * 48_271) % 2_147_483_647;
    const broken = Buffer.from(sound);
    const position = seed % broken.length;
    broken[position] = (broken[position] ?? 0) ^ (1 << (seed % 8));
    await writeFile(at.file, broken, { mode: 0o600 });
    const loaded = await at.store().load();
    assert.equal(loaded.size, 0, `byte ${position} of ${JSON.stringify(sound.toString())}`);
  }
});

test("every truncation is noticed", async () => {
  await using at = await directory();
  const sound = await stored(at);
  for (let length = 0; length < sound.length; length += 7) {
    await writeFile(at.file, sound, { mode: 0o600 });
    await truncate(at.file, length);
    assert.equal((await at.store().load()).size, 0, `${length} bytes`);
  }
});

const mutations: readonly {
  readonly name: string;
  readonly mutate: (file: string, sound: Buffer) => Promise<void>;
}[] = [
  { name: "an empty file", mutate: (file) => writeFile(file, "") },
  { name: "rubbish", mutate: (file) => writeFile(file, "{}\n\n") },
  { name: "a line after the end", mutate: (file, sound) => writeFile(file, `${sound.toString()}x\n`) },
  {
    name: "a second copy after the first",
    mutate: (file, sound) => writeFile(file, Buffer.concat([sound, sound])),
  },
  { name: "a file that others can read", mutate: (file) => chmod(file, 0o644) },
  { name: "a file that others can write", mutate: (file) => chmod(file, 0o602) },
  {
    name: "a link to a sound file",
    mutate: async (file) => {
      await rename(file, `${file}.elsewhere`);
      await symlink(`${file}.elsewhere`, file);
    },
  },
];

for (const { name, mutate } of mutations) {
  test(`${name} is put aside and not used`, async () => {
    await using at = await directory();
    await mutate(at.file, await stored(at));
    assert.equal((await at.store().load()).size, 0);
    const names = await readdir(at.dir);
    assert.ok(names.includes(`${FILE}.corrupt-${NOW}`), names.join());
    assert.ok(!names.includes(FILE), names.join());
  });
}

test("a corrupt file is replaced by the next save", async () => {
  await using at = await directory();
  await stored(at);
  await writeFile(at.file, "rubbish\n");
  const store = at.store();
  assert.deepEqual(await store.load(), new Map());
  store.save(cluster, resources({ a: "3" }));
  await store.flush();
  assert.deepEqual([...((await at.store().load()).get(cluster) ?? [])], [...resources({ a: "3" })]);
});

test("a directory that cannot be written loses the cache, not the agent", async () => {
  await using at = await directory();
  await stored(at);
  await chmod(at.dir, 0o777);
  const store = at.store();
  store.save(cluster, resources({ a: "9" }));
  await store.flush();
  await chmod(at.dir, 0o700);
  assert.deepEqual([...((await at.store().load()).get(cluster) ?? [])], [...resources({ a: "1", b: "2" })]);
});
