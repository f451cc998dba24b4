import { getCompileCacheDir } from "node:module";
import { dirname, extname } from "node:path";
import { Worker } from "node:worker_threads";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { Interests } from "../ads/interest.ts";
import {
  type AnswerOf,
  type ArgumentsOf,
  type FromThread,
  PULSE,
  type ThreadData,
  type ToThread,
  type WorkerMethod,
} from "./worker-messages.ts";

/** In what is shipped it lies beside, without types (`setup/bundle.ts`). */
const ENTRY = new URL(`./thread-entry${extname(import.meta.url)}`, import.meta.url);

export interface ThreadEvents {
  interests(interests: Interests): void;
  /** Resolves when the reader has taken the lines. */
  writeAccessLog(lines: string): Promise<void>;
  readonly logger: Logger;
}

/** A worker in a thread of its own. */
export class WorkerThread {
  /** Resolves when it is gone, with the reason. */
  readonly ended: Promise<string>;
  readonly #thread: Worker;
  readonly #pulse: ThreadData["pulse"];
  readonly #events: ThreadEvents;
  readonly #asked = new Map<number, PromiseWithResolvers<unknown>>();
  #nextId = 0;
  #gone = false;

  constructor(data: Omit<ThreadData, "pulse">, events: ThreadEvents) {
    this.#events = events;
    this.#pulse = new Int32Array(new SharedArrayBuffer(PULSE.length * Int32Array.BYTES_PER_ELEMENT));
    const workerData: ThreadData = { ...data, pulse: this.#pulse };
    this.#thread = new Worker(ENTRY, { workerData, env: withCompileCache(process.env) });
    this.#thread.on("message", (message: FromThread) => this.#take(message));
    this.ended = this.#whenEnded();
  }

  /** Grows as long as its event loop turns. */
  get beats(): number {
    return Atomics.load(this.#pulse, PULSE.beats);
  }

  /** That it had at its last beat. */
  get connections(): number {
    return Atomics.load(this.#pulse, PULSE.connections);
  }

  /** Rejects when the worker throws, and when it ends before it answers. */
  async ask<M extends WorkerMethod>(method: M, ...args: ArgumentsOf<M>): Promise<AnswerOf<M>> {
    if (this.#gone) throw lost();
    const id = this.#nextId++;
    const answer = Promise.withResolvers<unknown>();
    this.#asked.set(id, answer);
    this.#tell({ id, method, args });
    return (await answer.promise) as AnswerOf<M>;
  }

  #tell(message: ToThread): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- it is no window
    this.#thread.postMessage(message);
  }

  /** The worker holds back what follows until its reader has taken this. */
  async #writeAccessLog(lines: string): Promise<void> {
    let error: string | undefined;
    await this.#events.writeAccessLog(lines).catch((reason: unknown) => (error = messageOf(reason)));
    this.#tell({ method: "accessWritten", error });
  }

  /** Ends it wherever it is. */
  async kill(): Promise<void> {
    await this.#thread.terminate();
  }

  async #whenEnded(): Promise<string> {
    return await new Promise((resolve) => {
      let reason: string | undefined;
      this.#thread.once("error", (error: unknown) => {
        reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      });
      this.#thread.once("exit", (code) => {
        this.#gone = true;
        for (const { reject } of this.#asked.values()) reject(lost());
        this.#asked.clear();
        resolve(reason ?? `it ended with status ${code}`);
      });
    });
  }

  #take(message: FromThread): void {
    switch (message.kind) {
      case "answer":
        this.#settle(message.id)?.resolve(message.value);
        return;
      case "failure":
        this.#settle(message.id)?.reject(new MeshError("internal", message.reason));
        return;
      case "interests":
        this.#events.interests(message.interests);
        return;
      case "access":
        void this.#writeAccessLog(message.lines);
        return;
      case "log":
        this.#log(message);
        return;
      default:
        message satisfies never;
    }
  }

  #settle(id: number): PromiseWithResolvers<unknown> | undefined {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    return asked;
  }

  #log({ level, component, message, fields }: Extract<FromThread, { kind: "log" }>): void {
    const { logger } = this.#events;
    (component === "" ? logger : logger.child(component))[level](message, fields);
  }
}

/** Threads do not inherit it, and start in half of the time with it. */
function withCompileCache(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const folder = getCompileCacheDir();
  // It names the part of it that is this Node's.
  return folder === undefined ? environment : { ...environment, NODE_COMPILE_CACHE: dirname(folder) };
}

function lost(): MeshError {
  return new MeshError("internal", "ask a worker: it has ended");
}
