import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { processStartTime } from "../../agent/offline.ts";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { replaceFile } from "../new-file.ts";
import { LATEEN_JS } from "../program-files.ts";
import { isTaken, listensAt } from "./socket-owner.ts";
import type { Daemon, DaemonName, Supervisor } from "./supervisor.ts";

/** An agent makes little garbage, and is on every host: a young generation of 1 MiB saves it a tenth of its memory. */
const NODE_FLAGS: Readonly<Record<DaemonName, readonly string[]>> = {
  agent: ["--max-semi-space-size=1"],
  server: [],
};

export interface BackgroundPatience {
  /** From here on something has gone wrong; the log says what. */
  readonly startMs: number;
  /** How long a program that was started in vain may take to end by itself. */
  readonly abandonMs: number;
}

const PATIENCE: BackgroundPatience = { startMs: 30_000, abandonMs: 15_000 };
/** A data plane may take `drainSeconds` (at most 600), and the agent tells the server before that. */
const STOP_MS = 620_000;
/** One that makes place for another has nothing to drain. */
const RELEASE_MS = 30_000;
const LOOK_MS = 20;
const LAST_LINES = 5;

const recordSchema = z.object({ pid: z.int().min(2), startTime: z.string() });
/** A process, told from a later one of the same number. */
type Running = z.output<typeof recordSchema>;

/** Processes that nobody looks after: for hosts without systemd, and programs that have other places than the usual. */
export function backgroundSupervisor(
  clock: Clock,
  signal: AbortSignal,
  { startMs, abandonMs }: BackgroundPatience = PATIENCE,
): Supervisor {
  const untilGone = async (one: Running, withinMs: number, stop: AbortSignal): Promise<boolean> => {
    const patience = clock.monotonic() + withinMs;
    while (isRunning(one)) {
      if (clock.monotonic() > patience) return false;
      await clock.sleep(LOOK_MS, stop);
      stop.throwIfAborted();
    }
    return true;
  };

  /** Also after an interruption: what was started in vain must not go on unseen. */
  const abandon = async (daemon: Daemon, child: ChildProcess, one: Running | undefined): Promise<void> => {
    if (one !== undefined) {
      child.kill("SIGTERM");
      const always = new AbortController().signal;
      if (!(await untilGone(one, abandonMs, always))) {
        child.kill("SIGKILL");
        await untilGone(one, abandonMs, always);
      }
    }
    rmSync(recordPath(daemon), { force: true });
  };

  const untilReady = async (
    daemon: Daemon,
    child: ChildProcess,
    ready: () => Promise<boolean>,
  ): Promise<void> => {
    let ended: string | undefined;
    child.once("exit", (code, killed) => {
      ended = killed ?? `code ${code}`;
    });
    child.once("error", ({ message }) => {
      ended = message;
    });
    const patience = clock.monotonic() + startMs;
    // What answers at the socket counts when it is this very process: another may have been there before it.
    while (!(listensAt(child.pid ?? 0, daemon.socket) && (await ready()))) {
      if (ended !== undefined) throw failed(daemon, `it ended: ${ended}`);
      if (clock.monotonic() > patience) throw failed(daemon, "it is not ready in time");
      await clock.sleep(LOOK_MS, signal);
      signal.throwIfAborted();
    }
  };

  return {
    keepsAlive: false,
    async assertAble(daemon) {
      const one = readRecord(daemon);
      if (one !== undefined && listensAt(one.pid, daemon.socket)) return;
      if (await isTaken(daemon.socket).catch((cause) => Promise.reject(unreachable(daemon, cause))))
        throw new MeshError(
          "cli.host",
          `start lateen ${daemon.name}: another program answers at ${daemon.socket}, which was not started from here`,
          {
            hint: `it may run already: lateen status; else stop it the way it was started, or give this one a --run-dir of its own`,
          },
        );
    },
    async start(daemon, ready) {
      await this.assertAble(daemon);
      const before = readRecord(daemon);
      if (before !== undefined) {
        // As systemd's restart does: an agent leaves its data planes to the next one.
        process.kill(before.pid, daemon.name === "agent" ? "SIGUSR2" : "SIGTERM");
        if (!(await untilGone(before, RELEASE_MS, signal))) throw stuck(daemon, before.pid);
      }
      const child = spawnDetached(daemon);
      const one = runningOf(child.pid);
      try {
        if (one !== undefined) replaceFile(recordPath(daemon), JSON.stringify(one), 0o600);
        await untilReady(daemon, child, ready);
      } catch (error) {
        await abandon(daemon, child, one);
        throw error;
      }
      child.unref();
      return [`started lateen ${daemon.name} in the background (process ${child.pid}, log ${logOf(daemon)})`];
    },
    async stop(daemon, pid) {
      const told = pid !== undefined && listensAt(pid, daemon.socket) ? runningOf(pid) : undefined;
      const one = told ?? readRecord(daemon);
      if (one === undefined) return [];
      process.kill(one.pid, "SIGTERM");
      if (!(await untilGone(one, STOP_MS, signal))) throw stuck(daemon, one.pid);
      rmSync(recordPath(daemon), { force: true });
      return [`stopped lateen ${daemon.name} (process ${one.pid})`];
    },
  };
}

