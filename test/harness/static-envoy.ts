import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { requireTool } from "./tools.ts";

type Json = { readonly [key: string]: unknown };

/** A real Envoy with listeners and clusters of its bootstrap and no other source. */
export class StaticEnvoy implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #folder: string;

  private constructor(process: ChildProcess, folder: string) {
    this.#process = process;
    this.#folder = folder;
  }

  static async start(listeners: readonly Json[], clusters: readonly Json[]): Promise<StaticEnvoy> {
    const folder = await mkdtemp(join(tmpdir(), "lateen-simulate-"));
    const admin = join(folder, "admin.sock");
    const bootstrap = {
      node: { id: "test", cluster: "test" },
      admin: { address: { pipe: { path: admin } } },
      staticResources: { listeners, clusters },
    };
    const path = join(folder, "bootstrap.json");
    await writeFile(path, JSON.stringify(bootstrap));
    const options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error"];
    const child = spawn(requireTool("envoy"), ["-c", path, ...options], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    child.stderr?.on("data", (chunk: Buffer) => (said += chunk.toString()));
    const envoy = new StaticEnvoy(child, folder);
    try {
      await eventually("Envoy is ready", async () => {
        if (child.exitCode !== null) throw new Error(`Envoy ended: ${said}`);
        return (await isReady(admin)) ? true : undefined;
      });
    } catch (error) {
      await envoy[Symbol.asyncDispose]();
      throw new Error(`Envoy does not start: ${said}`, { cause: error });
    }
    return envoy;
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

async function isReady(socketPath: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const asked = request(
      { socketPath, path: "/ready", headers: { host: "admin" }, agent: false },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode === 200);
      },
    );
    asked.on("error", () => resolve(false));
    asked.end();
  });
}
