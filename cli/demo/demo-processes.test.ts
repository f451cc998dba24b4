import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { DemoProcesses } from "./demo-processes.ts";

const SLEEP = ["-e", "setInterval(() => {}, 1000)"];

function demoIn(t: TestContext): { readonly directory: string; readonly processes: DemoProcesses } {
  const directory = mkdtempSync(join(tmpdir(), "lateen-processes-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  mkdirSync(join(directory, "logs"));
  return { directory, processes: new DemoProcesses(directory, t.signal) };
}

test("a Ctrl-C at the terminal does not reach the demo's processes past the demo", async (t) => {
  const { directory, processes } = demoIn(t);
  await using _ = processes;
  processes.start("server", process.execPath, [
    "-e",
    `require("fs").writeFileSync(${JSON.stringify(join(directory, "group"))},
       require("fs").readFileSync("/proc/self/stat", "utf8")); setInterval(() => {}, 1000)`,
  ]);
  const fields = await eventually(() => {
    const stat = readFileSync(join(directory, "group"), "utf8").split(" ");
    assert.ok(stat.length > 10);
    return stat;
  });
  assert.equal(fields[4], fields[0], "the leader of its own process group");
});

test("a demo that ends out of order kills its agents, and the data planes that outlive agents", async (t) => {
  const { directory, processes } = demoIn(t);
  const agent = processes.start("agent-reviews-v1", process.execPath, SLEEP);
  const place = join(directory, "reviews-v1", "run", "default.reviews-v1");
  mkdirSync(place, { recursive: true });
  const dataPlane = spawn(process.execPath, [...SLEEP, join(place, "bootstrap.json")], {
    detached: true,
    stdio: "ignore",
  });
  const stranger = spawn(process.execPath, SLEEP, { detached: true, stdio: "ignore" });
  t.after(() => stranger.kill("SIGKILL"));
  const dataPlaneEnded = once(dataPlane, "exit");
  writeFileSync(join(place, "process.json"), JSON.stringify({ pid: dataPlane.pid }));
  const other = join(directory, "ratings-v1", "run", "default.ratings-v1");
  mkdirSync(other, { recursive: true });
  writeFileSync(join(other, "process.json"), JSON.stringify({ pid: stranger.pid }));
  processes.killAll();
  await agent.exited;
  assert.equal(agent.running, false);
  assert.deepEqual(await dataPlaneEnded, [null, "SIGKILL"]);
  assert.equal(stranger.signalCode, null, "a process that has taken a data plane's pid is left alone");
  await processes[Symbol.asyncDispose]();
});

async function eventually<T>(look: () => T): Promise<T> {
  for (let left = 500; ; left--) {
    try {
      return look();
    } catch (error) {
      if (left === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
