import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "./clock.ts";

const HOUR_MS = 3_600_000;

test("sleep resolves after its time", async () => {
  const before = systemClock.monotonic();
  await systemClock.sleep(5, new AbortController().signal);
  assert.ok(systemClock.monotonic() - before >= 4.5);
});

test("sleep resolves at once when it is aborted, and does not reject", async () => {
  const controller = new AbortController();
  const before = systemClock.monotonic();
  const sleeping = systemClock.sleep(HOUR_MS, controller.signal);
  controller.abort(new Error("enough"));
  await sleeping;
  assert.ok(systemClock.monotonic() - before < HOUR_MS / 1000);
});

test("sleep under an aborted signal does not wait", async () => {
  await systemClock.sleep(HOUR_MS, AbortSignal.abort());
});

for (const ms of [0, -1]) {
  test(`sleeping for ${ms} ms does not wait`, async () => {
    await systemClock.sleep(ms, new AbortController().signal);
  });
}

test("a sleep longer than Node's longest timer does not end at once", async () => {
  const controller = new AbortController();
  const sleeping = systemClock.sleep(2 ** 33, controller.signal);
  const first = await Promise.race([
    sleeping.then(() => "long"),
    systemClock.sleep(10, new AbortController().signal).then(() => "short"),
  ]);
  assert.equal(first, "short");
  controller.abort();
  await sleeping;
});

test("an aborted sleep leaves no timer behind", async () => {
  const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  const before = timers();
  const controller = new AbortController();
  const sleeping = systemClock.sleep(HOUR_MS, controller.signal);
  assert.equal(timers(), before + 1);
  controller.abort();
  await sleeping;
  assert.equal(timers(), before);
});

test("now is the wall clock and monotonic never goes back", () => {
  assert.ok(Math.abs(systemClock.now() - Date.now()) < 1000);
  const first = systemClock.monotonic();
  assert.ok(systemClock.monotonic() >= first);
});
