import assert from "node:assert/strict";
import { test } from "node:test";
import type { PolicyDecision } from "../../mesh/calls/policy-decision.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { LogBook } from "../../test/harness/mesh-log.ts";
import { PolicyDecisions } from "./policy-decisions.ts";

const call = {
  client: "spiffe://d/ns/a/sa/a",
  from: "10.0.0.9:1",
  at: "10.0.0.1:80",
  method: "GET",
  path: "/",
};
const denied = (policy: string): PolicyDecision => ({ policy, result: "denied", enforced: true });

test("who is refused again and again fills no log, and is counted each time", async () => {
  const log = new LogBook("agent");
  const decisions = new PolicyDecisions({
    logger: log.logger,
    clock: { ...systemClock, monotonic: () => 0 },
  });
  for (let i = 0; i < 100; i++) decisions.add("default/web", { call, decisions: [denied("p")] });
  decisions.add("default/other", { call, decisions: [denied("q")] });
  assert.equal(log.entries.filter(({ fields }) => fields["policy"] === "p").length, 20);
  assert.match(log.text, /refused by policy .*"workload":"default\/other","policy":"q"/);
  assert.deepEqual(await counts(decisions), [
    ["default/web", "p", 100],
    ["default/other", "q", 1],
  ]);
});

test("policies without end are counted together", async () => {
  const decisions = new PolicyDecisions({ logger: silentLogger, clock: systemClock });
  for (let i = 0; i < 10_010; i++) decisions.add("default/web", { call, decisions: [denied(`p${i}`)] });
  const told = await counts(decisions);
  assert.equal(told.length, 10_001);
  assert.deepEqual(told.at(-1), ["default/web", "(others)", 10]);
});

async function counts({ counter }: PolicyDecisions): Promise<readonly unknown[]> {
  const { values } = await counter.get();
  return values.map(({ labels, value }) => [labels["workload"], labels["policy"], value]);
}
