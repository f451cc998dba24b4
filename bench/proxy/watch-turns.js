/**
 * Loaded into a process by `--import`: notes how long its event loop is held, and writes it to the file that
 * `LATEEN_BENCH_TURNS` names when the process ends: `[{ endMs, cpuMs }]`, the end since the epoch. CPU time of the thread
 * hardly depends on what else the machine does. Plain JavaScript: to strip types costs the process 14 MiB.
 */
import { writeFileSync } from "node:fs";

/** Turns of together so long: there is no way to look more often without keeping the loop busy. */
const FROM_MS = 1;
const MOST_TURNS = 100_000;

const file = process.env["LATEEN_BENCH_TURNS"];
if (file !== undefined) {
  const turns = [];
  let before = process.threadCpuUsage();
  setInterval(() => {
    const now = process.threadCpuUsage();
    const cpuMs = (now.user - before.user + now.system - before.system) / 1000;
    before = now;
    if (cpuMs < FROM_MS || turns.length >= MOST_TURNS) return;
    turns.push({ endMs: performance.timeOrigin + performance.now(), cpuMs });
  }, 1).unref();
  process.once("exit", () => writeFileSync(file, JSON.stringify(turns)));
}
