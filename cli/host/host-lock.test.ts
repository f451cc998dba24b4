import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { lockHost } from "./host-lock.ts";

const root = mkdtempSync(join(tmpdir(), "lateen-lock-"));
const signal = new AbortController().signal;
const here = { clock: systemClock, signal };
/** Ten seconds are over at the second look. */
const hasty = {
  signal,
  clock: { ...systemClock, monotonic: fastTime(), sleep: async () => {} },
};

function fastTime(): () => number {
  let now = 0;
  return () => {
    now += 6_000;
    return now;
  };
}

/** Another process that has the lock of a directory until it is killed. */
async function holder(dir: string): Promise<ReturnType<typeof spawn>> {
  const module = resolve(import.meta.dirname, "host-lock.ts");
  const clock = resolve(import.meta.dirname, "../../mesh/lifecycle/clock.ts");
  const program = `
    const { lockHost } = await import(${JSON.stringify(module)});
    const { systemClock: clock } = await import(${JSON.stringify(clock)});
    globalThis.held = await lockHost(${JSON.stringify(dir)}, { clock, signal: new AbortController().signal });
    console.log("held");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  return child;
}

test("the directory of a lock is made where it is not there, and told; nothing of the lock is left", async (t) => {
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const dir = join(root, "etc", "lateen.d");
  const lock = await lockHost(dir, here);
  assert.deepEqual(lock.made, [join(root, "etc"), dir]);
  lock.release();
  assert.deepEqual(readdirSync(dir), []);
  {
    using again = await lockHost(dir, here);
    assert.deepEqual(again.made, []);
  }
  assert.deepEqual(readdirSync(dir), []);
});

test("while another command is at work, the next waits, and says so after a while", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "lateen-lock-"));
  const other = await holder(dir);
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  t.after(() => other.kill("SIGKILL"));
  await assert.rejects(lockHost(dir, hasty), {
    code: "cli.host",
    message: `another lateen command is at work in ${dir}`,
  });
  const stop = new AbortController();
  const waiting = lockHost(dir, { clock: systemClock, signal: stop.signal });
  stop.abort();
  await assert.rejects(waiting, { name: "AbortError" });
  assert.ok(existsSync(join(dir, ".lock")), "the other one's stays");
});

test("a command that was killed holds up nobody", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "lateen-lock-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const other = await holder(dir);
  const gone = once(other, "exit");
  other.kill("SIGKILL");
  await gone;
  using lock = await lockHost(dir, hasty);
  assert.deepEqual(lock.made, []);
});
