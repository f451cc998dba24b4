import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { resourceMap } from "../../mesh/xds/encoded-resource.ts";
import { Cluster } from "../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import { AdsEnvoy } from "../../test/harness/ads-envoy.ts";
import { GoldenResources } from "../../test/harness/golden-resources.ts";
import { skipWithout } from "../../test/harness/tools.ts";
import { encodedResource } from "./encode.ts";

const files = globSync("**/golden/*.json", { cwd: import.meta.dirname }).sort();

/** Resources of a golden file that no Envoy asks for. What is asked for after all must leave the list. */
const NOT_ASKED_FOR: Readonly<Record<string, readonly string[]>> = {
  // Its server has no certificate, so there is a filter chain that refuses in its place, and that one has no routes.
  "gateway/golden/https-modes.json": ["https.8443.https-missing.edge.default"],
};

/** Golden files by folder that hold no resources, and how many there are. */
const NO_RESOURCES: Readonly<Record<string, number>> = {
  // What each patch changes, before and after: `patches.envoy.test.ts` has Envoy validate what comes of them.
  "patches/golden": 10,
};

test("every golden file that is not served is known", () => {
  for (const [folder, count] of Object.entries(NO_RESOURCES))
    assert.equal(files.filter((file) => dirname(file) === folder).length, count, folder);
});

test("a real Envoy takes every golden case over ADS", { skip: skipWithout("envoy") }, async (t) => {
  assert.ok(files.length >= 76, `only ${files.length} golden files: is the glob right?`);
  for (const name of Object.keys(NOT_ASKED_FOR)) assert.ok(files.includes(name), name);
  const folder = await mkdtemp(join(tmpdir(), "lateen-golden-"));
  try {
    const golden = new GoldenResources(folder);
    await using envoy = await AdsEnvoy.start();
    for (const file of files.filter((one) => !(dirname(one) in NO_RESOURCES))) {
      await t.test(file.replace(/\.json$/, ""), async () => {
        const resources = golden.read(join(import.meta.dirname, file));
        assert.ok(resources.size > 0, "it holds no resources: has its form changed?");
        try {
          await envoy.accept(resources, NOT_ASKED_FOR[file] ?? []);
        } finally {
          // Where only filter chains change, Envoy goes on printing the listener's old version: each case starts anew.
          await envoy.accept(new Map());
        }
      });
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("a resource that Envoy refuses fails with its message", { skip: skipWithout("envoy") }, async () => {
  await using envoy = await AdsEnvoy.start();
  const name = "eds-at-a-place";
  const bytes = Cluster.encode(
    Cluster.fromPartial({ name, loadAssignment: { clusterName: name }, type: 3 }),
  ).finish();
  const refused = new Map([[TYPE_URL.cluster, resourceMap([encodedResource(name, bytes)])]]);
  await assert.rejects(envoy.accept(refused), /NACK of Cluster: .*eds-at-a-place/s);
});
