import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { requireTool } from "./tools.ts";

interface AdminAnswer {
  readonly status: number;
  readonly body: string;
}

/** A real Envoy with the bootstrap of a test. */
export class EnvoyProcess implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #folder: string;
  #said = "";

  private constructor(process: ChildProcess, folder: string) {
    this.#process = process;
    this.#folder = folder;
    process.stderr?.on("data", (chunk: Buffer) => (this.#said += chunk.toString()));
  }

  /** Resolves when Envoy is ready, which one with ADS is after its first configuration. */
  static async start(bootstrap: (adminSocket: string) => object): Promise<EnvoyProcess> {
    const folder = await mkdtemp(join(tmpdir(), "lateen-envoy-"));
    const path = join(folder, "bootstrap.json");
    await writeFile(path, JSON.stringify(bootstrap(join(folder, "admin.sock"))));
    // What is replaced or removed goes at once: nobody is connected for whom it would drain.
    const options = [
      "--concurrency",
      "1",
      "--disable-hot-restart",
      "--drain-time-s",
      "0",
      "--log-level",
      "error",
    ];
    const child = spawn(requireTool("envoy"), ["-c", path, ...options], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const envoy = new EnvoyProcess(child, folder);
    try {
      await eventually("Envoy is ready", async () => {
        if (child.exitCode !== null) throw new Error("Envoy ended");
        return (await envoy.admin("/ready").catch(() => undefined))?.status === 200;
      });
    } catch (error) {
      await envoy[Symbol.asyncDispose]();
      throw new Error(`Envoy does not start: ${envoy.#said}`, { cause: error });
    }
    return envoy;
  }

  /** Asks the admin interface. */
  async admin(path: string): Promise<AdminAnswer> {
    return await new Promise((resolve, reject) => {
      const socketPath = join(this.#folder, "admin.sock");
      const asked = request({ socketPath, path, headers: { host: "admin" }, agent: false }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.on("error", reject);
        answer.on("end", () =>
          resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
        );
      });
      asked.on("error", reject);
      asked.end();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const ended = once(this.#process, "exit");
      this.#process.kill("SIGKILL");
      await ended;
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}
