import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { type BenchTool, benchTool } from "../../setup/find-bench-tool.ts";

/** Proxies have one core for themselves; load, applications and the control plane have the other. */
export const PROXY_CORE = 0;
export const LOAD_CORE = 1;

/** The kernel counts CPU time in these, on every Linux that Node runs on (`getconf CLK_TCK`). */
const TICKS_PER_SECOND = 100;

/** Threads that a process starts later follow. */
export async function pin(pid: number, core: number): Promise<void> {
  await promisify(execFile)("taskset", ["--all-tasks", "--cpu-list", "--pid", String(core), String(pid)]);
}

/** User and system time of all threads, in microseconds: fields 14 and 15 of proc_pid_stat(5). */
export function cpuUs(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return sum + ((Number(fields[11]) + Number(fields[12])) * 1e6) / TICKS_PER_SECOND;
  }, 0);
}

/** Memory that a process holds, in KiB: `VmRSS` of proc_pid_status(5). */
export function residentKib(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? Number.NaN);
}

/** A program of `.tools/bench/` that runs until it is disposed of. */
export class Running implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly pid: number;
  #said = "";

  private constructor(child: ChildProcess, pid: number) {
    this.#child = child;
    this.pid = pid;
    child.stderr?.on(
      "data",
      (chunk: Buffer) => (this.#said = `${this.#said}${chunk.toString()}`.slice(-4000)),
    );
  }

  static start(tool: BenchTool, args: readonly string[]): Running {
    const { path, env } = benchTool(tool);
    const child = spawn(path, args, { env: { ...process.env, ...env }, stdio: ["ignore", "ignore", "pipe"] });
    if (child.pid === undefined) throw new Error(`${tool} did not start`);
    return new Running(child, child.pid);
  }

  /** What it complained of. */
  get said(): string {
    return this.#said;
  }

  get ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.ended) return;
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    await gone;
  }
}
