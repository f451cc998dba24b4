import type { StdioOptions } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { findTool } from "../../setup/find-tool.ts";
import { type Namespace, NetworkLab } from "./network-lab.ts";

const LATEEN = resolve(import.meta.dirname, "../../cli/lateen.js");

/** What a host of its own has at the usual places, and what its tests look into from outside. */
const PLACES = { etc: "/etc", lib: "/var/lib", run: "/run" } as const;

/** Enough of /etc for programs to find names of users and hosts. */
const ETC = ["passwd", "group", "hosts", "nsswitch.conf", "ld.so.cache", "ssl"];

const ENTER = `set -e
echo "$2" > /proc/sys/kernel/hostname
${Object.entries(PLACES)
  .map(([name, path]) => `mount --bind "$1/${name}" ${path}`)
  .join("\n")}
shift 2
exec "$@"`;

export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A namespace of a lab with a host name, /etc, /var/lib and /run of its own: commands run there as on a real host. */
export class VmHost {
  readonly name: string;
  readonly address: string;
  readonly network: Namespace;
  readonly #root: string;

  constructor(network: Namespace, root: string) {
    this.name = network.name;
    this.address = network.address;
    this.network = network;
    this.#root = root;
    for (const name of Object.keys(PLACES)) mkdirSync(join(root, name), { recursive: true });
    for (const name of ETC) {
      const from = join("/etc", name);
      if (existsSync(from)) cpSync(from, join(root, "etc", name), { recursive: true, dereference: true });
    }
  }

  /** `lateen …`; what it starts in the background goes on. */
  async lateen(...args: readonly string[]): Promise<Said> {
    return await this.run(process.execPath, LATEEN, ...args);
  }

  /** A program that sees the host's own files. */
  async run(...command: readonly string[]): Promise<Said> {
    const child = this.#spawn(command, ["ignore", "pipe", "pipe"]);
    const [stdout, stderr, [code]] = await Promise.all([
      text(child.stdout ?? process.stdin),
      text(child.stderr ?? process.stdin),
      once(child, "exit") as Promise<[number]>,
    ]);
    return { code, stdout, stderr };
  }

  /** `lateen …` as a boot would start it. */
  start(...args: readonly string[]): void {
    this.#spawn([process.execPath, LATEEN, ...args], "ignore").unref();
  }

  /** Where a path of this host is for the test. */
  path(path: string): string {
    const [name = "", at = ""] =
      Object.entries(PLACES).find(([, place]) => path.startsWith(`${place}/`)) ?? [];
    return join(this.#root, name, path.slice(at.length));
  }

  /** All that is at the host's places but what came with it. */
  files(): readonly string[] {
    return Object.entries(PLACES).flatMap(([name, place]) =>
      readdirSync(join(this.#root, name), { recursive: true, encoding: "utf8" })
        .filter((path) => !ETC.includes(path.split("/")[0] ?? ""))
        .map((path) => join(place, path)),
    );
  }

  /** Process ids of what lateen runs here. */
  processes(): readonly number[] {
    return this.network.pids().filter((pid) => /lateen\.js/.test(commandLine(pid)));
  }

  /** All of lateen ends at once, and /run is empty, as after a power cut. */
  powerOff(): void {
    for (const pid of this.processes()) process.kill(pid, "SIGKILL");
    for (const name of readdirSync(this.path("/run/")))
      rmSync(join(this.path("/run/"), name), { recursive: true });
  }

  #spawn(program: readonly string[], stdio: StdioOptions): ReturnType<Namespace["spawn"]> {
    const command = ["--uts", "sh", "-c", ENTER, "sh", this.#root, this.name, ...program];
    const env = {
      ...process.env,
      PATH: `${process.env["PATH"]}:${dirname(findTool("nft") ?? "/usr/sbin/nft")}`,
    };
    return this.network.spawn("unshare", command, { stdio, detached: true, env });
  }
}

/** Hosts on one wire, each set up by the commands that its operator would type. */
export class VmLab implements AsyncDisposable {
  readonly network: NetworkLab;
  readonly #root = mkdtempSync(join(tmpdir(), "lateen-vms-"));
  readonly #hosts: VmHost[] = [];

  private constructor(network: NetworkLab) {
    this.network = network;
  }

  static async open(): Promise<VmLab> {
    return new VmLab(await NetworkLab.open());
  }

  async host(name: string): Promise<VmHost> {
    const host = new VmHost(await this.network.host(name), join(this.#root, name));
    this.#hosts.push(host);
    return host;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const host of this.#hosts) for (const pid of host.processes()) process.kill(pid, "SIGKILL");
    await this.network[Symbol.asyncDispose]();
    rmSync(this.#root, { recursive: true, force: true });
  }
}

/** Empty for one that has ended meanwhile. */
function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}
