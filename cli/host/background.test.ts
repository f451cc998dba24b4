import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { processStartTime } from "../../agent/offline.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { eventually } from "../../test/harness/eventually.ts";
import { backgroundSupervisor } from "./background.ts";
import { isTaken, listensAt } from "./socket-owner.ts";
import type { Daemon, Supervisor } from "./supervisor.ts";

/** Serves at the socket that its configuration names; ends at once when another does. */
const SERVES = `const { readFileSync } = require("node:fs");
const path = readFileSync(process.argv.at(-1), "utf8");
const server = require("node:net").createServer(() => {}).listen(path);
for (const name of ["SIGTERM", "SIGUSR2"]) process.on(name, () => server.close(() => process.exit(0)));`;
/** Never serves, and does not end when asked. */
const STUBBORN = `process.on("SIGTERM", () => {}); setInterval(() => {}, 1000);`;

interface Bench {
  readonly daemon: Daemon;
  readonly stop: AbortController;
  readonly supervisor: Supervisor;
  readonly pid: () => number | undefined;
}

function bench(t: TestContext, program: string): Bench {
  const folder = mkdtempSync(join(tmpdir(), "lateen-background-"));
  const socket = join(folder, "agent.sock");
  writeFileSync(join(folder, "program.cjs"), program);
  writeFileSync(join(folder, "agent.yaml"), socket);
  const daemon: Daemon = {
    name: "agent",
    config: join(folder, "agent.yaml"),
    stateDir: folder,
    runDir: folder,
    socket,
    program: join(folder, "program.cjs"),
  };
  const stop = new AbortController();
  const supervisor = backgroundSupervisor(systemClock, stop.signal, { startMs: 1_500, abandonMs: 300 });
  const pid = (): number | undefined =>
    existsSync(join(folder, "agent.pid"))
      ? (JSON.parse(readFileSync(join(folder, "agent.pid"), "utf8")) as { pid: number }).pid
      : undefined;
  t.after(() => {
    const left = pid();
    if (left !== undefined && processStartTime(left) !== undefined) process.kill(left, "SIGKILL");
    rmSync(folder, { recursive: true });
  });
  return { daemon, stop, supervisor, pid };
}

const answers = async (): Promise<boolean> => true;
const runs = (pid: number): boolean => processStartTime(pid) !== undefined;

test("what is started is what listens at its own socket, and stops when told", async (t) => {
  const { daemon, supervisor, pid } = bench(t, SERVES);
  const [line] = await supervisor.start(daemon, answers);
  const started = pid() ?? assert.fail("no record");
  assert.match(line ?? "", new RegExp(`process ${started},`));
  assert.ok(listensAt(started, daemon.socket));
  assert.equal(listensAt(process.pid, daemon.socket), false);
  assert.deepEqual(await supervisor.stop(daemon, undefined), [`stopped lateen agent (process ${started})`]);
  assert.equal(runs(started), false);
  assert.deepEqual(await supervisor.stop(daemon, undefined), []);
});

test("another program at the socket is not taken for the one that was started", async (t) => {
  const { daemon, supervisor } = bench(t, SERVES);
  const stranger = createServer().listen(daemon.socket);
  await once(stranger, "listening");
  t.after(() => stranger.close());
  for (const attempt of [supervisor.assertAble(daemon), supervisor.start(daemon, answers)])
    await assert.rejects(attempt, {
      code: "cli.host",
      message: `start lateen agent: another program answers at ${daemon.socket}, which was not started from here`,
    });
  assert.ok(stranger.listening);
});

test("another program that comes to the socket first is not reported, and the failure leaves nothing", async (t) => {
  const { daemon, supervisor, pid } = bench(t, `setTimeout(() => { ${SERVES} }, 700)`);
  const stranger = createServer();
  t.after(() => stranger.close());
  const starting = supervisor.start(daemon, answers);
  // Attached before it can fail.
  const failure = assert.rejects(starting, /it ended: code 1/);
  const started = await eventually("it is started", async () => pid());
  stranger.listen(daemon.socket);
  await once(stranger, "listening");
  await failure;
  assert.equal(runs(started), false);
  assert.equal(pid(), undefined);
});

test("a program that does not get ready is ended, though it does not want to", async (t) => {
  const { daemon, supervisor, pid } = bench(t, STUBBORN);
  const failure = assert.rejects(supervisor.start(daemon, answers), {
    code: "cli.host",
    message: /it is not ready in time/,
  });
  const started = await eventually("it is started", async () => pid());
  await failure;
  assert.equal(runs(started), false);
  assert.equal(pid(), undefined);
});

test("an interrupted start leaves nothing running", async (t) => {
  const { daemon, supervisor, stop, pid } = bench(t, SERVES);
  const starting = supervisor.start(daemon, async () => {
    stop.abort();
    return false;
  });
  await assert.rejects(starting, { name: "AbortError" });
  assert.equal(pid(), undefined);
  assert.equal(await isTaken(daemon.socket), false);
});

test("one that was started from here is started anew", async (t) => {
  const { daemon, supervisor, pid } = bench(t, SERVES);
  await supervisor.start(daemon, answers);
  const first = pid() ?? assert.fail("no record");
  await supervisor.start(daemon, answers);
  assert.equal(runs(first), false);
  assert.notEqual(pid(), first);
  assert.ok(listensAt(pid() ?? 0, daemon.socket));
  await supervisor.stop(daemon, undefined);
});

test("a process that has the number of a recorded one, or is told by somebody, is not ended for it", async (t) => {
  const { daemon, supervisor } = bench(t, SERVES);
  const innocent = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  const gone = once(innocent, "exit");
  t.after(async () => {
    innocent.kill("SIGKILL");
    await gone;
  });
  const { pid = 0 } = innocent;
  // As after a boot, when numbers and times come again.
  const record = { pid, startTime: processStartTime(pid) };
  writeFileSync(join(daemon.runDir, "agent.pid"), JSON.stringify(record));
  assert.deepEqual(await supervisor.stop(daemon, pid), []);
  assert.ok(runs(pid));
  writeFileSync(join(daemon.runDir, "agent.pid"), "{");
  assert.deepEqual(await supervisor.stop(daemon, undefined), []);
  rmSync(join(daemon.runDir, "agent.pid"));
});
