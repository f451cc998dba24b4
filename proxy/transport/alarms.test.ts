import assert from "node:assert/strict";
import { test } from "node:test";
import { Alarm, Alarms } from "./alarms.ts";

interface Ground {
  readonly alarms: Alarms;
  readonly rung: string[];
  readonly alarm: (name: string) => Alarm;
  readonly pass: (ms: number) => void;
}

function ground(timers: { tick(ms: number): void; enable(options: { apis: ["setTimeout"] }): void }): Ground {
  let now = 0;
  const rung: string[] = [];
  timers.enable({ apis: ["setTimeout"] });
  return {
    alarms: new Alarms(() => now),
    rung,
    alarm: (name) => new Alarm(() => rung.push(`${name}@${now}`)),
    pass: (ms) => {
      for (let left = ms; left > 0; left--) {
        now++;
        timers.tick(1);
      }
    },
  };
}

test("alarms ring in their order and time, and those that were taken back do not", (t) => {
  const { alarms, rung, alarm, pass } = ground(t.mock.timers);
  const [a, b, c] = [alarm("a"), alarm("b"), alarm("c")];
  a.set(alarms, 10);
  pass(3);
  b.set(alarms, 10);
  c.set(alarms, 10);
  b.clear();
  pass(20);
  assert.deepEqual(rung, ["a@10", "c@13"]);
  assert.equal(a.queue, undefined);
});

test("an alarm that is put off rings after a whole delay of silence, not later", (t) => {
  const { alarms, rung, alarm, pass } = ground(t.mock.timers);
  const [moved, still] = [alarm("moved"), alarm("still")];
  moved.set(alarms, 10);
  pass(4);
  moved.postpone();
  pass(4);
  still.set(alarms, 10);
  pass(30);
  assert.deepEqual(rung, ["moved@14", "still@18"]);
});

test("an alarm can be set to another delay, and again from its own ring", (t) => {
  const { alarms, rung, alarm, pass } = ground(t.mock.timers);
  const changed = alarm("changed");
  changed.set(alarms, 10);
  changed.set(alarms, 5);
  let left = 2;
  const again = new Alarm(() => {
    rung.push("again");
    if (--left > 0) again.set(alarms, 7);
  });
  again.set(alarms, 7);
  const never = alarm("never");
  never.set(alarms, 0);
  pass(50);
  assert.deepEqual(rung, ["changed@5", "again", "again"]);
});

test("a queue keeps one timer, however often its alarms set themselves again", (t) => {
  const { alarms, alarm, pass } = ground(t.mock.timers);
  const armed = new Set<unknown>();
  const counted = { most: 0 };
  const [set, clear] = [globalThis.setTimeout, globalThis.clearTimeout];
  t.mock.method(globalThis, "setTimeout", (ring: () => void, ms: number) => {
    const timer: unknown = set(() => {
      armed.delete(timer);
      ring();
    }, ms);
    armed.add(timer);
    counted.most = Math.max(counted.most, armed.size);
    return timer;
  });
  t.mock.method(globalThis, "clearTimeout", (timer: NodeJS.Timeout | undefined) => {
    armed.delete(timer);
    clear(timer);
  });
  const again = new Alarm(() => again.set(alarms, 10));
  again.set(alarms, 10);
  for (let round = 0; round < 5; round++) {
    pass(3);
    alarm("later").set(alarms, 10);
  }
  pass(100);
  assert.equal(counted.most, 1);
});
