import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { ManualClock } from "../../test/fakes/manual-clock.ts";
import { eventually } from "../../test/harness/eventually.ts";
import { type SlotOptions, WorkerSlot } from "./worker-slot.ts";
import type { WorkerThread } from "./worker-thread.ts";

class Thread {
  beats = 0;
  readonly connections = 0;
  killed = false;
  readonly #end = Promise.withResolvers<string>();
  readonly ended = this.#end.promise;

  kill(): Promise<void> {
    this.killed = true;
    this.#end.resolve("killed");
    return Promise.resolve();
  }
}

interface Watched extends AsyncDisposable {
  readonly clock: ManualClock;
  readonly slot: WorkerSlot;
  /** Lets the watcher look so many times. */
  look(times: number, eachMs?: number): Promise<void>;
}

function watch(start: SlotOptions["start"]): Watched {
  const clock = new ManualClock();
  const stop = new AbortController();
  const slot = new WorkerSlot({
    index: 0,
    start,
    ended: () => {},
    clock,
    random: () => 0,
    logger: silentLogger,
  });
  const running = slot.run(stop.signal);
  return {
    clock,
    slot,
    look: async (times, eachMs = 1000) => {
      for (let left = times; left > 0; left--) {
        await eventually("it waits", () => clock.sleeping > 0);
        clock.advance(eachMs);
      }
      await new Promise((resolve) => setImmediate(resolve));
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await running;
    },
  };
}

const asThread = (thread: Thread): WorkerThread => thread as unknown as WorkerThread;

test("a worker that stands still is soon not asked any more, and then replaced", async () => {
  const threads: Thread[] = [];
  await using watched = watch(() => {
    const thread = new Thread();
    threads.push(thread);
    return asThread(thread);
  });
  assert.equal(watched.slot.answers, true);
  await watched.look(2);
  assert.equal(watched.slot.answers, false);
  await watched.look(8);
  assert.deepEqual([threads[0]?.killed, threads.length], [true, 2]);
  assert.equal(watched.slot.answers, true);
});

test("when the whole process stood still, no worker is taken for one that hangs", async () => {
  const thread = new Thread();
  await using watched = watch(() => asThread(thread));
  await watched.look(3);
  await watched.look(1, 60_000);
  thread.beats++;
  await watched.look(3);
  assert.equal(thread.killed, false);
});

test("a worker that cannot be started is tried again", async () => {
  const thread = new Thread();
  let tries = 0;
  await using watched = watch(() => {
    if (++tries < 3) throw new Error("no thread is left");
    return asThread(thread);
  });
  await watched.look(2, 1000);
  assert.equal(watched.slot.thread, asThread(thread));
});
