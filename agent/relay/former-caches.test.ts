import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { type ResourceMap, resourceMap } from "../../mesh/xds/encoded-resource.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import { LastGoodStore } from "./last-good-store.ts";
import type { Configuration } from "./stored-types.ts";

const { cluster, endpoints } = TYPE_URL;

/** As the first version of the agent wrote them, for `node-1`: clusters a@1 and b@2, route r@1. */
const FORMER: Readonly<Record<string, string>> = {
  "clusters.xds": `{"format":1,"node":"node-1","typeUrl":"type.googleapis.com/envoy.config.cluster.v3.Cluster","sha256":"b3196021d314f0a93f104bd724561fcb06e964367d2de8a707d8309e48be031b"}
EkIKATEaAWESOgozdHlwZS5nb29nbGVhcGlzLmNvbS9lbnZveS5jb25maWcuY2x1c3Rlci52My5DbHVzdGVyEgNhIDESQgoBMhoBYhI6CjN0eXBlLmdvb2dsZWFwaXMuY29tL2Vudm95LmNvbmZpZy5jbHVzdGVyLnYzLkNsdXN0ZXISA2IgMiIzdHlwZS5nb29nbGVhcGlzLmNvbS9lbnZveS5jb25maWcuY2x1c3Rlci52My5DbHVzdGVy
`,
  "routes.xds": `{"format":1,"node":"node-1","typeUrl":"type.googleapis.com/envoy.config.route.v3.RouteConfiguration","sha256":"b8d850fc62199a7c62e7934d1ff2b060a7a3907543b3a3820b05a8eb17747d35"}
EksKATEaAXISQwo8dHlwZS5nb29nbGVhcGlzLmNvbS9lbnZveS5jb25maWcucm91dGUudjMuUm91dGVDb25maWd1cmF0aW9uEgNyIDEiPHR5cGUuZ29vZ2xlYXBpcy5jb20vZW52b3kuY29uZmlnLnJvdXRlLnYzLlJvdXRlQ29uZmlndXJhdGlvbg==
`,
};

async function directory() {
  const dir = await mkdtemp(join(tmpdir(), "lateen-former-"));
  const warnings: string[] = [];
  const logger = {
    ...silentLogger,
    warn: (message: string, fields: object = {}) => warnings.push(`${message} ${JSON.stringify(fields)}`),
  };
  return {
    dir,
    file: join(dir, "configuration.xds"),
    warnings,
    store: ({ node = "node-1", trustDomain = "a.example" } = {}) =>
      new LastGoodStore({ dir, node, trustDomain, logger, clock: { now: () => 1 } }),
    async writeFormer(): Promise<void> {
      for (const [name, text] of Object.entries(FORMER))
        await writeFile(join(dir, name), text, { mode: 0o600 });
    },
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true }),
  };
}

function one(name: string, version: string): ResourceMap {
  return resourceMap([{ name, version, bytes: new Uint8Array([1]) }]);
}

function said(configuration: Configuration): string {
  const all = [...configuration.values()].flatMap((map) => [...map.values()]);
  return all.map(({ name, version }) => `${name}@${version}`).join(" ");
}

test("what an earlier version stored is served after an upgrade, and is one file with the first change", async () => {
  await using at = await directory();
  await at.writeFormer();
  const store = at.store();
  assert.equal(said(await store.load()), "a@1 b@2 r@1");
  assert.deepEqual((await readdir(at.dir)).toSorted(), Object.keys(FORMER));
  store.save(endpoints, one("e", "1"));
  await store.flush();
  assert.deepEqual(await readdir(at.dir), ["configuration.xds"]);
  assert.equal(said(await at.store().load()), "a@1 b@2 r@1 e@1");
});

test("a broken file of an earlier version costs the others nothing; those of another node are not used", async () => {
  await using at = await directory();
  await at.writeFormer();
  const broken = (FORMER["clusters.xds"] ?? "").replace("YWESO", "YWFSO").replace("EkIK", "EkIL");
  await writeFile(join(at.dir, "clusters.xds"), broken);
  assert.equal(said(await at.store().load()), "r@1");
  assert.ok((await readdir(at.dir)).includes("clusters.xds.corrupt-1"));
  assert.equal(said(await at.store({ node: "node-2" }).load()), "");
});

test("where an earlier version has run since, what it stored counts; where a kill left its files, they do not", async () => {
  await using at = await directory();
  const store = at.store();
  store.save(cluster, one("new", "1"));
  await store.flush();
  await at.writeFormer();
  const [long, now] = [new Date(Date.now() - 60_000), new Date(Date.now() + 1000)];
  for (const [time, want] of [
    [now, "a@1 b@2 r@1"],
    [long, "new@1"],
  ] as const) {
    for (const name of Object.keys(FORMER)) await utimes(join(at.dir, name), time, time);
    assert.equal(said(await at.store().load()), want);
  }
});

const refused = [
  {
    name: "of another trust domain",
    owner: { trustDomain: "b.example" },
    reason: /of trust domain a\.example/,
  },
  { name: "of another node", owner: { node: "node-2" }, reason: /of node node-1/ },
];
for (const { name, owner, reason } of refused) {
  test(`a cache ${name} is not used, which is told, and the next save replaces it`, async () => {
    await using at = await directory();
    const first = at.store();
    first.save(cluster, one("c", "1"));
    await first.flush();
    const second = at.store(owner);
    assert.equal(said(await second.load()), "");
    assert.equal(at.warnings.length, 1);
    assert.match(at.warnings[0] ?? "", reason);
    assert.deepEqual(await readdir(at.dir), ["configuration.xds"]);
    second.save(endpoints, one("e", "1"));
    await second.flush();
    assert.equal(said(await at.store(owner).load()), "e@1");
  });
}

test("the file of a newer version is not used, stays as it is until something is stored, and is not called broken", async () => {
  await using at = await directory();
  const text = '{"format":3,"of":"a later day"}\nwhatever it has\n';
  await writeFile(at.file, text, { mode: 0o600 });
  assert.equal(said(await at.store().load()), "");
  assert.match(at.warnings[0] ?? "", /a newer version wrote it \(format 3\)/);
  assert.equal(await readFile(at.file, "utf8"), text);
});
