import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { eventually } from "./eventually.ts";
import { FakeAds } from "./fake-ads.ts";
import type { Namespace } from "./network-lab.ts";
import { adminAnswer } from "./test-proxy.ts";

const LATEEN = resolve(import.meta.dirname, "../../cli/lateen.js");

interface ProgramOptions {
  readonly name?: string;
  readonly concurrency?: number;
  readonly drainSeconds?: number;
  /** A module that is loaded into each of its threads first. */
  readonly preload?: string;
  /** Its standard output is a pipe that nobody reads. */
  readonly isUnread?: boolean;
  /** Where it runs, as a program whose connections are not captured; default: on this machine as it is. */
  readonly within?: Namespace;
  /** Fields of its bootstrap file. */
  readonly bootstrap?: Readonly<Record<string, unknown>>;
}

/** `lateen proxy` as a process of its own, with an ADS in this one. */
export class ProxyProgram implements AsyncDisposable {
  readonly ads: FakeAds;
  readonly #folder: string;
  readonly #pids = new Set<number>();
  #child: ChildProcess | undefined;

  private constructor(folder: string) {
    this.#folder = folder;
    this.ads = new FakeAds(join(folder, "xds.sock"));
  }

  static async start(options: ProgramOptions = {}): Promise<ProxyProgram> {
    const { name = "client-1", concurrency = 1, drainSeconds = 30, preload } = options;
    const program = new ProxyProgram(await mkdtemp(join(tmpdir(), "lateen-program-")));
    await program.ads.start();
    await program.writeBootstrap({
      node: {
        id: `sidecar~127.0.0.1~${name}.default~default.svc.cluster.local`,
        cluster: name,
        metadata: { LABELS: { app: name, version: "v1" }, CLUSTER_ID: "dc1" },
      },
      xdsSocket: join(program.#folder, "xds.sock"),
      adminSocket: program.#adminSocket,
      ...options.bootstrap,
    });
    const args = ["--bootstrap", program.bootstrapFile, "--drain-seconds", `${drainSeconds}`];
    const log = await open(program.#log, "a");
    const { within } = options;
    const start: Namespace["spawn"] = (...call) =>
      within === undefined ? spawn(call[0], call[1], call[2]) : within.spawn(...call);
    program.#child = start(
      process.execPath,
      [
        ...(preload === undefined ? [] : ["--import", preload]),
        LATEEN,
        "proxy",
        ...args,
        "--concurrency",
        `${concurrency}`,
        "--log-format",
        "json",
      ],
      { stdio: ["ignore", options.isUnread ? "pipe" : log.fd, log.fd], detached: true },
      "mesh",
    );
    await log.close();
    return program;
  }

  get bootstrapFile(): string {
    return join(this.#folder, "bootstrap.json");
  }

  get #adminSocket(): string {
    return join(this.#folder, "admin.sock");
  }

  get #log(): string {
    return join(this.#folder, "log");
  }

  async writeBootstrap(bootstrap: Readonly<Record<string, unknown>>): Promise<void> {
    await writeFile(this.bootstrapFile, JSON.stringify(bootstrap));
  }

  async admin(path: string, method = "GET"): Promise<{ readonly status: number; readonly body: string }> {
    return await adminAnswer(this.#adminSocket, path, method);
  }

  async ready(): Promise<void> {
    const isReady = async (): Promise<boolean> =>
      (await this.admin("/ready").catch(() => undefined))?.status === 200;
    await eventually("the proxy is ready", isReady, 20_000);
    await this.pid();
  }

  /** Of the process that answers under its name now. */
  async pid(): Promise<number> {
    const { pid } = JSON.parse((await this.admin("/server_info")).body) as { readonly pid: number };
    this.#pids.add(pid);
    return pid;
  }

  /** Asks for a successor; resolves with its pid when it answers under the proxy's name. */
  async succeed(): Promise<number> {
    const former = await this.pid();
    process.kill(former, "SIGUSR2");
    const another = async (): Promise<number | undefined> => {
      const pid = await this.pid().catch(() => former);
      return pid === former ? undefined : pid;
    };
    return await eventually("a successor serves", another, 60_000);
  }

  async log(): Promise<string> {
    return await readFile(this.#log, "utf8");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pid().catch(() => undefined);
    this.#child?.kill("SIGKILL");
    for (const pid of this.#pids) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended.
      }
    }
    await this.ads[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Whether a process is there: one that has ended and was not waited for is not. */
export async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return stat !== "" && !/\) [ZX] /.test(stat);
}
