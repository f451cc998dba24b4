import { existsSync } from "node:fs";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { backgroundSupervisor } from "./background.ts";
import { runPrograms, systemdSupervisor } from "./systemd.ts";
import { usualPlaces } from "./usual-places.ts";

export type DaemonName = "server" | "agent";

/** A program that `init` or `join` sets up, and where its things are. */
export interface Daemon {
  readonly name: DaemonName;
  readonly config: string;
  readonly stateDir: string;
  readonly runDir: string;
  /** Where it answers, in `runDir`. */
  readonly socket: string;
  /** Another program in its place, for tests. */
  readonly program?: string;
}

/** What keeps the programs of a host running. */
export interface Supervisor {
  /** Whether it starts them again after a crash and at boot. */
  readonly keepsAlive: boolean;
  /** Throws when a start is bound to fail, with what to do: to be asked before anything is changed. */
  assertAble(daemon: Daemon): Promise<void>;
  /**
   * Starts a program, or starts it anew; returns what was done, a line each, for people. Throws when the program ends before
   * `ready` resolves to true, with the end of its log. `ready` is about what answers at the program's socket.
   */
  start(daemon: Daemon, ready: () => Promise<boolean>): Promise<readonly string[]>;
  /**
   * Stops a program in order and keeps it from starting again; returns what was done, empty when it did not run. `pid` is
   * that of the program as it says itself, if it answers: somebody else may have started it.
   */
  stop(daemon: Daemon, pid: number | undefined): Promise<readonly string[]>;
}

/** systemd, where it is process 1 and the program has the places that its unit gives it; else processes in the background. */
export function chooseSupervisor(daemon: Daemon, clock: Clock, signal: AbortSignal): Supervisor {
  const bySystemd = existsSync("/run/systemd/system") && usualPlaces(daemon);
  return bySystemd ? systemdSupervisor(runPrograms(signal)) : backgroundSupervisor(clock, signal);
}
