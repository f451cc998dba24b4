import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { LATEEN_JS } from "../program-files.ts";
import { Child } from "./child.ts";
import { type DemoHost, SERVICE_PORT } from "./topology.ts";

const BOOKINFO = join(import.meta.dirname, "../../examples/bookinfo/main.ts");

/** The demo's processes by name: `server`, `agent-<host>`, `app-<host>`, `consul`. Each host has its folder. */
export class DemoProcesses implements AsyncDisposable {
  readonly directory: string;
  readonly signal: AbortSignal;
  readonly #children = new Map<string, Child>();

  constructor(directory: string, signal: AbortSignal) {
    this.directory = directory;
    this.signal = signal;
  }

  hostDir(hostName: string): string {
    return join(this.directory, hostName);
  }

  runDirOf(hostName: string): string {
    return join(this.hostDir(hostName), "run");
  }

  agentConfigOf(hostName: string): string {
    return join(this.hostDir(hostName), "agent.yaml");
  }

  start(name: string, command: string, args: readonly string[]): Child {
    const logFile = join(this.directory, "logs", `${name}.log`);
    const child = new Child({ name, command, args, logFile });
    this.#children.set(name, child);
    return child;
  }

  startServer(configFile: string): Child {
    return this.start("server", process.execPath, [LATEEN_JS, "server", "--config", configFile]);
  }

  startAgent(host: DemoHost): Child {
    const config = this.agentConfigOf(host.name);
    return this.start(`agent-${host.name}`, process.execPath, [LATEEN_JS, "agent", "--config", config]);
  }

  startApplication(host: DemoHost): Child {
    const upstreams = host.upstreams.flatMap(({ service, bindPort }) => [
      `--${service}`,
      `${host.loopback}:${bindPort}`,
    ]);
    return this.start(`app-${host.name}`, process.execPath, [
      BOOKINFO,
      `--service=${host.service}`,
      `--version=${host.version}`,
      `--address=${host.loopback}`,
      `--port=${SERVICE_PORT}`,
      ...upstreams,
    ]);
  }

  /** Throws when one of them has ended by itself, with what it last said. */
  assertRunning(): void {
    for (const child of this.#children.values()) child.assertRunning();
  }

  async stop(name: string): Promise<void> {
    const child = this.#children.get(name);
    await child?.stop();
    this.#children.delete(name);
  }

  /** Ends it without a chance to tidy up. */
  async kill(name: string): Promise<void> {
    this.#children.get(name)?.kill("SIGKILL");
    await this.stop(name);
  }

  /**
   * Ends everything without waiting, for a demo that ends out of order (a second Ctrl-C, a defect): agents before the
   * data planes, which would be started again.
   */
  killAll(): void {
    for (const child of this.#children.values()) child.kill("SIGKILL");
    for (const host of readdirSync(this.directory)) {
      const runDir = this.runDirOf(host);
      if (existsSync(runDir)) killDataPlanes(runDir);
    }
  }

  /** Agents first, as they deregister and drain; what they talk to afterwards. */
  async [Symbol.asyncDispose](): Promise<void> {
    const names = [...this.#children.keys()];
    const agents = names.filter((name) => name.startsWith("agent-"));
    await Promise.all(agents.map((name) => this.stop(name)));
    await Promise.all(names.filter((name) => !agents.includes(name)).map((name) => this.stop(name)));
  }
}

/** Data planes outlive a killed agent on purpose; its run directory says which they are, and so do their arguments. */
function killDataPlanes(runDir: string): void {
  for (const entry of readdirSync(runDir, { withFileTypes: true })) {
    const place = join(runDir, entry.name);
    try {
      const record = readFileSync(join(place, "process.json"), "utf8");
      const { pid } = JSON.parse(record) as { readonly pid: number };
      if (readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(place)) process.kill(-pid, "SIGKILL");
    } catch {
      // It has none, or is gone already.
    }
  }
}
