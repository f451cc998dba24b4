import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import type * as wire from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";
import { workload } from "../../test/fakes/sample-mesh.ts";
import { GroupSettings } from "./group-settings.ts";

const MEMBER = workload("web", {
  group: { name: "shop", defaulted: ["serviceAccount"], applied: undefined },
});
const PLAIN = workload("plain");
const CHECKS = { http: undefined, tcp: undefined, grpc: undefined, exec: undefined };
const PROBE: wire.Probe = {
  initialDelaySeconds: 1,
  timeoutSeconds: 2,
  periodSeconds: 3,
  successThreshold: 4,
  failureThreshold: 5,
  ...CHECKS,
  tcp: { host: "", port: 80 },
};
const said = (over: Partial<wire.GroupSettings> = {}): wire.GroupSettings => ({
  workload: "default/web-1",
  group: "shop",
  serviceAccount: "shopper",
  labels: { tier: "front" },
  probe: PROBE,
  problem: "",
  ...over,
});

async function inFolder(work: (stateDir: string, open: () => GroupSettings) => Promise<void>): Promise<void> {
  const stateDir = await mkdtemp(join(tmpdir(), "lateen-groups-"));
  try {
    await work(stateDir, () => new GroupSettings({ stateDir, clock: systemClock, logger: silentLogger }));
  } finally {
    await rm(stateDir, { recursive: true });
  }
}

test("a member is what its server says, and not known before; who names no group is as it is", async () => {
  await inFolder(async (_, open) => {
    const groups = open();
    assert.equal(groups.served(MEMBER), undefined);
    assert.equal(groups.served(PLAIN), PLAIN);
    groups.take([said()], [MEMBER, PLAIN]);
    const served = groups.served(MEMBER);
    assert.deepEqual([served?.serviceAccount, served?.labels], ["shopper", { tier: "front" }]);
    assert.deepEqual(groups.of(MEMBER)?.probe, {
      initialDelayMs: 1000,
      timeoutMs: 2000,
      periodMs: 3000,
      successThreshold: 4,
      failureThreshold: 5,
      check: { kind: "tcp", host: "", port: 80 },
    });
    const other = { ...MEMBER, group: { name: "other", defaulted: [], applied: undefined } };
    assert.equal(groups.served(other), undefined, "what one group says is nothing about another");
  });
});

test("it outlives a restart, a refusal and an answer that cannot be used, and goes with its workload", async () => {
  await inFolder(async (_, open) => {
    const first = open();
    first.take([said()], [MEMBER]);
    await first.keep();
    const groups = open();
    await groups.load();
    assert.equal(groups.served(MEMBER)?.serviceAccount, "shopper");
    groups.take([], [MEMBER]);
    assert.equal(groups.served(MEMBER)?.serviceAccount, "shopper", "refused");
    groups.take([said({ serviceAccount: "../root" })], [MEMBER]);
    assert.equal(groups.served(MEMBER)?.serviceAccount, "shopper", "no service account");
    groups.take([said({ serviceAccount: "new", probe: { ...PROBE, ...CHECKS } })], [MEMBER]);
    assert.equal(groups.served(MEMBER)?.serviceAccount, "shopper", "a probe that it does not know");
    groups.take([], [PLAIN]);
    assert.equal(groups.served(MEMBER), undefined);
  });
});

test("it is told when something is said otherwise, and only then", async () => {
  await inFolder(async (_, open) => {
    const groups = open();
    let changes = 0;
    groups.changes.subscribe(() => (changes += 1));
    groups.take([said()], [MEMBER]);
    groups.take([said()], [MEMBER]);
    assert.equal(changes, 1);
    groups.take([said({ problem: "gone" })], [MEMBER]);
    assert.equal(changes, 2);
  });
});

test("a file that cannot be read is put aside", async () => {
  await inFolder(async (stateDir, open) => {
    await writeFile(join(stateDir, "groups.json"), "[{", { mode: 0o600 });
    const groups = open();
    await groups.load();
    assert.equal(groups.served(MEMBER), undefined);
    assert.match((await readdir(stateDir)).join(), /^groups\.json\.corrupt-\d+$/);
  });
});
