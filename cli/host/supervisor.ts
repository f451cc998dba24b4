import { existsSync } from "node:fs";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { CONFIG_DIR } from "../places.ts";
import { backgroundSupervisor } from "./background.ts";
import { systemdSupervisor } from "./systemd.ts";

export type DaemonName = "server" | "agent";

/** A program that `init` or `join` sets up, and where its things are. */
export interface Daemon {
  readonly name: DaemonName;
  readonly config: string;
  readonly stateDir: string;
  readonly runDir: string;
}

/** What keeps the programs of a host running. */
export interface Supervisor {
  /** Whether it starts them again after a crash and at boot. */
  readonly keepsAlive: boolean;
  /**
   * Starts a program; returns what was done, a line each, for people. Throws when the program ends before `ready`
   * resolves to true, with the end of its log.
   */
  start(daemon: Daemon, ready: () => Promise<boolean>): Promise<readonly string[]>;
  /**
   * Stops a program in order and keeps it from starting again; returns what was done, empty when it did not run. `pid` is
   * that of the program as it says itself, if it answers: somebody else may have started it.
   */
  stop(daemon: Daemon, pid: number | undefined): Promise<readonly string[]>;
}

/** systemd, where it is process 1 and the program has its usual places; else processes in the background. */
export function chooseSupervisor(
  { dir, ownPlaces }: { readonly dir: string; readonly ownPlaces: boolean },
  clock: Clock,
  signal: AbortSignal,
): Supervisor {
  const bySystemd = dir === CONFIG_DIR && !ownPlaces && existsSync("/run/systemd/system");
  return bySystemd ? systemdSupervisor() : backgroundSupervisor(clock, signal);
}
