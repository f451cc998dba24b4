import assert from "node:assert/strict";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import type { LogFields, Logger } from "../../mesh/telemetry/logger.ts";
import { eventually } from "../../test/harness/eventually.ts";
import { Changes } from "../state/changes.ts";
import { type WorkloadPaths, workloadPaths } from "../state/paths.ts";
import { ensurePrivateDir, writePrivate } from "../state/private-files.ts";
import { isReady } from "./admin-client.ts";
import { builtinDataPlane } from "./builtin/builtin-data-plane.ts";
import type { Concurrency, DataPlaneProcess } from "./data-plane.ts";
import { readRecord, writeRecord } from "./process-record.ts";
import { processStartTime } from "./process-start-time.ts";
import { spawnProcess } from "./proxy-process.ts";
import type { SupervisorState } from "./supervisor-state.ts";
import { Turns } from "./turns.ts";

interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: LogFields | undefined;
}

function recorder(lines: Line[]): Logger {
  const at = (level: string) => (message: string, fields?: LogFields) => {
    lines.push({ level, message, fields });
  };
  const logger: Logger = {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: () => logger,
  };
  return logger;
}

interface Fixture {
  readonly files: WorkloadPaths;
  readonly lines: Line[];
  readonly process: (mode?: string, nodeName?: string, concurrency?: Concurrency) => DataPlaneProcess;
  /** A serving process with its record, as an agent that was killed leaves it; returns its pid. */
  readonly leaveBehind: (nodeName: string, version?: string) => Promise<number>;
}

const FAKE_PROXY = new URL("./testing/fake-proxy.ts", import.meta.url).pathname;

function nodeIdOf(name: string): string {
  return `sidecar~127.0.0.1~${name}.default~default.svc.cluster.local`;
}

