import { execFile } from "node:child_process";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import { replaceFile } from "../new-file.ts";
import { LATEEN, UNITS } from "../program-files.ts";
import { giveAway, type Ids, letGroupRead } from "./hand-over.ts";
import type { Daemon, DaemonName, Supervisor } from "./supervisor.ts";

/** Runs a program and returns what it said; throws when it fails. */
export type RunProgram = (program: string, args: readonly string[]) => Promise<string>;

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

/** What the units' sandbox hides from their programs: ProtectHome= and PrivateTmp= (systemd.exec(5)). */
const HIDDEN = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];

/** Starting and stopping take what the units' own limits allow. */
const PROGRAM_MS = 640_000;

/** Programs of this host, until the signal is aborted. */
export function runPrograms(signal: AbortSignal): RunProgram {
  return async (program, args) =>
    (await promisify(execFile)(program, args, { encoding: "utf8", signal, timeout: PROGRAM_MS })).stdout;
}

/** Units of systemd. Those of a package are used as they are; without one they are written for this checkout. */
export function systemdSupervisor(run: RunProgram, places: SystemdPlaces = PLACES): Supervisor {
  return {
    keepsAlive: true,
    async assertAble({ name }) {
      if (await isOthers(run, places, unitName(name))) return;
      const hidden = hiddenPlace(places.lateen);
      if (hidden === undefined) return;
      throw new MeshError(
        "cli.host",
        `write ${unitName(name)}: it would start ${places.lateen}, and the unit sees nothing of ${hidden} (ProtectHome= and PrivateTmp=)`,
        {
          hint: `move Lateen to a place for programs, as in mv ${dirname(places.lateen)} /opt/lateen, or install its package; --no-start sets everything up and lets you start it yourself`,
        },
      );
    },
    async start(daemon) {
      await this.assertAble(daemon);
      const unit = unitName(daemon.name);
      // One that an earlier checkout wrote is written anew: it may start another program.
      const done = (await isOthers(run, places, unit)) ? [] : await install(run, places, unit);
      handOver(daemon, await userIds(run));
      await told(run, "systemctl", ["enable", "--quiet", unit], `enable ${unit}`);
      // The unit is of Type=notify: this returns when it is ready, or has failed.
      await told(
        run,
        "systemctl",
        ["restart", unit],
        `start ${unit}`,
        `journalctl -u ${unit} says why, and systemd goes on trying; lateen ${daemon.name === "agent" ? "leave takes it away" : "init again once it is mended"}`,
      );
      return [...done, `enabled and started ${unit} (journalctl -u ${unit})`];
    },
    async stop({ name }) {
      const unit = unitName(name);
      if (!(await installed(run, unit))) return [];
      await told(run, "systemctl", ["disable", "--now", "--quiet", unit], `stop ${unit}`);
      // An agent that has crashed leaves its data planes in the unit's group (KillMode=process).
      await run("systemctl", ["kill", unit]).catch(() => undefined);
      return [`stopped and disabled ${unit}`, ...(await uninstall(run, places, unit))];
    },
  };
}

/** A unit that does its work at each boot. Both return a line for what was done. */
export interface BootUnit {
  enable(): Promise<readonly string[]>;
  disable(): Promise<readonly string[]>;
}

/** What restores the rules of capture. */
export function captureUnit(run: RunProgram, places: SystemdPlaces = PLACES): BootUnit {
  const unit = "lateen-capture.service";
  return {
    async enable() {
      const done = (await isOthers(run, places, unit)) ? [] : await install(run, places, unit);
      await told(run, "systemctl", ["enable", "--quiet", unit], `enable ${unit}`);
      return [...done, `enabled ${unit}`];
    },
    async disable() {
      if (!(await installed(run, unit))) return [];
      await told(run, "systemctl", ["disable", "--now", "--quiet", unit], `disable ${unit}`);
      return [`disabled ${unit}`, ...(await uninstall(run, places, unit))];
    },
  };
}

