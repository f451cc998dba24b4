import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Namespace } from "./network-lab.ts";

const PROGRAM = join(import.meta.dirname, "packet-capture-program.ts");

interface Captured {
  /** Frames so far. */
  readonly frames: number;
  /** Those that the text is in, as it is. */
  readonly found: number;
}

/** Everything that crosses the wires of a namespace, as somebody in between would hear it. */
export class PacketCapture implements AsyncDisposable {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async on(namespace: Namespace): Promise<PacketCapture> {
    const child = namespace.spawn(process.execPath, [PROGRAM], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const gone = once(child, "exit").then(() => Promise.reject(new Error("nothing can be captured here")));
    await Promise.race([once(child, "message"), gone]);
    gone.catch(() => undefined);
    return new PacketCapture(child);
  }

  async lookFor(text: string): Promise<Captured> {
    const answer = once(this.#child, "message");
    this.#child.send(text);
    const [captured] = (await answer) as [Captured];
    return captured;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    await gone;
  }
}