function spawnDetached(daemon: Daemon): ChildProcess {
  const { LATEEN_JOIN_TOKEN: _token, ...env } = process.env;
  const log = logOf(daemon);
  let file: number;
  try {
    for (const dir of [daemon.stateDir, daemon.runDir]) mkdirSync(dir, { recursive: true, mode: 0o700 });
    file = openSync(log, "a", 0o600);
  } catch (cause) {
    throw new MeshError("cli.host", `start lateen ${daemon.name}: ${messageOf(cause)}`, {
      cause,
      hint: "run it as root, or give it places of its own: --state-dir, --run-dir",
    });
  }
  try {
    const command = [
      ...NODE_FLAGS[daemon.name],
      daemon.program ?? LATEEN_JS,
      daemon.name,
      "--config",
      daemon.config,
    ];
    return spawn(process.execPath, command, {
      detached: true,
      stdio: ["ignore", file, file],
      cwd: "/",
      env,
    });
  } finally {
    closeSync(file);
  }
}

function failed(daemon: Daemon, why: string): MeshError {
  const log = logOf(daemon);
  const lines = readFileSync(log, "utf8").trimEnd().split("\n").slice(-LAST_LINES);
  return new MeshError("cli.host", `start lateen ${daemon.name}: ${why}`, {
    cause: new Error(lines.join("\n")),
    hint: `the whole log is ${log}; nothing of it is left running`,
  });
}

function stuck(daemon: Daemon, pid: number): MeshError {
  return new MeshError("cli.host", `stop lateen ${daemon.name}: process ${pid} does not end`, {
    hint: `look at ${logOf(daemon)}; kill -KILL ${pid} ends it, and drops its connections`,
  });
}

function unreachable(daemon: Daemon, cause: unknown): MeshError {
  return new MeshError(
    "cli.host",
    `look who is at the socket of lateen ${daemon.name}: ${messageOf(cause)}`,
    {
      cause,
      hint: "run it as root",
    },
  );
}

/**
 * Undefined when it does not run, or when the process of that number is another one now: started at another time, or, as
 * times begin anew with each boot, with another command line.
 */
function readRecord(daemon: Daemon): Running | undefined {
  try {
    const one = recordSchema.parse(JSON.parse(readFileSync(recordPath(daemon), "utf8")));
    const command = readFileSync(`/proc/${one.pid}/cmdline`, "utf8");
    return isRunning(one) && command.includes(`\0${daemon.name}\0--config\0${daemon.config}\0`)
      ? one
      : undefined;
  } catch {
    return undefined;
  }
}

function runningOf(pid: number | undefined): Running | undefined {
  const startTime = pid === undefined ? undefined : processStartTime(pid);
  return pid === undefined || startTime === undefined ? undefined : { pid, startTime };
}

function isRunning({ pid, startTime }: Running): boolean {
  return processStartTime(pid) === startTime;
}

function recordPath({ runDir, name }: Daemon): string {
  return join(runDir, `${name}.pid`);
}

function logOf({ stateDir, name }: Daemon): string {
  return join(stateDir, `${name}.log`);
}
