import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { eventually } from "./eventually.ts";
import type { Said } from "./vm-lab.ts";

const BOOT = join(import.meta.dirname, "systemd-boot.sh");
const LATEEN = resolve(import.meta.dirname, "../../lateen");
const CGROUPS = "/sys/fs/cgroup";

/**
 * For a test's `skip` option: why a systemd of its own is not booted here. Only on request: a mistake in what shuts it in
 * would cost the machine's files.
 */
export function skipWithoutSystemd(): string | false {
  if (process.env["LATEEN_TEST_SYSTEMD"] !== "1") return "set LATEEN_TEST_SYSTEMD=1 to boot a systemd";
  if (process.getuid?.() !== 0) return "no systemd of its own here: root is needed";
  if (!existsSync("/lib/systemd/systemd")) return "no systemd on this machine";
  const readOnly = "mount --make-rprivate / && mount -o remount,bind,ro /";
  const namespaces = ["--fork", "--pid", "--mount", "--net", "--cgroup", "sh", "-c", readOnly];
  if (spawnSync("unshare", namespaces).status !== 0) return "no namespaces here";
  const group = join(
    CGROUPS,
    existsSync(join(CGROUPS, "cgroup.controllers")) ? "" : "systemd",
    `lateen-try-${process.pid}`,
  );
  try {
    mkdirSync(group);
    rmdirSync(group);
    return false;
  } catch (error) {
    return `no control groups here: ${String(error)}`;
  }
}

/** A host whose process 1 is systemd: real units, real sandboxes. It sees the machine's files and can change none. */
export class SystemdHost implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #cgroups: readonly string[];
  #pid = 0;
  #log = "";

  private constructor(child: ChildProcess, cgroups: readonly string[]) {
    this.#child = child;
    this.#cgroups = cgroups;
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (chunk: Buffer) => {
        this.#log += chunk.toString("utf8");
      });
  }

  static async boot(): Promise<SystemdHost> {
    const kind = existsSync(join(CGROUPS, "cgroup.controllers")) ? "cgroup2" : "hybrid";
    const name = `lateen-test-${process.pid}`;
    const cgroups = (kind === "cgroup2" ? [""] : ["systemd", "unified"]).map((one) =>
      join(CGROUPS, one, name),
    );
    for (const path of cgroups) mkdirSync(path);
    const enter = cgroups.map((path) => `echo $$ > ${path}/cgroup.procs`).join("; ");
    const namespaces = "--fork --pid --mount --uts --net --ipc --cgroup --kill-child";
    const child = spawn("sh", ["-c", `${enter}; exec unshare ${namespaces} sh ${BOOT} ${kind}`], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const host = new SystemdHost(child, cgroups);
    try {
      await eventually(
        "systemd is up",
        async () => {
          if (child.exitCode !== null) throw new Error(`systemd does not boot here: ${host.#log}`);
          host.#pid = firstChildOf(child.pid ?? 0) ?? 0;
          return (
            host.#pid !== 0 && (await host.run("systemctl", "is-active", "multi-user.target")).code === 0
          );
        },
        20_000,
      );
      return host;
    } catch (error) {
      await host[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Runs a program there, as root. */
  async run(program: string, ...args: readonly string[]): Promise<Said> {
    const child = this.spawn(program, ...args);
    const [stdout, stderr, [code]] = await Promise.all([
      text(child.stdout ?? process.stdin),
      text(child.stderr ?? process.stdin),
      once(child, "exit") as Promise<[number]>,
    ]);
    return { code, stdout, stderr };
  }

  lateen(...args: readonly string[]): Promise<Said> {
    return this.run(LATEEN, ...args);
  }

  spawn(program: string, ...args: readonly string[]): ChildProcess {
    const within = ["--target", String(this.#pid), "--mount", "--pid", "--uts", "--net", "--ipc", "--cgroup"];
    const { NODE_EXTRA_CA_CERTS: _none, ...env } = process.env;
    return spawn("nsenter", [...within, program, ...args], { stdio: ["ignore", "pipe", "pipe"], env });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const gone = once(this.#child, "exit");
      if (this.#pid === 0) this.#child.kill("SIGKILL");
      // With process 1 everything in its namespace ends.
      else process.kill(this.#pid, "SIGKILL");
      await gone;
    }
    for (const path of this.#cgroups)
      await eventually("its control groups are empty", () => {
        removeCgroup(path);
        return !existsSync(path);
      });
  }
}

function firstChildOf(pid: number): number | undefined {
  try {
    const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ");
    return first === undefined || first === "" ? undefined : Number(first);
  } catch {
    return undefined;
  }
}

/** Directories of a control group can be removed once nothing is in them. */
function removeCgroup(path: string): void {
  try {
    for (const name of readdirSync(path))
      if (statSync(join(path, name)).isDirectory()) removeCgroup(join(path, name));
    rmdirSync(path);
  } catch {
    // Something is still ending in there.
  }
}
