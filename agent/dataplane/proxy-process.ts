import { type ChildProcess, spawn } from "node:child_process";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { processStartTime } from "./process-start-time.ts";

/** A running data plane process, ours by birth or by adoption. */
export interface ProxyProcess {
  readonly pid: number;
  /** Resolves with the way it ended. Never rejects. */
  readonly exited: Promise<string>;
  /** Does nothing when it is gone. */
  kill(signal: NodeJS.Signals): void;
}

export interface SpawnOptions {
  readonly logDescriptor: number;
  readonly environment: Readonly<Record<string, string>>;
}

/** How often a process that is not our child is looked for. */
const ADOPTED_POLL_MS = 250;

/**
 * Starts a process in a group of its own, so that a Ctrl-C at the terminal reaches the agent alone, which then drains.
 * Its output goes to a file and not to a pipe: a killed agent must not break the data plane's writes.
 */
export async function spawnProcess(command: readonly string[], options: SpawnOptions): Promise<ProxyProcess> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, {
    detached: true,
    stdio: ["ignore", options.logDescriptor, options.logDescriptor],
    env: options.environment,
  });
  const exited = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) =>
      resolve(signal === null ? `exit status ${code}` : `signal ${signal}`),
    );
  });
  const pid = await pidOf(child, program);
  return { pid, exited, kill: (signal) => killGroup(pid, signal) };
}

/** Takes over a process that another agent started. `gone` ends the watching. */
export function adoptProcess(pid: number, startTime: string, clock: Clock, gone: AbortSignal): ProxyProcess {
  const watch = async (): Promise<string> => {
    while (!gone.aborted && processStartTime(pid) === startTime) await clock.sleep(ADOPTED_POLL_MS, gone);
    return "gone";
  };
  return {
    pid,
    exited: watch(),
    kill: (signal) => {
      if (processStartTime(pid) === startTime) killGroup(pid, signal);
    },
  };
}

async function pidOf(child: ChildProcess, program: string): Promise<number> {
  if (child.pid !== undefined) return child.pid;
  const error = await new Promise<unknown>((resolve) => child.once("error", resolve));
  throw new MeshError("agent.dataplane", `start ${program}: ${messageOf(error)}`, {
    cause: error,
    hint: "look whether the program is there and may be executed",
  });
}

/** SIGKILL goes to the whole group, so that no worker outlives its parent; the rest is for the parent to handle. */
function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(signal === "SIGKILL" ? -pid : pid, signal);
  } catch {
    // It is gone already.
  }
}
