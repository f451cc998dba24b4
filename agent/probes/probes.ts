import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { ReadinessProbe } from "../../mesh/model/readiness-probe.ts";
import type { Workload, WorkloadId } from "../../mesh/model/workload.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import { Changes } from "../state/changes.ts";
import { TaskGroup } from "../state/task-group.ts";
import { type CheckOptions, runCheck } from "./run-check.ts";
import { nextVerdict, UNASKED, type Verdict } from "./verdict.ts";

/** An application that is to be asked. */
export interface Probed {
  readonly workload: Workload;
  readonly probe: ReadinessProbe;
  /** What is held of it where it was not asked before. */
  readonly before: Pick<Verdict, "healthy" | "settled">;
}

export interface ProbesOptions extends CheckOptions {
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Asked {
  readonly task: string;
  /** What it is asked, and where: another question is another task. */
  readonly question: string;
  verdict: Verdict;
}

/** Asks applications whether they are ready, each on its own and one question at a time. */
export class Probes {
  /** Notified when a verdict turns. */
  readonly changes: Changes = new Changes();
  readonly #options: ProbesOptions;
  readonly #tasks: TaskGroup;
  readonly #asked = new Map<WorkloadId, Asked>();
  #started = 0;

  constructor(options: ProbesOptions) {
    this.#options = options;
    this.#tasks = new TaskGroup((workload, error) => {
      options.logger.error("an application could not be asked", { workload, error: String(error) });
    });
  }

  /** Undefined: nobody asks it. */
  verdict(id: WorkloadId): Verdict | undefined {
    return this.#asked.get(id)?.verdict;
  }

  /** Asks these from now on, and no others. What is known of one stays when it is asked otherwise. */
  set(probed: ReadonlyMap<WorkloadId, Probed>): void {
    for (const id of this.#asked.keys()) {
      if (probed.has(id)) continue;
      this.#stop(id);
      this.#asked.delete(id);
    }
    for (const [id, one] of probed) this.#ask(id, one);
  }

  /** Asks nobody any more; returns when no question is open. */
  async stop(): Promise<void> {
    await this.#tasks.stopAll();
  }

  #ask(id: WorkloadId, one: Probed): void {
    const { ports, interception } = one.workload;
    const question = JSON.stringify({ probe: one.probe, ports, interception });
    const known = this.#asked.get(id);
    if (known?.question === question) return;
    this.#stop(id);
    this.#started += 1;
    const task = `${id} ${this.#started}`;
    const verdict = { ...(known?.verdict ?? { ...UNASKED, ...one.before }), against: 0 };
    const asked: Asked = { task, question, verdict };
    this.#asked.set(id, asked);
    this.#tasks.start(task, (signal) => this.#run(id, one, asked, signal));
  }

  #stop(id: WorkloadId): void {
    const asked = this.#asked.get(id);
    if (asked !== undefined) void this.#tasks.stop(asked.task);
  }

  async #run(id: WorkloadId, { workload, probe }: Probed, asked: Asked, signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    if (!asked.verdict.healthy) await clock.sleep(probe.initialDelayMs, signal);
    while (!signal.aborted) {
      const began = clock.monotonic();
      const outcome = await runCheck(probe, workload, this.#options, signal);
      if (signal.aborted) return;
      const before = asked.verdict;
      asked.verdict = nextVerdict(before, outcome, probe);
      const { healthy, reason } = asked.verdict;
      if (healthy !== before.healthy) {
        if (healthy) logger.info("an application is ready", { workload: id });
        else logger.warn("an application is not ready any more", { workload: id, reason });
        this.changes.notify();
      }
      await clock.sleep(probe.periodMs - (clock.monotonic() - began), signal);
    }
  }
}
