import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../../mesh/lifecycle/clock.ts";
import { eventually } from "../../../test/harness/eventually.ts";
import { type Outlet, Outlets } from "./outlets.ts";

class Mailbox implements Outlet {
  readonly #waits: () => void;
  waiting = 0;
  handedOver = 0;
  closed = 0;
  isStuck = false;

  constructor(waits: () => void) {
    this.#waits = waits;
  }

  get idle(): boolean {
    return this.waiting === 0;
  }

  add(): void {
    this.waiting++;
    this.#waits();
  }

  begin(): void {
    this.handedOver += this.waiting;
    this.waiting = 0;
  }

  async close(): Promise<void> {
    if (this.isStuck) await new Promise(() => {});
    this.begin();
    this.closed++;
  }
}

/** Time that passes as fast as anybody waits for it. */
const hasty = {
  ...systemClock,
  sleep: async (_ms: number, signal: AbortSignal) => await systemClock.sleep(1, signal),
};
const create = (waits: () => void): Mailbox => new Mailbox(waits);

test("an outlet lasts as long as settings name it, over any number of their versions", async () => {
  const outlets = new Outlets<Mailbox>();
  const stop = new AbortController();
  const running = outlets.run(hasty, stop.signal);
  const first = outlets.take("a", create);
  let last = first;
  for (let version = 0; version < 100; version++) {
    const next = outlets.take("a", create);
    last.release();
    last = next;
  }
  assert.equal(last.outlet, first.outlet);
  assert.equal(outlets.all().length, 1);
  // Twice is not more than once.
  first.release();
  const other = outlets.take("b", create);
  assert.equal(outlets.take("a", create).outlet, first.outlet);
  other.outlet.add();
  other.release();
  await eventually("it is closed", () => other.outlet.closed === 1);
  assert.deepEqual([other.outlet.handedOver, first.outlet.closed], [1, 0]);
  assert.deepEqual(outlets.all(), [first.outlet]);
  assert.notEqual(outlets.take("b", create).outlet, other.outlet);
  stop.abort();
  await running;
});

test("what comes after the settings are gone is handed over too", async () => {
  const outlets = new Outlets<Mailbox>();
  const stop = new AbortController();
  const running = outlets.run(hasty, stop.signal);
  const { outlet, release } = outlets.take("a", create);
  release();
  await eventually("it is closed", () => outlet.closed === 1);
  outlet.add();
  await eventually(
    "it is handed over, and closed again",
    () => outlet.handedOver === 1 && outlet.closed === 2,
  );
  assert.deepEqual(outlets.all(), []);
  stop.abort();
  await running;
});

test("at the end the rest is handed over, and what is stuck holds nobody up", async () => {
  const outlets = new Outlets<Mailbox>();
  const stop = new AbortController();
  const stuck = outlets.take("a", create).outlet;
  stuck.isStuck = true;
  const { outlet } = outlets.take("b", create);
  outlet.add();
  stop.abort();
  await outlets.run(hasty, stop.signal);
  assert.deepEqual([outlet.handedOver, outlet.closed, stuck.closed], [1, 1, 0]);
});
