import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, type WriteStream } from "node:fs";
import { MeshError } from "../../mesh/errors.ts";

const KILL_AFTER_MS = 12_000;
const KEPT_LINES = 40;

export interface ChildSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly logFile: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/**
 * A process of the demo: its output goes to a log file, the last lines are kept for a failure's message. It has a
 * process group of its own, so that a Ctrl-C at the terminal reaches the demo alone, which ends the rest in order.
 */
export class Child implements AsyncDisposable {
  readonly name: string;
  readonly #process: ChildProcess;
  readonly #log: WriteStream;
  readonly #lastLines: string[] = [];
  readonly exited: Promise<void>;

  constructor(spec: ChildSpec) {
    this.name = spec.name;
    this.#log = createWriteStream(spec.logFile, { flags: "a", mode: 0o600 });
    this.#log.on("error", () => {});
    this.#process = spawn(spec.command, [...spec.args], {
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NO_COLOR: "1", ...spec.environment },
    });
    this.#process.stdout?.on("data", (chunk: Buffer) => this.#keep(chunk));
    this.#process.stderr?.on("data", (chunk: Buffer) => this.#keep(chunk));
    this.exited = new Promise((resolve) => {
      this.#process.once("exit", () => resolve());
      this.#process.once("error", (error) => {
        this.#keep(Buffer.from(`${error.message}\n`));
        resolve();
      });
    });
  }

  get running(): boolean {
    return (
      this.#process.exitCode === null && this.#process.signalCode === null && this.#process.pid !== undefined
    );
  }

  /** Throws what the process last said, when it has ended by itself. */
  assertRunning(): void {
    if (this.running) return;
    throw new MeshError("internal", `keep ${this.name} running: it ended\n${this.#lastLines.join("\n")}`);
  }

  kill(signal: NodeJS.Signals): void {
    if (this.running) this.#process.kill(signal);
  }

  /** Ends it in order, by force after a while. */
  async stop(): Promise<void> {
    const force = setTimeout(() => this.kill("SIGKILL"), KILL_AFTER_MS);
    this.kill("SIGTERM");
    await this.exited;
    clearTimeout(force);
    if (!this.#log.closed) {
      this.#log.end();
      await once(this.#log, "close").catch(() => undefined);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #keep(chunk: Buffer): void {
    this.#log.write(chunk);
    this.#lastLines.push(...chunk.toString().trimEnd().split("\n"));
    this.#lastLines.splice(0, this.#lastLines.length - KEPT_LINES);
  }
}
