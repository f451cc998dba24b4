import { type ChildProcess, execFile, execFileSync, type SpawnOptions, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import { requireTool } from "./tools.ts";

const run = promisify(execFile);

/** One wire for all hosts of a lab; it exists in its namespaces alone. */
const SUBNET = "10.77.0";
const SUBNET6 = "fd00:77::";
const HUB = `${SUBNET}.254`;

/** The group of agents and their proxies, whose connections are not captured; Istio's number. */
const MESH_GROUP = 1337;

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** A network namespace with a wire to the others of its lab. */
export interface Namespace {
  readonly name: string;
  readonly address: string;
  /** Starts a program in it; `mesh`: one whose connections capture leaves alone. */
  spawn(program: string, args: readonly string[], options: SpawnOptions, as?: "mesh" | "app"): ChildProcess;
  /** Processes in it. */
  pids(): readonly number[];
}

/**
 * Hosts for a test: network namespaces of this machine, joined by a bridge in one more. Their names carry the number of
 * this process, their addresses are nobody else's business, and all of it is gone when the lab is. Needs root.
 */
export class NetworkLab implements AsyncDisposable {
  readonly hub: Namespace;
  readonly #prefix = `lateen-${process.pid}-`;
  readonly #names: string[] = [];
  #hosts = 0;

  private constructor() {
    this.hub = this.#namespace("hub", HUB);
  }

  static async open(): Promise<NetworkLab> {
    await sweep();
    const lab = new NetworkLab();
    process.once("exit", lab.#abandon);
    for (const signal of SIGNALS) process.once(signal, lab.#interrupted);
    try {
      await lab.#add("hub");
      await lab.#ip("hub", "link add wire type bridge", `addr add ${HUB}/24 dev wire`, "link set wire up");
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
    return lab;
  }

  /** A host on the wire; everything that is not its own it looks for there. `also`: further addresses of it. */
  async host(name: string, also: readonly string[] = []): Promise<Namespace> {
    const number = ++this.#hosts;
    const address = `${SUBNET}.${number}`;
    await this.#add(name);
    await this.#ip("hub", `link add port${number} type veth peer name eth0 netns ${this.#prefix}${name}`);
    await this.#ip("hub", `link set port${number} master wire`, `link set port${number} up`);
    const addresses = [address, ...also].map((one) => `addr add ${one}/24 dev eth0`);
    await this.#ip(name, ...addresses, "link set eth0 up", `route add default dev eth0 src ${address}`);
    return this.#namespace(name, address);
  }

  /** Gives a host an IPv6 address on the wire, with the number of its IPv4 one; returns it. */
  async ipv6({ name, address }: Namespace): Promise<string> {
    const given = `${SUBNET6}${address.split(".").at(-1)}`;
    await this.#ip(name, `addr add ${given}/64 dev eth0 nodad`);
    return given;
  }

  /** Runs nft in a host; returns what it says. */
  async nft({ name }: Namespace, ...args: readonly string[]): Promise<string> {
    const { stdout } = await run("ip", ["netns", "exec", this.#prefix + name, requireTool("nft"), ...args]);
    return stdout;
  }

  /** Takes a host's wire away, or gives it back. */
  async wire({ address }: Namespace, state: "up" | "down"): Promise<void> {
    await this.#ip("hub", `link set port${address.split(".").at(-1)} ${state}`);
  }

  /** Sends what comes in to 15006 and what goes out to 15001, by the rules that Istio sets up. */
  async capture({ name }: Namespace): Promise<void> {
    const nft = requireTool("nft");
    const rules = `table ip lateen-test {
      chain prerouting {
        type nat hook prerouting priority -100;
        meta l4proto tcp redirect to :15006
      }
      chain output {
        type nat hook output priority -100;
        ip saddr 127.0.0.6 oifname "lo" return
        meta skgid ${MESH_GROUP} oifname "lo" ip daddr != 127.0.0.1 meta l4proto tcp redirect to :15006
        meta skgid ${MESH_GROUP} return
        oifname "lo" return
        meta l4proto tcp redirect to :15001
      }
    }`;
    await run("ip", ["netns", "exec", this.#prefix + name, nft, rules]);
  }

  /** The same for one port alone, whatever family of addresses. */
  async capturePort({ name }: Namespace, port: number): Promise<void> {
    const nft = requireTool("nft");
    const rules = `table inet lateen-test {
      chain prerouting {
        type nat hook prerouting priority -100;
        tcp dport ${port} redirect to :15006
      }
      chain output {
        type nat hook output priority -100;
        meta skgid ${MESH_GROUP} return
        tcp dport ${port} redirect to :15001
      }
    }`;
    await run("ip", ["netns", "exec", this.#prefix + name, nft, rules]);
  }

  /** Gives a host an address of IPv6 too, at once. */
  async addIpv6({ name }: Namespace, address: string): Promise<void> {
    await this.#ip(name, `addr add ${address}/64 dev eth0 nodad`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off("exit", this.#abandon);
    for (const signal of SIGNALS) process.off(signal, this.#interrupted);
    for (const name of this.#names.splice(0)) await run("ip", ["netns", "del", this.#prefix + name]);
  }

  /** For a process that ends before its tests do. */
  readonly #abandon = (): void => {
    for (const name of this.#names.splice(0)) removeWithProcesses(this.#prefix + name);
  };

  readonly #interrupted = (): void => process.exit(1);

  async #add(name: string): Promise<void> {
    await run("ip", ["netns", "add", this.#prefix + name]);
    this.#names.push(name);
    await this.#ip(name, "link set lo up");
  }

  async #ip(name: string, ...commands: readonly string[]): Promise<void> {
    for (const command of commands) await run("ip", ["-n", this.#prefix + name, ...command.split(" ")]);
  }

  #namespace(name: string, address: string): Namespace {
    const within = ["netns", "exec", this.#prefix + name];
    return {
      name,
      address,
      spawn: (program, args, options, as = "app") =>
        spawn("ip", [...within, program, ...args], {
          ...options,
          ...(as === "mesh" ? { gid: MESH_GROUP } : {}),
        }),
      pids: () => pidsIn(this.#prefix + name),
    };
  }
}

/** Removes what was left by processes that were killed. */
async function sweep(): Promise<void> {
  const { stdout } = await run("ip", ["netns", "list"]);
  for (const [name = "", pid] of stdout.matchAll(/^lateen-(\d+)-[\w-]+/gm)) {
    if (!existsSync(`/proc/${pid}`)) removeWithProcesses(name);
  }
}

function pidsIn(name: string): readonly number[] {
  const pids = execFileSync("ip", ["netns", "pids", name], { encoding: "utf8" });
  return pids
    .split("\n")
    .filter((line) => line !== "")
    .map(Number);
}

/** Everything that runs in a namespace of a lab was started by its tests. */
function removeWithProcesses(name: string): void {
  try {
    for (const pid of pidsIn(name)) process.kill(pid, "SIGKILL");
  } catch {
    // One that has ended meanwhile is as good.
  }
  execFileSync("ip", ["netns", "del", name]);
}
