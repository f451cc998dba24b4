import { join } from "node:path";
import * as z from "zod";
import { messageOf } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { MOST_THREADS } from "../../mesh/model/proxy-config.ts";
import { type Workload, type WorkloadId, workloadId } from "../../mesh/model/workload.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type * as wire from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";
import { Changes, Wake } from "../state/changes.ts";
import { quarantine, readPrivate, writePrivate } from "../state/private-files.ts";

/** What the server said of a workload's data plane. */
export interface SaidOfDataPlane {
  /** Worker threads, 256 at most; 0: one for each core; undefined: nobody says. */
  readonly concurrency: number | undefined;
}

const schema = z.array(
  z.object({ workload: z.string(), concurrency: z.number().int().min(0).max(MOST_THREADS).optional() }),
);

export interface ConcurrencySettingsOptions {
  readonly stateDir: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * What the server said last of the worker threads of the workloads of this host. It is kept on disk: a data plane that
 * starts while the server is away has as many as before.
 */
export class ConcurrencySettings {
  /** Notified when something is said otherwise. */
  readonly changes: Changes = new Changes();
  readonly #options: ConcurrencySettingsOptions;
  readonly #changed = new Wake();
  #said: ReadonlyMap<WorkloadId, SaidOfDataPlane> = new Map();
  #kept = "[]";

  constructor(options: ConcurrencySettingsOptions) {
    this.#options = options;
  }

  /** Undefined: the server has said nothing yet, not even that nobody says anything. */
  of(workload: WorkloadId): SaidOfDataPlane | undefined {
    return this.#said.get(workload);
  }

  /** Takes an answer of the server to a report of these workloads. Of those that it refuses, what it said last stays. */
  take(
    answer: readonly wire.DataPlaneSettings[],
    reported: readonly Workload[],
    refused: ReadonlyMap<WorkloadId, string>,
  ): void {
    const told = new Map(answer.map(({ workload, concurrency }) => [workload, concurrency]));
    const said = new Map<WorkloadId, SaidOfDataPlane>();
    for (const workload of reported) {
      const id = workloadId(workload);
      const concurrency = told.get(id);
      const last = this.#said.get(id);
      if (concurrency !== undefined) said.set(id, { concurrency: Math.min(concurrency, MOST_THREADS) });
      else if (!refused.has(id)) said.set(id, { concurrency });
      else if (last !== undefined) said.set(id, last);
    }
    const before = textOf(this.#said);
    this.#said = said;
    if (textOf(said) === before) return;
    this.#changed.raise();
    this.changes.notify();
  }

  /** Reads what an agent before this one kept. A file that cannot be used is put aside. */
  async load(): Promise<void> {
    const { clock, logger } = this.#options;
    try {
      const text = await readPrivate(this.#path);
      if (text === undefined) return;
      const kept = schema.parse(JSON.parse(text));
      this.#said = new Map(kept.map(({ workload, concurrency }) => [workload, { concurrency }]));
      this.#kept = text;
    } catch (error) {
      const aside = await quarantine(this.#path, clock.now()).catch(() => "nowhere");
      logger.warn("what was said last of data planes cannot be read from disk and was put aside", {
        aside,
        error: messageOf(error),
      });
    }
  }

  /**
   * Keeps what is said for the next start, until the signal is aborted: that nothing is said of workloads that leave with
   * this agent is not for the next one. A disk that is full is told about and changes nothing else.
   */
  async keep(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#changed.wait(signal);
      if (!signal.aborted) await this.#write();
    }
  }

  async #write(): Promise<void> {
    const text = textOf(this.#said);
    if (text === this.#kept) return;
    try {
      await writePrivate(this.#path, text);
      this.#kept = text;
    } catch (error) {
      this.#options.logger.error("could not keep on disk what is said of data planes", {
        error: messageOf(error),
      });
    }
  }

  get #path(): string {
    return join(this.#options.stateDir, "data-planes.json");
  }
}

function textOf(said: ReadonlyMap<WorkloadId, SaidOfDataPlane>): string {
  return JSON.stringify([...said].map(([workload, { concurrency }]) => ({ workload, concurrency })));
}
