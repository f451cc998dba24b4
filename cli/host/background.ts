import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { MeshError } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { LATEEN_JS } from "../program-files.ts";
import type { Daemon, DaemonName, Supervisor } from "./supervisor.ts";

/** An agent makes little garbage, and is on every host: a young generation of 1 MiB saves it a tenth of its memory. */
const NODE_FLAGS: Readonly<Record<DaemonName, readonly string[]>> = {
  agent: ["--max-semi-space-size=1"],
  server: [],
};

/** From here on something has gone wrong; the log says what. */
const START_MS = 30_000;
/** A data plane may take `drainSeconds` (at most 600), and the agent tells the server before that. */
const STOP_MS = 620_000;
const LOOK_MS = 20;
const LAST_LINES = 5;

const recordSchema = z.object({ pid: z.int().min(2), startTime: z.string() });
type RunningRecord = z.output<typeof recordSchema>;

/** Processes that nobody looks after: for hosts without systemd, and programs that have other places than the usual. */
export function backgroundSupervisor(clock: Clock, signal: AbortSignal): Supervisor {
  return {
    keepsAlive: false,
    async start(daemon, ready) {
      const log = logOf(daemon);
      const child = spawnDetached(daemon, log);
      let ended: string | undefined;
      child.once("exit", (code, killed) => {
        ended = killed ?? `code ${code}`;
      });
      child.once("error", ({ message }) => {
        ended = message;
      });
      const patience = clock.monotonic() + START_MS;
      while (!(await ready())) {
        if (ended !== undefined) throw failed(daemon, log, `it ended: ${ended}`);
        if (clock.monotonic() > patience) throw failed(daemon, log, "it is not ready in time");
        await clock.sleep(LOOK_MS, signal);
        signal.throwIfAborted();
      }
      child.unref();
      return [`started lateen ${daemon.name} in the background (process ${child.pid}, log ${log})`];
    },
    async stop(daemon, pid) {
      const record = readRecord(daemon) ?? recordOf(pid);
      if (record === undefined) return [];
      process.kill(record.pid, "SIGTERM");
      const patience = clock.monotonic() + STOP_MS;
      while (startTimeOf(record.pid) === record.startTime) {
        if (clock.monotonic() > patience)
          throw new MeshError("cli.host", `stop lateen ${daemon.name}: process ${record.pid} does not end`, {
            hint: `look at ${logOf(daemon)}; kill -KILL ${record.pid} ends it, and drops its connections`,
          });
        await clock.sleep(LOOK_MS, signal);
        signal.throwIfAborted();
      }
      rmSync(recordPath(daemon), { force: true });
      return [`stopped lateen ${daemon.name} (process ${record.pid})`];
    },
  };
}

function spawnDetached(daemon: Daemon, log: string): ReturnType<typeof spawn> {
  const { LATEEN_JOIN_TOKEN: _token, ...env } = process.env;
  for (const dir of [daemon.stateDir, daemon.runDir]) mkdirSync(dir, { recursive: true, mode: 0o700 });
  const file = openSync(log, "a", 0o600);
  try {
    const child = spawn(
      process.execPath,
      [...NODE_FLAGS[daemon.name], LATEEN_JS, daemon.name, "--config", daemon.config],
      {
        detached: true,
        stdio: ["ignore", file, file],
        cwd: "/",
        env,
      },
    );
    const startTime = child.pid === undefined ? undefined : startTimeOf(child.pid);
    if (startTime !== undefined)
      writeFileSync(recordPath(daemon), JSON.stringify({ pid: child.pid, startTime }), { mode: 0o600 });
    return child;
  } finally {
    closeSync(file);
  }
}

function failed({ name }: Daemon, log: string, why: string): MeshError {
  const lines = readFileSync(log, "utf8").trimEnd().split("\n").slice(-LAST_LINES);
  return new MeshError("cli.host", `start lateen ${name}: ${why}`, {
    cause: new Error(lines.join("\n")),
    hint: `the whole log is ${log}`,
  });
}

/** Undefined when it does not run, or when the process of that number is another one now. */
function readRecord(daemon: Daemon): RunningRecord | undefined {
  try {
    const record = recordSchema.parse(JSON.parse(readFileSync(recordPath(daemon), "utf8")));
    return startTimeOf(record.pid) === record.startTime ? record : undefined;
  } catch {
    return undefined;
  }
}

function recordOf(pid: number | undefined): RunningRecord | undefined {
  const startTime = pid === undefined ? undefined : startTimeOf(pid);
  return pid === undefined || startTime === undefined ? undefined : { pid, startTime };
}

/** Field 22 of /proc/PID/stat (proc_pid_stat(5)): tells a process from a later one of the same number. */
function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [state, ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return state === "Z" ? undefined : rest[18];
  } catch {
    return undefined;
  }
}

function recordPath({ runDir, name }: Daemon): string {
  return join(runDir, `${name}.pid`);
}

function logOf({ stateDir, name }: Daemon): string {
  return join(stateDir, `${name}.log`);
}
