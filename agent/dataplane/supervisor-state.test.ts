import assert from "node:assert/strict";
import { test } from "node:test";
import { nextState, type SupervisorEvent, type SupervisorState } from "./supervisor-state.ts";

const running: SupervisorState = { kind: "running", pid: 7, since: 1 };
const draining: SupervisorState = { kind: "draining", pid: 7, deadline: 9 };
const stopped: SupervisorState = { kind: "stopped" };

const cases: readonly {
  readonly name: string;
  readonly given: SupervisorState;
  readonly event: SupervisorEvent;
  readonly want: SupervisorState;
}[] = [
  {
    name: "a stopped one starts",
    given: stopped,
    event: { kind: "started", attempt: 0, pid: 7 },
    want: { kind: "starting", attempt: 0, pid: 7 },
  },
  {
    name: "a starting one becomes ready",
    given: { kind: "starting", attempt: 2, pid: 7 },
    event: { kind: "ready", now: 1 },
    want: running,
  },
  {
    name: "one that drains does not become ready again",
    given: draining,
    event: { kind: "ready", now: 1 },
    want: draining,
  },
  {
    name: "a running one is succeeded by another process, and runs on",
    given: running,
    event: { kind: "succeeded", pid: 8 },
    want: { kind: "running", pid: 8, since: 1 },
  },
  {
    name: "one that drains stays the one that drains",
    given: draining,
    event: { kind: "succeeded", pid: 8 },
    want: draining,
  },
  { name: "a running one drains", given: running, event: { kind: "drain", deadline: 9 }, want: draining },
  {
    name: "a stopped one cannot drain",
    given: stopped,
    event: { kind: "drain", deadline: 9 },
    want: stopped,
  },
  {
    name: "a crash while running backs off",
    given: running,
    event: { kind: "crashed", attempt: 1, until: 5, reason: "signal SIGSEGV" },
    want: { kind: "backing-off", attempt: 1, until: 5, reason: "signal SIGSEGV" },
  },
  {
    name: "a crash while draining is an end",
    given: draining,
    event: { kind: "crashed", attempt: 0, until: 5, reason: "x" },
    want: stopped,
  },
  { name: "a stop ends everything", given: draining, event: { kind: "stopped" }, want: stopped },
];

for (const { name, given, event, want } of cases) {
  test(name, () => assert.deepEqual(nextState(given, event), want));
}
