import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import type * as wire from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";
import { workload } from "../../test/fakes/sample-mesh.ts";
import { eventually } from "../../test/harness/eventually.ts";
import { ConcurrencySettings, type SaidOfDataPlane } from "./concurrency-settings.ts";

const WEB = workload("web");
const STORE = workload("store");
const IDS = ["default/web-1", "default/store-1"] as const;
const NONE = new Map<string, string>();

const of = (id: string, concurrency: number): wire.DataPlaneSettings => ({ workload: id, concurrency });

function open(stateDir: string): ConcurrencySettings {
  return new ConcurrencySettings({ stateDir, clock: systemClock, logger: silentLogger });
}

const said = (settings: ConcurrencySettings): readonly (SaidOfDataPlane | undefined)[] =>
  IDS.map((id) => settings.of(id));

async function inFolder(work: (stateDir: string) => Promise<void>): Promise<void> {
  const stateDir = await mkdtemp(join(tmpdir(), "lateen-concurrency-"));
  try {
    await work(stateDir);
  } finally {
    await rm(stateDir, { recursive: true });
  }
}

/** What one agent is told while it runs, and then what the next one knows. */
async function keptOf(stateDir: string, settings: ConcurrencySettings): Promise<ConcurrencySettings> {
  const stop = new AbortController();
  const keeping = settings.keep(stop.signal);
  const next = open(stateDir);
  await eventually("it is on disk", async () => {
    await next.load();
    return JSON.stringify(said(next)) === JSON.stringify(said(settings));
  });
  stop.abort();
  // An agent that leaves reports that it has no workloads.
  settings.take([], [], NONE);
  await keeping;
  return next;
}

test("that nobody says anything is known as well, and told from not knowing", () => {
  const settings = open("/nonexistent");
  let changes = 0;
  settings.changes.subscribe(() => void changes++);
  assert.deepEqual(said(settings), [undefined, undefined]);
  settings.take([of(IDS[0], 2)], [WEB, STORE], NONE);
  assert.deepEqual(said(settings), [{ concurrency: 2 }, { concurrency: undefined }]);
  settings.take([of(IDS[0], 2)], [WEB, STORE], NONE);
  assert.equal(changes, 1, "the same is no change");
  settings.take([of(IDS[1], 0)], [WEB, STORE], NONE);
  assert.deepEqual(said(settings), [{ concurrency: undefined }, { concurrency: 0 }]);
});

test("of a workload that is refused what was said last stays; of one that is gone nothing does", () => {
  const settings = open("/nonexistent");
  settings.take([of(IDS[0], 2), of(IDS[1], 3)], [WEB, STORE], NONE);
  settings.take([], [WEB], new Map([[IDS[0], "it is not yours"]]));
  assert.deepEqual(said(settings), [{ concurrency: 2 }, undefined]);
});

test("more threads than a proxy takes are as many as it takes", () => {
  const settings = open("/nonexistent");
  settings.take([of(IDS[0], 100_000)], [WEB], NONE);
  assert.deepEqual(settings.of(IDS[0]), { concurrency: 256 });
});

test("the next agent knows what was said, though the last one left with its workloads", async () => {
  await inFolder(async (stateDir) => {
    const settings = open(stateDir);
    settings.take([of(IDS[0], 2)], [WEB, STORE], NONE);
    const next = await keptOf(stateDir, settings);
    const after = open(stateDir);
    await after.load();
    assert.deepEqual(said(after), [{ concurrency: 2 }, { concurrency: undefined }]);
    assert.deepEqual(said(next), said(after));
  });
});

test("a file that cannot be used is put aside, and nothing is known", async () => {
  await inFolder(async (stateDir) => {
    await writeFile(join(stateDir, "data-planes.json"), '[{"workload":"a/b","concurrency":-1}]', {
      mode: 0o600,
    });
    const settings = open(stateDir);
    await settings.load();
    assert.equal(settings.of("a/b"), undefined);
    assert.match((await readdir(stateDir)).join(), /^data-planes\.json\.corrupt-\d+$/);
  });
});
