import { messageOf } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import { Wake } from "../state/changes.ts";
import { askServerInfo } from "./admin-client.ts";
import type { Concurrency, ProxyProgram, WorkerThreads } from "./data-plane.ts";
import type { ProxyProcess } from "./proxy-process.ts";
import type { Turns } from "./turns.ts";

export interface WorkerCountOptions {
  readonly program: Pick<ProxyProgram, "workers" | "succession">;
  readonly concurrency: Concurrency;
  readonly adminSocket: string;
  /** Of all data planes of the host: each hand-over needs a process more, with all that it holds. */
  readonly turns: Turns;
  readonly clock: Pick<Clock, "sleep">;
  readonly logger: Logger;
}

const ASK_AGAIN_MS = 5_000;

/**
 * Brings a data plane to as many worker threads as are wanted while it runs: by a successor, where the program can have one.
 * There is one attempt for each change of what is wanted; a process that is not succeeded goes on as it is, and what starts
 * after it has what is wanted.
 */
export class WorkerCount {
  readonly #options: WorkerCountOptions;
  #now: number | undefined;

  constructor(options: WorkerCountOptions) {
    this.#options = options;
  }

  /** Undefined: the process does not tell how many it has. */
  get threads(): WorkerThreads | undefined {
    return this.#now === undefined ? undefined : { now: this.#now, next: this.#wanted ?? this.#now };
  }

  /** Until the wait is over or `succeed` has come to something: then returns the process that has as many as are wanted. */
  async fit(
    pid: number,
    over: AbortSignal,
    succeed: () => Promise<ProxyProcess | undefined>,
  ): Promise<ProxyProcess | undefined> {
    const { program, concurrency, turns, logger } = this.#options;
    const changed = new Wake();
    const unsubscribe = concurrency.changes.subscribe(() => changed.raise());
    try {
      const now = await this.#told(over);
      this.#now = now;
      if (now === undefined) return undefined;
      for (let tried = now; !over.aborted; await changed.wait(over)) {
        const wanted: number = this.#wanted ?? now;
        if (wanted === tried) continue;
        tried = wanted;
        if (wanted === now) continue;
        if (program.succession === undefined) {
          logger.info(
            "another number of worker threads is wanted: the data plane takes it at its next start",
            {
              pid,
              now,
              wanted,
            },
          );
          continue;
        }
        const successor = await turns.take(async () => {
          if (over.aborted) return undefined;
          logger.info("another number of worker threads is wanted: the data plane hands over", {
            pid,
            now,
            wanted,
          });
          return await succeed().catch((error: unknown) => {
            logger.error("the data plane could not be told to hand over", {
              pid,
              error: messageOf(error),
            });
            return undefined;
          });
        });
        if (successor !== undefined) return successor;
      }
      return undefined;
    } finally {
      unsubscribe();
      this.#now = undefined;
    }
  }

  /** What the process tells, who may be busy for a while; undefined when the wait is over first. */
  async #told(over: AbortSignal): Promise<number | undefined> {
    const { adminSocket, clock } = this.#options;
    while (!over.aborted) {
      const concurrency = (await askServerInfo(adminSocket))?.concurrency;
      if (concurrency !== undefined) return concurrency;
      await clock.sleep(ASK_AGAIN_MS, over);
    }
    return undefined;
  }

  /** Undefined: it is not known. */
  get #wanted(): number | undefined {
    const { program, concurrency } = this.#options;
    const said = concurrency.said();
    return said && program.workers(said.concurrency);
  }
}
