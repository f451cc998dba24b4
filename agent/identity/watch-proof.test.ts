import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { nomadProof } from "./proofs/bearer-proofs.ts";
import { watchProof } from "./watch-proof.ts";

test("a workload identity that Nomad has renewed is told once, and a file that is away for a moment is not", async () => {
  const folder = await mkdtemp(join(tmpdir(), "lateen-proof-"));
  try {
    const path = join(folder, "nomad_lateen.jwt");
    await writeFile(path, "first");
    const steps = [
      async () => {},
      async () => writeFile(path, "second"),
      async () => {},
      async () => rm(path),
      async () => writeFile(path, "second"),
    ];
    const stop = new AbortController();
    const clock: Clock = {
      now: () => 0,
      monotonic: () => 0,
      async sleep() {
        const step = steps.shift();
        if (step === undefined) stop.abort();
        else await step();
      },
    };
    let told = 0;
    await watchProof(nomadProof(`file:${path}`, {}), clock, () => void (told += 1), stop.signal);
    assert.equal(told, 1);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a proof of an environment variable is nothing to watch", async () => {
  const clock: Clock = { now: () => 0, monotonic: () => 0, sleep: () => assert.fail("it waits") };
  await watchProof(nomadProof("env:NOMAD_TOKEN_lateen", {}), clock, () => {}, new AbortController().signal);
  await watchProof(undefined, clock, () => {}, new AbortController().signal);
});
