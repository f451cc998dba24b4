import assert from "node:assert/strict";
import { test } from "node:test";
import { finish, Slices, type Steps } from "./slices.ts";

const NEVER = new AbortController().signal;

/** A time that each step takes one millisecond of. */
function countedWork(): { readonly now: () => number; readonly work: (steps: number) => Steps<number> } {
  let now = 0;
  return {
    now: () => now,
    *work(steps) {
      for (let done = 0; done < steps; done++) {
        now += 1;
        yield;
      }
      return steps;
    },
  };
}

test("no slice is longer than it may be, over several works as well", async () => {
  const { now, work } = countedWork();
  const turns: number[] = [];
  const turn = async (): Promise<void> => void turns.push(now());
  const slices = new Slices({ now, sliceMs: 4, turn });
  assert.equal(await slices.run(work(10), NEVER), 10);
  assert.equal(await slices.run(work(6), NEVER), 6);
  assert.deepEqual(turns, [1, 5, 9, 13]);
});

test("the event loop turns between slices", async () => {
  const { now, work } = countedWork();
  const slices = new Slices({ now, sliceMs: 5 });
  let turns = 0;
  const running = { on: true };
  const count = (): void => {
    turns++;
    if (running.on) setImmediate(count);
  };
  setImmediate(count);
  await slices.run(work(50), NEVER);
  running.on = false;
  assert.ok(turns >= 9, `${turns} turns`);
});

test("work that is given up ends where it is, with what it holds let go", async () => {
  const { now } = countedWork();
  const stop = new AbortController();
  let steps = 0;
  let isLetGo = false;
  function* endless(): Steps<void> {
    try {
      for (;;) {
        if (++steps === 3) stop.abort(new Error("enough"));
        yield;
      }
    } finally {
      isLetGo = true;
    }
  }
  await assert.rejects(new Slices({ now }).run(endless(), stop.signal), /enough/);
  assert.deepEqual([steps, isLetGo], [3, true]);
  await assert.rejects(new Slices({ now }).run(endless(), stop.signal), /enough/);
  assert.equal(steps, 3, "nothing was begun");
  await assert.rejects(new Slices({ now }).step(stop.signal), /enough/);
});

test("what the work throws is thrown", async () => {
  const { now } = countedWork();
  function* broken(): Steps<void> {
    yield;
    throw new Error("broken");
  }
  await assert.rejects(new Slices({ now }).run(broken(), NEVER), /broken/);
  assert.throws(() => finish(broken()), /broken/);
});

test("at once it comes to the same", () => {
  assert.equal(finish(countedWork().work(7)), 7);
});