async function fixture(t: TestContext, turns: Turns = new Turns(), lines: Line[] = []): Promise<Fixture> {
  const folder = await mkdtemp(join(tmpdir(), "lateen-supervisor-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const files = workloadPaths(folder, folder, { namespace: "default", name: "web" });
  return {
    files,
    lines,
    leaveBehind: async (nodeName, version) => {
      await ensurePrivateDir(files.run);
      const node = { id: nodeIdOf(nodeName) };
      await writePrivate(files.bootstrap, JSON.stringify({ node, adminSocket: files.adminSocket }));
      const log = await open(files.log, "a", 0o600);
      const left = await spawnProcess([process.execPath, FAKE_PROXY, "--bootstrap", files.bootstrap], {
        logDescriptor: log.fd,
        environment: {},
      });
      t.after(() => left.kill("SIGKILL"));
      await log.close();
      await writeRecord(files.processRecord, {
        pid: left.pid,
        nodeId: node.id,
        kind: "builtin",
        ...(version === undefined ? {} : { version }),
      });
      while (!(await isReady(files.adminSocket))) await systemClock.sleep(5, t.signal);
      return left.pid;
    },
    process: (mode = "ok", nodeName = "web", concurrency) =>
      builtinDataPlane({
        clock: systemClock,
        logger: recorder(lines),
        drainMs: 500,
        environment: {},
        random: () => 0,
        // A busy machine is slow: only where it matters is little time given.
        ...(mode === "calm" ? {} : { hang: { everyMs: 10, answerWithinMs: 100, misses: 2 } }),
        logLevel: "info",
        turns,
        command: [process.execPath, FAKE_PROXY, "--mode", mode],
      }).create(
        {
          id: nodeIdOf(nodeName),
          cluster: "web.default",
          metadata: {},
          xdsSocket: join(folder, "xds.sock"),
          adminSocket: files.adminSocket,
        },
        files,
        concurrency,
      ),
  };
}

async function reaches<K extends SupervisorState["kind"]>(
  process: DataPlaneProcess,
  kind: K,
): Promise<Extract<SupervisorState, { kind: K }>> {
  const deadline = performance.now() + 10_000;
  while (performance.now() < deadline) {
    const { state } = process;
    if (state.kind === kind) return state as Extract<SupervisorState, { kind: K }>;
    await systemClock.sleep(5, AbortSignal.timeout(1000));
  }
  return assert.fail(`it is ${process.state.kind}, never ${kind}`);
}

test("a data plane runs until it is told to go, and its output is in the log", async (t) => {
  const { process, files, lines } = await fixture(t);
  const web = process();
  const stop = new AbortController();
  const done = web.run(stop.signal);
  const { pid } = await reaches(web, "running");
  assert.notEqual(processStartTime(pid), undefined);
  stop.abort();
  await done;
  assert.equal(web.state.kind, "stopped");
  assert.equal(processStartTime(pid), undefined);
  await assert.rejects(readFile(files.processRecord), { code: "ENOENT" });
  const output = lines.filter((line) => line.message === "data plane").map((line) => line.fields?.["line"]);
  assert.match(String(output[0]), /"msg":"serving"/);
  assert.match(String(output[0]), /"drain":"0\.5"/, "it is told how long it may drain");
  assert.match(String(output[1]), /"msg":"asked to end"/);
});

test("a data plane that crashes is started again after a pause", async (t) => {
  const { process, lines } = await fixture(t);
  const web = process("crash");
  const stop = new AbortController();
  const done = web.run(stop.signal);
  const first = await reaches(web, "backing-off");
  assert.equal(first.reason, "exit status 3");
  const { pid } = await reaches(web, "starting");
  assert.ok(pid > 0);
  stop.abort();
  await done;
  assert.ok(lines.some((line) => line.level === "error" && line.fields?.["reason"] === "exit status 3"));
});

test("a data plane that answers no more is killed and started again", async (t) => {
  const { process, lines } = await fixture(t);
  const web = process("hang");
  const stop = new AbortController();
  const done = web.run(stop.signal);
  const { pid } = await reaches(web, "running");
  assert.equal((await reaches(web, "backing-off")).reason, "signal SIGKILL");
  assert.ok(lines.some((line) => line.message.includes("hangs") && line.fields?.["pid"] === pid));
  stop.abort();
  await done;
});

test("a data plane whose admin socket is gone goes on: it may well serve", async (t) => {
  const { process, files } = await fixture(t);
  const web = process();
  const stop = new AbortController();
  const done = web.run(stop.signal);
  const { pid } = await reaches(web, "running");
  await rm(files.adminSocket);
  await systemClock.sleep(300, t.signal);
  assert.equal((await reaches(web, "running")).pid, pid);
  stop.abort();
  await done;
});

test("a data plane that does not listen to SIGTERM is killed after its drain time", async (t) => {
  const { process } = await fixture(t);
  const web = process("deaf");
  const stop = new AbortController();
  const done = web.run(stop.signal);
  const { pid } = await reaches(web, "running");
  stop.abort();
  await reaches(web, "draining");
  await done;
  assert.equal(processStartTime(pid), undefined);
});

test("a data plane that another agent left running is taken over, not started twice", async (t) => {
  const { process, leaveBehind, lines } = await fixture(t);
  const pid = await leaveBehind("web");
  const heir = process();
  const stop = new AbortController();
  const done = heir.run(stop.signal);
  assert.equal((await reaches(heir, "running")).pid, pid);
  assert.ok(lines.some((line) => line.message.startsWith("took over")));
  stop.abort();
  await done;
  assert.equal(processStartTime(pid), undefined);
});

test("one of another version is asked for a successor of this version, which is taken over", async (t) => {
  const { process, leaveBehind, lines, files } = await fixture(t);
  const former = await leaveBehind("web", "another");
  const heir = process("calm");
  const stop = new AbortController();
  const done = heir.run(stop.signal);
  t.after(() => stop.abort());
  const { pid } = await reaches(heir, "running");
  assert.notEqual(pid, former);
  assert.equal((await readRecord(files.processRecord))?.pid, pid);
  assert.ok(!lines.some(({ level }) => level === "error" || level === "warn"));
  await eventually("the former has ended", () => processStartTime(former) === undefined);
  stop.abort();
  await done;
  assert.equal(processStartTime(pid), undefined);
});

test("a successor that nobody here asked for is taken over at once", async (t) => {
  const { process: create, files, lines } = await fixture(t);
  const web = create("calm");
  const stop = new AbortController();
  const done = web.run(stop.signal);
  t.after(() => stop.abort());
  const { pid } = await reaches(web, "running");
  process.kill(pid, "SIGUSR2");
  const successor = await eventually("another process runs", () => {
    const { state } = web;
    return state.kind === "running" && state.pid !== pid ? state.pid : undefined;
  });
  assert.equal((await readRecord(files.processRecord))?.pid, successor);
  assert.ok(!lines.some(({ level }) => level === "error"));
  stop.abort();
  await done;
  assert.equal(processStartTime(successor), undefined);
});

/** What is said of worker threads, as the test has it. */
class Said implements Concurrency {
  readonly changes: Changes = new Changes();
  #said: ReturnType<Concurrency["said"]>;

  said(): ReturnType<Concurrency["said"]> {
    return this.#said;
  }

  say(concurrency: number | undefined): void {
    this.#said = { concurrency };
    this.changes.notify();
  }
}

const handsOver = ({ message }: Line): boolean => message.includes("the data plane hands over");

test("a data plane with another number of threads than is said hands over to one that has it", async (t) => {
  const { process: create, files, lines } = await fixture(t);
  const said = new Said();
  const web = create("calm", "web", said);
  const stop = new AbortController();
  const done = web.run(stop.signal);
  t.after(() => stop.abort());
  const { pid: first } = await reaches(web, "running");
  await eventually("it tells how many it has", () => web.threads !== undefined);
  assert.deepEqual(web.threads, { now: 1, next: 1 }, "nothing is known, so nothing is to be changed");
  const pids = [first];
  for (const [concurrency, threads] of [
    [4, 4],
    [undefined, 1],
    [3, 3],
  ] as const) {
    said.say(concurrency);
    said.say(concurrency);
    await eventually(`${threads} threads`, () => web.threads?.now === threads);
    const { pid } = await reaches(web, "running");
    assert.ok(!pids.includes(pid));
    pids.push(pid);
    assert.deepEqual(web.threads, { now: threads, next: threads });
    assert.equal((await readRecord(files.processRecord))?.pid, pid);
  }
  assert.equal(lines.filter(handsOver).length, 3);
  assert.ok(!lines.some(({ level }) => level === "error" || level === "warn"));
  stop.abort();
  await done;
  for (const pid of pids) assert.equal(processStartTime(pid), undefined);
});

test("those of a host hand over one after the other", async (t) => {
  const lines: Line[] = [];
  const turns = new Turns();
  const said = new Said();
  const stop = new AbortController();
  t.after(() => stop.abort());
  const planes = await Promise.all(
    ["web", "store", "api"].map(async (name) => (await fixture(t, turns, lines)).process("calm", name, said)),
  );
  const done = planes.map((plane) => plane.run(stop.signal));
  const have = async (threads: number): Promise<unknown> =>
    await eventually(`${threads} threads`, () => planes.every((plane) => plane.threads?.now === threads));
  await have(1);
  said.say(2);
  await have(2);
  const steps = lines.flatMap((line) => {
    if (handsOver(line)) return ["begun"];
    return line.message.startsWith("took over") ? ["done"] : [];
  });
  assert.deepEqual(
    steps,
    planes.flatMap(() => ["begun", "done"]),
  );
  stop.abort();
  await Promise.all(done);
});

test("one that was left running with another number of threads than is said hands over, too", async (t) => {
  const { process: create, leaveBehind } = await fixture(t);
  const former = await leaveBehind("web");
  const said = new Said();
  said.say(2);
  const heir = create("calm", "web", said);
  const stop = new AbortController();
  const done = heir.run(stop.signal);
  t.after(() => stop.abort());
  await eventually("two threads", () => heir.threads?.now === 2);
  assert.notEqual((await reaches(heir, "running")).pid, former);
  stop.abort();
  await done;
});

test("one that does not hand over is asked once for each change, goes on, and tells what it will have", async (t) => {
  const { process: create, lines } = await fixture(t);
  const said = new Said();
  const web = create("alone", "web", said);
  const stop = new AbortController();
  const done = web.run(stop.signal);
  t.after(() => stop.abort());
  const { pid } = await reaches(web, "running");
  await eventually("it tells how many it has", () => web.threads !== undefined);
  const asked = (): number =>
    lines.filter(({ fields }) => String(fields?.["line"]).includes("asked for a successor")).length;
  said.say(2);
  await eventually("it is asked", () => asked() === 1);
  assert.deepEqual(web.threads, { now: 1, next: 2 });
  said.say(2);
  stop.abort();
  await done;
  assert.deepEqual([asked(), lines.filter(handsOver).length], [1, 1]);
  assert.equal(processStartTime(pid), undefined);
});

test("a data plane that is released is left running, and the next one takes it over", async (t) => {
  const { process } = await fixture(t);
  const [web, heir] = [process("calm"), process("calm")];
  const stops = [new AbortController(), new AbortController()] as const;
  const done = web.run(stops[0].signal);
  const { pid } = await reaches(web, "running");
  web.release();
  stops[0].abort();
  await done;
  assert.notEqual(processStartTime(pid), undefined);
  const ended = heir.run(stops[1].signal);
  assert.equal((await reaches(heir, "running")).pid, pid);
  stops[1].abort();
  await ended;
  assert.equal(processStartTime(pid), undefined);
});

test("a process left behind that serves another node is stopped before a new one starts", async (t) => {
  const { process, leaveBehind } = await fixture(t);
  const pid = await leaveBehind("old");
  const heir = process("ok", "new");
  const stop = new AbortController();
  const done = heir.run(stop.signal);
  assert.notEqual((await reaches(heir, "running")).pid, pid);
  assert.equal(processStartTime(pid), undefined);
  stop.abort();
  await done;
});

test("a program that is not there is told about and tried again", async (t) => {
  const { files } = await fixture(t);
  const lines: Line[] = [];
  const web = builtinDataPlane({
    clock: systemClock,
    logger: recorder(lines),
    drainMs: 10,
    environment: {},
    random: () => 0,
    logLevel: "info",
    command: ["/nonexistent/lateen"],
  }).create({ id: "x", cluster: "", metadata: {}, xdsSocket: "", adminSocket: files.adminSocket }, files);
  const stop = new AbortController();
  const done = web.run(stop.signal);
  assert.match((await reaches(web, "backing-off")).reason, /start \/nonexistent\/lateen: .*ENOENT/);
  stop.abort();
  await done;
});
