import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReadinessProbe } from "../../mesh/model/readiness-probe.ts";
import type { Workload } from "../../mesh/model/workload.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { workload } from "../../test/fakes/sample-mesh.ts";
import type { LocalService } from "../discovery/discovery.ts";
import type { GroupSettings } from "../registration/group-settings.ts";
import { Changes } from "../state/changes.ts";
import type { Probed, Probes } from "./probes.ts";
import { UNASKED, type Verdict } from "./verdict.ts";
import { WorkloadHealth } from "./workload-health.ts";

const TCP: ReadinessProbe = {
  initialDelayMs: 0,
  timeoutMs: 1000,
  periodMs: 1000,
  successThreshold: 1,
  failureThreshold: 3,
  check: { kind: "tcp", host: "", port: 80 },
};
const EXEC: ReadinessProbe = { ...TCP, check: { kind: "exec", command: ["true"] } };
const ID = "default/web-1";
const always = (): boolean => true;
const service = (probe?: ReadinessProbe) => ({ id: "web-1", namespace: "default", probe }) as LocalService;
const web = (over: Partial<Workload> = {}): Workload => workload("web", over);

/** Health whose probes find what the test says. */
function health(groupProbe?: ReadinessProbe, groupsMayExec = false) {
  let asked: ReadonlyMap<string, Probed> = new Map();
  let found: boolean | undefined;
  const probes = {
    changes: new Changes(),
    set: (probed: ReadonlyMap<string, Probed>) => void (asked = probed),
    verdict: (id: string): Verdict | undefined => {
      const one = asked.get(id);
      return one && { ...UNASKED, ...one.before, ...(found === undefined ? {} : { healthy: found }) };
    },
  } as unknown as Probes;
  const groups = {
    of: () => (groupProbe === undefined ? undefined : { probe: groupProbe }),
  } as unknown as GroupSettings;
  const subject = new WorkloadHealth({ groups, probes, groupsMayExec, logger: silentLogger });
  return { subject, asked: () => asked.get(ID), find: (healthy: boolean) => void (found = healthy) };
}

const reports = (
  { subject }: ReturnType<typeof health>,
  one: Workload,
  services: readonly LocalService[] | undefined,
  serves = always,
): boolean | undefined => subject.report([one], services, serves)[0]?.healthy;

test("without a probe it is what its source says", () => {
  assert.equal(reports(health(), web(), [service()]), true);
  assert.equal(reports(health(), web({ healthy: false }), [service()]), false);
});

test("one that does not serve yet is nobody's endpoint", () => {
  assert.equal(
    reports(health(), web(), [service()], () => false),
    false,
  );
});

test("its source and its probe must both agree", () => {
  const at = health(TCP);
  assert.equal(reports(at, web(), [service()]), false, "not asked yet");
  at.find(true);
  assert.equal(reports(at, web(), [service()]), true);
  assert.equal(reports(at, web({ healthy: false }), [service()]), false);
  at.find(false);
  assert.equal(reports(at, web(), [service()]), false);
});

test("what the host says goes before what the group says", () => {
  const at = health(TCP);
  const own = { ...TCP, periodMs: 5000 };
  reports(at, web(), [service(own)]);
  assert.equal(at.asked()?.probe.periodMs, 5000);
  reports(at, web(), [service()]);
  assert.equal(at.asked()?.probe.periodMs, 1000);
});

test("a probe that comes to a workload that serves takes nothing away before it fails", () => {
  const at = health();
  reports(at, web(), [service()]);
  assert.equal(reports(at, web(), [service(TCP)]), true);
  assert.deepEqual(at.asked()?.before, { healthy: true, settled: true });
});

test("what an agent before this one reported stands until somebody has looked", () => {
  const at = health();
  at.subject.remember([web()]);
  assert.equal(reports(at, web(), undefined), true);
  assert.equal(reports(at, web(), [service(TCP)]), true);
  assert.deepEqual(at.asked()?.before, { healthy: true, settled: false });
});

test("a group runs commands only where the host lets it; the host's own are run", () => {
  const at = health(EXEC);
  assert.equal(reports(at, web(), [service()]), true, "as without a probe");
  assert.match(at.subject.problems[0]?.error.hint ?? "", /probes\.exec: true/);
  assert.equal(at.asked(), undefined);
  reports(at, web(), [service(EXEC)]);
  assert.deepEqual([at.asked()?.probe, at.subject.problems], [EXEC, []]);
  const allowed = health(EXEC, true);
  reports(allowed, web(), [service()]);
  assert.equal(allowed.asked()?.probe, EXEC);
});
