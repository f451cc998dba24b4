import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import { LATEEN, UNITS } from "../program-files.ts";
import type { Daemon, DaemonName, Supervisor } from "./supervisor.ts";

/** Runs a program and returns what it said; throws when it fails. */
export type RunProgram = (program: string, args: readonly string[]) => string;

export interface SystemdPlaces {
  /** Where the units are that come with Lateen. */
  readonly units: string;
  /** Where units of the host's operator go. */
  readonly system: string;
  /** What the units start. */
  readonly lateen: string;
}

const PLACES: SystemdPlaces = {
  units: UNITS,
  system: "/etc/systemd/system",
  lateen: LATEEN,
};

/** First line of a unit that was written here: only such a one is written anew or removed. */
const WRITTEN = "# Written by lateen init or join; lateen leave takes it away.";

/** The group whose members read the configuration: the agent's own, and the server's in addition. */
const USER = "lateen";

const runProgram: RunProgram = (program, args) =>
  execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

/** Units of systemd. Those of a package are used as they are; without one they are written for this checkout. */
export function systemdSupervisor(run: RunProgram = runProgram, places: SystemdPlaces = PLACES): Supervisor {
  return {
    keepsAlive: true,
    async start(daemon) {
      const unit = unitName(daemon.name);
      // One that an earlier checkout wrote is written anew: it may start another program.
      const isOthers = installed(run, unit) && !isWritten(join(places.system, unit));
      const done = isOthers ? [] : install(run, places, unit);
      const ids = userIds(run);
      handOver(daemon, ids);
      told(run, "systemctl", ["enable", "--quiet", unit], `enable ${unit}`);
      // The unit is of Type=notify: this returns when it is ready, or has failed.
      told(run, "systemctl", ["restart", unit], `start ${unit}`);
      return [...done, `enabled and started ${unit} (journalctl -u ${unit})`];
    },
    async stop({ name }) {
      const unit = unitName(name);
      if (!installed(run, unit)) return [];
      told(run, "systemctl", ["disable", "--now", "--quiet", unit], `stop ${unit}`);
      return [`stopped and disabled ${unit}`, ...uninstall(run, places, unit)];
    },
  };
}

/** A unit that does its work at each boot. Both return a line for what was done. */
export interface BootUnit {
  enable(): readonly string[];
  disable(): readonly string[];
}

/** What restores the rules of capture. */
export function captureUnit(run: RunProgram = runProgram, places: SystemdPlaces = PLACES): BootUnit {
  const unit = "lateen-capture.service";
  return {
    enable() {
      const isOthers = installed(run, unit) && !isWritten(join(places.system, unit));
      const done = isOthers ? [] : install(run, places, unit);
      told(run, "systemctl", ["enable", "--quiet", unit], `enable ${unit}`);
      return [...done, `enabled ${unit}`];
    },
    disable() {
      if (!installed(run, unit)) return [];
      told(run, "systemctl", ["disable", "--now", "--quiet", unit], `disable ${unit}`);
      return [`disabled ${unit}`, ...uninstall(run, places, unit)];
    },
  };
}

function unitName(name: DaemonName): string {
  return `lateen-${name}.service`;
}

function installed(run: RunProgram, unit: string): boolean {
  try {
    run("systemctl", ["cat", unit]);
    return true;
  } catch {
    return false;
  }
}

function install(run: RunProgram, places: SystemdPlaces, unit: string): readonly string[] {
  const to = join(places.system, unit);
  const text = readFileSync(join(places.units, unit), "utf8").replaceAll("/usr/bin/lateen", places.lateen);
  told(run, "systemd-sysusers", [join(places.units, "lateen.sysusers")], `make the user ${USER}`);
  writeFileSync(to, `${WRITTEN}\n${text}`, { mode: 0o644 });
  told(run, "systemctl", ["daemon-reload"], "read the units again");
  return [`wrote ${to}`];
}

/** Only what was written by `install`: a package's units are the package's, and an operator's are the operator's. */
function uninstall(run: RunProgram, { system }: SystemdPlaces, unit: string): readonly string[] {
  const path = join(system, unit);
  if (!isWritten(path)) return [];
  told(run, "rm", ["-f", path], `remove ${path}`);
  told(run, "systemctl", ["daemon-reload"], "read the units again");
  return [`removed ${path}`];
}

function isWritten(path: string): boolean {
  return existsSync(path) && readFileSync(path, "utf8").startsWith(WRITTEN);
}

interface Ids {
  readonly uid: number;
  readonly gid: number;
}

function userIds(run: RunProgram): Ids {
  const [, , uid = "", gid = ""] = told(run, "getent", ["passwd", USER], `find the user ${USER}`).split(":");
  return { uid: Number(uid), gid: Number(gid) };
}

/** What root has written so far becomes readable for the unit's user. systemd itself makes the directories of state. */
function handOver({ name, config, stateDir }: Daemon, { uid, gid }: Ids): void {
  for (const [path, mode] of [
    [dirname(config), 0o750],
    [config, 0o640],
  ] as const) {
    chownSync(path, 0, gid);
    chmodSync(path, mode);
  }
  if (name === "agent" && existsSync(stateDir)) chownAll(stateDir, { uid, gid });
}

function chownAll(path: string, ids: Ids): void {
  const stat = lstatSync(path);
  // A link in there is nobody's work of ours; what it leads to stays whose it is.
  if (stat.isSymbolicLink()) return;
  chownSync(path, ids.uid, ids.gid);
  if (stat.isDirectory()) for (const entry of readdirSync(path)) chownAll(join(path, entry), ids);
}

function told(run: RunProgram, program: string, args: readonly string[], what: string): string {
  try {
    return run(program, args);
  } catch (cause) {
    throw new MeshError("cli.host", `${what}: ${saidOf(cause)}`, {
      hint: `run it by hand to see more: ${[program, ...args].join(" ")}; without systemd, use --no-start and start lateen yourself`,
    });
  }
}

function saidOf(error: unknown): string {
  const stderr = typeof error === "object" && error !== null && "stderr" in error ? String(error.stderr) : "";
  return stderr.trim().split("\n", 1)[0] || messageOf(error);
}
