import { type ChildProcess, spawn } from "node:child_process";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import { type Inheritance, SUCCESSOR_VARIABLE, type ToPredecessor, type ToSuccessor } from "./messages.ts";

/** Standard input, output and errors, and the channel. */
const FIRST_DESCRIPTOR = 4;

/**
 * The process that takes over from this one. It shares the listening sockets themselves, so that no connection is lost
 * in the queue of a socket that closes: of several sockets at a port (SO_REUSEPORT) the kernel resets what waits at the
 * one that goes.
 */
export class Successor {
  readonly #child: ChildProcess;
  readonly #ready: Promise<void>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#ready = new Promise<void>((resolve, reject) => {
      const fail = (why: string): void =>
        reject(new MeshError("proxy.succession", `start a successor: ${why}`, { hint: "see its log lines" }));
      child.once("message", (message) => {
        if ((message as ToPredecessor).kind === "ready") resolve();
      });
      child.once("error", (error) => fail(messageOf(error)));
      child.once("exit", (code, signal) => fail(`it ended with ${signal ?? `status ${code}`}`));
    });
    // It may fail before anybody waits for it; who does is told.
    this.#ready.catch(() => {});
  }

  /** Starts it with this process' environment and output, in a group of its own. */
  static start([program = "", ...args]: readonly string[], { sockets, missing }: Inheritance): Successor {
    const child = spawn(program, args, {
      detached: true,
      stdio: ["ignore", "inherit", "inherit", "ipc", ...sockets.map(({ fd }) => fd)],
      env: { ...process.env, [SUCCESSOR_VARIABLE]: "1" },
    });
    const successor = new Successor(child);
    const inherited = sockets.map((socket, index) => ({ ...socket, fd: FIRST_DESCRIPTOR + index }));
    successor.#send({ kind: "inherit", sockets: inherited, missing });
    return successor;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Resolves when it serves on every socket. Throws `proxy.succession` when it ends first, or the signal is aborted. */
  async ready(signal: AbortSignal): Promise<void> {
    const { promise, reject } = Promise.withResolvers<never>();
    const give = (): void =>
      reject(
        new MeshError("proxy.succession", "wait for the successor: it was not ready in time", {
          hint: "see its log lines",
        }),
      );
    signal.addEventListener("abort", give, { once: true });
    if (signal.aborted) give();
    try {
      await Promise.race([this.#ready, promise]);
    } finally {
      signal.removeEventListener("abort", give);
    }
  }

  /**
   * It may be asked under our name from now on. Resolves when it can be, or has ended: whoever looks for it once this process
   * is gone finds it. It lives on without this process, and is waited for until the signal is aborted.
   */
  async release(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const done = (): void => resolve();
    this.#child.once("disconnect", done);
    signal.addEventListener("abort", done, { once: true });
    this.#send({ kind: "released" });
    if (signal.aborted || !this.#child.connected) done();
    await promise;
    signal.removeEventListener("abort", done);
    if (this.#child.connected) this.#child.disconnect();
    this.#child.unref();
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  #send(message: ToSuccessor): void {
    // It may be gone: that is told by its exit.
    this.#child.send(message, () => {});
  }
}