function unitName(name: DaemonName): string {
  return `lateen-${name}.service`;
}

/** Of the directories that units do not see, the one that a program is in, by its name or behind links. */
function hiddenPlace(program: string): string | undefined {
  const names = [program, existsSync(program) ? realpathSync(program) : program];
  return HIDDEN.find((place) => names.some((name) => name.startsWith(`${place}/`)));
}

/** Whether there is a unit that was not written here. */
async function isOthers(run: RunProgram, { system }: SystemdPlaces, unit: string): Promise<boolean> {
  return (await installed(run, unit)) && !isWritten(join(system, unit));
}

async function installed(run: RunProgram, unit: string): Promise<boolean> {
  try {
    await run("systemctl", ["cat", unit]);
    return true;
  } catch {
    return false;
  }
}

async function install(run: RunProgram, places: SystemdPlaces, unit: string): Promise<readonly string[]> {
  const to = join(places.system, unit);
  const program = quoted(places.lateen);
  const text = readFileSync(join(places.units, unit), "utf8").replaceAll("/usr/bin/lateen", () => program);
  await told(run, "systemd-sysusers", [join(places.units, "lateen.sysusers")], `make the user ${USER}`);
  replaceFile(to, `${WRITTEN}\n${text}`, 0o644);
  await told(run, "systemctl", ["daemon-reload"], "read the units again");
  return [`wrote ${to}`];
}

/** Only what was written by `install`: a package's units are the package's, and an operator's are the operator's. */
async function uninstall(
  run: RunProgram,
  { system }: SystemdPlaces,
  unit: string,
): Promise<readonly string[]> {
  const path = join(system, unit);
  if (!isWritten(path)) return [];
  await told(run, "rm", ["-f", path], `remove ${path}`);
  await told(run, "systemctl", ["daemon-reload"], "read the units again");
  return [`removed ${path}`];
}

function isWritten(path: string): boolean {
  return existsSync(path) && readFileSync(path, "utf8").startsWith(WRITTEN);
}

/** In a unit a percent sign begins a specifier, and a space ends a word (systemd.service(5), “Command lines”). */
function quoted(path: string): string {
  const text = path.replaceAll("%", "%%");
  return /^[\w./%+@:-]+$/.test(text) ? text : `"${text.replaceAll(/[\\"]/g, "\\$&")}"`;
}

async function userIds(run: RunProgram): Promise<Ids> {
  const passwd = await told(run, "getent", ["passwd", USER], `find the user ${USER}`);
  const [, , uid = "", gid = ""] = passwd.split(":");
  return { uid: Number(uid), gid: Number(gid) };
}

/** What root has written so far becomes readable for the unit's user. systemd itself makes the directories of state. */
function handOver({ name, config, stateDir }: Daemon, ids: Ids): void {
  try {
    letGroupRead(dirname(config), ids.gid, 0o750);
    letGroupRead(config, ids.gid, 0o640);
    if (name === "agent") giveAway(stateDir, ids);
  } catch (cause) {
    throw new MeshError("cli.host", `hand what is written over to the user ${USER}: ${messageOf(cause)}`, {
      cause,
      hint: "run it as root",
    });
  }
}

async function told(
  run: RunProgram,
  program: string,
  args: readonly string[],
  what: string,
  otherwise = "without systemd, use --no-start and start lateen yourself",
): Promise<string> {
  try {
    return await run(program, args);
  } catch (cause) {
    throw new MeshError("cli.host", `${what}: ${saidOf(cause)}`, {
      hint: `run it by hand to see more: ${[program, ...args].join(" ")}; ${otherwise}`,
    });
  }
}

function saidOf(error: unknown): string {
  const stderr = typeof error === "object" && error !== null && "stderr" in error ? String(error.stderr) : "";
  return stderr.trim().split("\n", 1)[0] || messageOf(error);
}
