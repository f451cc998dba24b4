import assert from "node:assert/strict";
import { test } from "node:test";
import { PushWaves } from "./push-waves.ts";

/** Each look at the clock finds it a slice later, so a slice is as short as it can be. */
function slow(): { monotonic(): number } {
  let now = 0;
  return {
    monotonic: () => {
      now += 10;
      return now;
    },
  };
}

function streams(count: number, told: string[], onTold?: (index: number) => void) {
  return Array.from({ length: count }, (_, index) => ({
    published() {
      told.push(`stream ${index}`);
      onTold?.(index);
    },
  }));
}

test("every stream is told once, in their order, and the event loop goes on in between", async () => {
  const told: string[] = [];
  const waves = new PushWaves(slow());
  const all = streams(40, told);
  waves.publish(all);
  assert.deepEqual(told, [], "the publisher is not kept waiting");
  let turns = 0;
  const count = (): void => {
    turns += 1;
    if (told.length < all.length) setImmediate(count);
  };
  setImmediate(count);
  await waves.idle();
  assert.deepEqual(
    told,
    all.map((_, index) => `stream ${index}`),
  );
  assert.ok(turns >= 4, `${turns} turns`);
});

test("a publication that comes while streams still wait is joined with theirs; who was told is told again", async () => {
  const told: string[] = [];
  const waves = new PushWaves(slow());
  const all = streams(3, told, (index) => {
    if (told.length === 2 && index === 1) waves.publish(all);
  });
  waves.publish(all);
  await waves.idle();
  assert.deepEqual(told, ["stream 0", "stream 1", "stream 2", "stream 0", "stream 1"]);
});

test("what streams say during a wave is heard after it, in order, and at once when there is none", async () => {
  const log: string[] = [];
  const waves = new PushWaves(slow());
  const all = streams(2, log, (index) => waves.hear(() => log.push(`answer of ${index}`)));
  waves.hear(() => log.push("before"));
  assert.deepEqual(log, ["before"]);
  waves.publish(all);
  await waves.idle();
  assert.deepEqual(log, ["before", "stream 0", "stream 1", "answer of 0", "answer of 1"]);
});

test("publications without a pause do not keep answers from being heard", async () => {
  const told: string[] = [];
  const waves = new PushWaves(slow());
  let heard = 0;
  const all = streams(3, told, (index) => {
    if (index === 0) waves.hear(() => (heard += 1));
    if (heard < 5) waves.publish(all);
  });
  waves.publish(all);
  await waves.idle();
  assert.ok(heard >= 5);
});

test("a stream that has ended is not told", async () => {
  const told: string[] = [];
  const waves = new PushWaves(slow());
  const all = streams(2, told);
  waves.publish(all);
  for (const stream of all.slice(0, 1)) waves.forget(stream);
  await waves.idle();
  assert.deepEqual(told, ["stream 1"]);
});
