import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { requireTool } from "./tools.ts";

export interface NomadResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A real `nomad agent -dev` with raw_exec, on ports of loopback of its own; needs root. */
export class NomadAgent implements AsyncDisposable {
  /** Of its HTTP API: `http://127.0.0.1:…`. */
  readonly address: string;
  /** Where a test may put its files; gone with the agent. */
  readonly directory: string;
  readonly #process: ChildProcess;

  private constructor(address: string, directory: string, process: ChildProcess) {
    this.address = address;
    this.directory = directory;
    this.#process = process;
  }

  static async start(): Promise<NomadAgent> {
    const directory = mkdtempSync(join(tmpdir(), "ln-"));
    const [http, rpc, serf] = [await freePort(), await freePort(), await freePort()];
    const config = join(directory, "agent.json");
    writeFileSync(config, JSON.stringify(agentConfig(directory, { http, rpc, serf })));
    // Nothing of this machine's environment: proxies and clouds are not the test's.
    const env = { PATH: process.env["PATH"], HOME: directory, TMPDIR: directory };
    const child = spawn(requireTool("nomad"), ["agent", "-dev", "-config", config], { env, stdio: "ignore" });
    const agent = new NomadAgent(`http://127.0.0.1:${http}`, directory, child);
    try {
      await eventually("Nomad has a client that is ready", () => agent.#isReady(), 60_000);
      return agent;
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    }
  }

  /** A call of its HTTP API. */
  async get(path: string): Promise<unknown> {
    const answer = await fetch(new URL(path, this.address), { signal: AbortSignal.timeout(10_000) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return await answer.json();
  }

  /** One `nomad …` command, which talks to `address`. */
  async run(
    argv: readonly string[],
    { address = this.address, input }: { readonly address?: string; readonly input?: string } = {},
  ): Promise<NomadResult> {
    const env = { PATH: process.env["PATH"], HOME: this.directory, NOMAD_ADDR: address };
    return await new Promise((resolve) => {
      const options = { env, cwd: this.directory, timeout: 60_000 };
      const child = execFile(requireTool("nomad"), argv, options, (error, stdout, stderr) =>
        resolve({
          code: typeof error?.code === "number" ? error.code : error === null ? 0 : -1,
          stdout,
          stderr,
        }),
      );
      child.stdin?.end(input);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null) {
      await this.#stopJobs();
      this.#process.kill("SIGINT");
      await Promise.race([once(this.#process, "exit"), once(AbortSignal.timeout(20_000), "abort")]);
      this.#process.kill("SIGKILL");
    }
    unmountBelow(this.directory);
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Tasks outlive their client: they end first. */
  async #stopJobs(): Promise<void> {
    for (const { ID: id } of (await this.get("/v1/jobs")) as { readonly ID: string }[]) {
      await fetch(new URL(`/v1/job/${encodeURIComponent(id)}`, this.address), { method: "DELETE" });
    }
    await eventually("every task has ended", () => this.#isIdle(), 60_000);
  }

  async #isIdle(): Promise<boolean> {
    const allocations = (await this.get("/v1/allocations")) as { readonly ClientStatus: string }[];
    return allocations.every(({ ClientStatus }) => /^(complete|failed|lost)$/.test(ClientStatus));
  }

  async #isReady(): Promise<boolean> {
    if (this.#process.exitCode !== null) throw new Error(`nomad agent ended with ${this.#process.exitCode}`);
    try {
      const nodes = (await this.get("/v1/nodes")) as { Status: string }[];
      return nodes[0]?.Status === "ready";
    } catch {
      return false;
    }
  }
}

function agentConfig(directory: string, ports: Readonly<Record<"http" | "rpc" | "serf", number>>): object {
  return {
    bind_addr: "127.0.0.1",
    ports,
    disable_update_check: true,
    plugin: [{ raw_exec: [{ config: [{ enabled: true }] }] }],
    client: {
      // Short: sockets of tasks are below, and a socket's path has 107 bytes (unix(7)).
      alloc_dir: join(directory, "a"),
      state_dir: join(directory, "s"),
      network_interface: "lo",
      options: { "fingerprint.denylist": "env_aws,env_gce,env_azure,env_digitalocean" },
    },
  };
}

/** Secrets of tasks are file systems of their own, and a client that ends leaves them to the next one. */
function unmountBelow(directory: string): void {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .flatMap((line) => line.split(" ")[4] ?? []);
  for (const mount of mounts.filter((path) => path.startsWith(`${directory}/`)).toReversed()) {
    execFileSync("umount", ["-l", mount]);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
