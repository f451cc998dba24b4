import assert from "node:assert/strict";
import { test } from "node:test";
import { runTasks, type Task } from "./run-tasks.ts";

/** Returns once its signal is aborted. */
const untilAborted: Task = (signal) =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });

test("tasks run together and the call returns when all have returned", async () => {
  const order: string[] = [];
  const gate = Promise.withResolvers<undefined>();
  await runTasks(
    new AbortController().signal,
    async () => {
      order.push("first begins");
      await gate.promise;
      order.push("first ends");
    },
    async () => {
      order.push("second begins");
      gate.resolve(undefined);
    },
  );
  assert.deepEqual(order, ["first begins", "second begins", "first ends"]);
});

test("without tasks it returns at once", async () => {
  await runTasks(new AbortController().signal);
});

test("the first failure aborts the others and is thrown once they have stopped", async () => {
  let stopped = false;
  const failing = new Error("no route to host");
  const run = runTasks(
    new AbortController().signal,
    async (signal) => {
      await untilAborted(signal);
      assert.equal(signal.reason, failing);
      stopped = true;
    },
    () => Promise.reject(failing),
  );
  await assert.rejects(run, failing);
  assert.equal(stopped, true);
});

test("a task that throws before it awaits is a failure like any other", async () => {
  const run = runTasks(new AbortController().signal, untilAborted, () => {
    throw new TypeError("wrong");
  });
  await assert.rejects(run, TypeError);
});

test("of several failures the first is thrown", async () => {
  const run = runTasks(
    new AbortController().signal,
    async (signal) => {
      await untilAborted(signal);
      throw new Error("second");
    },
    () => Promise.reject(new Error("first")),
  );
  await assert.rejects(run, /^Error: first$/);
});

test("an abort from outside stops all tasks and is no failure", async () => {
  const controller = new AbortController();
  const run = runTasks(controller.signal, untilAborted, untilAborted);
  controller.abort(new Error("shutting down"));
  await run;
});

test("tasks that start under an aborted signal see it", async () => {
  let seen = false;
  await runTasks(AbortSignal.abort(), async (signal) => {
    seen = signal.aborted;
  });
  assert.equal(seen, true);
});
