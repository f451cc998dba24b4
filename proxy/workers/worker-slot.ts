import { messageOf } from "../../mesh/errors.ts";
import { backoffMs } from "../../mesh/lifecycle/backoff.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { Interests } from "../ads/interest.ts";
import type { WorkerThread } from "./worker-thread.ts";

export interface SlotOptions {
  readonly index: number;
  /** Starts a thread, the first or another. May throw. */
  readonly start: (slot: WorkerSlot) => WorkerThread;
  /** Called with the thread that is gone. */
  readonly ended: (thread: WorkerThread, why: "ended" | "hung") => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

const LOOK_MS = 1000;
/** A worker that takes a very large configuration is silent for a second or two. */
const HUNG_LOOKS = 10;
/** So long it may also just be busy: nobody needs to wait for it. */
const SILENT_LOOKS = 2;
/** Who ran this long was not started in vain: it is replaced at once. */
const STABLE_MS = 10_000;
const REPLACE = { firstMs: 100, maxMs: 30_000 } as const;

/** The place of one worker: whoever is in it is replaced when it ends or hangs. */
export class WorkerSlot {
  interests: Interests = new Map();
  #thread: WorkerThread | undefined;
  /** Looks in a row at which its event loop had stood still. */
  #stillLooks = 0;
  readonly #options: SlotOptions;

  constructor(options: SlotOptions) {
    this.#options = options;
  }

  /** Undefined while it is being replaced. */
  get thread(): WorkerThread | undefined {
    return this.#thread;
  }

  /** It has a thread, which may be expected to answer soon. */
  get answers(): boolean {
    return this.#thread !== undefined && this.#stillLooks < SILENT_LOOKS;
  }

  /** Until the signal is aborted; its thread is left to whoever aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    for (let attempt = 0; !signal.aborted; attempt++) {
      const started = clock.monotonic();
      this.#thread = this.#start();
      if (this.#thread) await this.#watch(this.#thread, signal);
      if (signal.aborted) return;
      this.#thread = undefined;
      this.interests = new Map();
      if (clock.monotonic() - started >= STABLE_MS) attempt = 0;
      if (attempt > 0) await clock.sleep(backoffMs(REPLACE, attempt - 1, random()), signal);
    }
  }

  /** Undefined when the system gives none: then it is tried again. */
  #start(): WorkerThread | undefined {
    const { index, logger, start } = this.#options;
    try {
      return start(this);
    } catch (error) {
      logger.error("a worker cannot be started", { worker: index, reason: messageOf(error) });
      return undefined;
    }
  }

  /** Until the thread is gone. */
  async #watch(thread: WorkerThread, signal: AbortSignal): Promise<void> {
    const { index, logger, ended } = this.#options;
    const gone = new AbortController();
    const reason = thread.ended.finally(() => gone.abort());
    const over = AbortSignal.any([signal, gone.signal]);
    const hung = await this.#untilHung(thread, over);
    if (signal.aborted) return;
    const { connections } = thread;
    if (hung) {
      logger.error("a worker hangs and is replaced", {
        worker: index,
        connections,
        silentMs: HUNG_LOOKS * LOOK_MS,
      });
      await thread.kill();
    } else {
      logger.error("a worker has ended and is replaced", {
        worker: index,
        connections,
        reason: await reason,
      });
    }
    ended(thread, hung ? "hung" : "ended");
  }

  /**
   * True when its event loop has stood still for too long; false when the wait was over first. Looks are counted, and
   * not time: when the whole process stood still, every worker is as alive as before.
   */
  async #untilHung(thread: WorkerThread, over: AbortSignal): Promise<boolean> {
    const { clock } = this.#options;
    let { beats } = thread;
    for (this.#stillLooks = 0; this.#stillLooks < HUNG_LOOKS; ) {
      await clock.sleep(LOOK_MS, over);
      if (over.aborted) return false;
      this.#stillLooks = thread.beats === beats ? this.#stillLooks + 1 : 0;
      ({ beats } = thread);
    }
    return true;
  }
}
