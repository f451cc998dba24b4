import {
  type BlockingQueryDeps,
  blockingQuery,
  type QueryTiming,
} from "../../../mesh/blocking/blocking-query.ts";
import { Gate } from "../../../mesh/blocking/gate.ts";
import { IndexEpoch } from "../../../mesh/blocking/index-epoch.ts";
import { TokenQueue } from "../../../mesh/blocking/token-queue.ts";
import { runTasks } from "../../../mesh/lifecycle/run-tasks.ts";
import { CatalogMirror, type RemovalTiming } from "../catalog-mirror.ts";
import { EventQueue } from "../event-queue.ts";
import type { RegistryStatus } from "../registry.ts";
import type { ServiceAnswer } from "../service-answer.ts";
import { ServiceEvents } from "../service-events.ts";
import { WatchStatus } from "../watch-status.ts";

import type { ConsulRegistryOptions } from "./consul-registry.ts";
import { parseServiceAnswer, parseServiceNames, type ScopeReading } from "./parse-answers.ts";

/** Consul is asked for at most this many whole answers at a time. */
const SET_UP_WIDTH = 16;
/** Questions that all queries together may ask without a pause: the first two of each of a thousand services. */
const ALL_AT_ONCE = 2_000;

type Deps = Omit<ConsulRegistryOptions, "timing" | "name" | "reading"> & {
  readonly timing: QueryTiming & RemovalTiming;
  readonly reading: ScopeReading;
};

/** When indexes go backwards again within this time, only the queries that notice ask anew. */
const EPOCH_REST_MS = 10_000;

interface ServiceWatch {
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

/** One watch of a catalog: a query for the names of services, and one for the instances of each. */
export class CatalogWatch {
  readonly events: EventQueue = new EventQueue();
  readonly #deps: Deps;
  readonly #query: BlockingQueryDeps;
  readonly #mirror: CatalogMirror;
  readonly #status: WatchStatus;
  readonly #told: ServiceEvents;
  readonly #watches = new Map<string, ServiceWatch>();
  readonly #answered = new Set<string>();
  #names: ReadonlySet<string> | undefined;
  #synced = false;
  #nudge = new AbortController();
  /** Aborted with an error of our own that ended a service's watch: it ends the whole. */
  readonly #defect = new AbortController();

  constructor(deps: Deps) {
    this.#deps = deps;
    const epoch = new IndexEpoch(deps.clock, EPOCH_REST_MS);
    const limit = new TokenQueue(deps.clock, ALL_AT_ONCE, deps.timing.allRefillMs);
    this.#query = { ...deps, gate: new Gate(SET_UP_WIDTH), limit, epoch };
    this.#mirror = new CatalogMirror(deps.timing);
    this.#status = new WatchStatus("consul", deps.clock, deps.logger);
    this.#told = new ServiceEvents(this.events);
  }

  get status(): RegistryStatus {
    return this.#status.current;
  }

  get problems(): readonly string[] {
    return this.#status.problems;
  }

  release(): void {
    this.#publish(this.#mirror.release());
    this.#changed();
  }

  /** Returns when the signal is aborted and every query has stopped. */
  async run(signal: AbortSignal): Promise<void> {
    await runTasks(
      AbortSignal.any([signal, this.#defect.signal]),
      (linked) => this.#watchNames(linked),
      (linked) => this.#judgeRemovals(linked),
    );
    this.#defect.signal.throwIfAborted();
  }

  async #watchNames(signal: AbortSignal): Promise<void> {
    const path = "/catalog/services";
    try {
      for await (const event of blockingQuery(this.#query, { path, parse: parseServiceNames }, signal)) {
        if (event.kind === "failed") {
          this.#status.failed(path, event.error);
        } else {
          const { names, unusable } = event.value;
          this.#status.answered(path);
          this.#status.refused(
            "",
            unusable.map((name) => `“${name}” cannot be part of a host name`),
          );
          this.#names = names;
          for (const name of names) this.#startWatch(name, signal);
        }
        this.#changed();
      }
    } finally {
      for (const { stop } of this.#watches.values()) stop.abort();
      await Promise.all([...this.#watches.values()].map(({ done }) => done));
    }
  }

  #startWatch(service: string, signal: AbortSignal): void {
    if (this.#watches.has(service)) return;
    const stop = new AbortController();
    const done = this.#watchService(service, AbortSignal.any([signal, stop.signal]))
      .catch((error: unknown) => this.#defect.abort(error))
      .finally(() => {
        this.#forget(service);
        // It was listed again while its watch was stopping.
        if (!signal.aborted && this.#names?.has(service) === true) this.#startWatch(service, signal);
      });
    this.#watches.set(service, { stop, done });
  }

  async #watchService(service: string, signal: AbortSignal): Promise<void> {
    const path = `/health/service/${encodeURIComponent(service)}`;
    const parse = (body: unknown): ServiceAnswer => parseServiceAnswer(service, body, this.#deps.reading);
    for await (const event of blockingQuery(this.#query, { path, parse }, signal)) {
      if (event.kind === "failed") {
        this.#status.failed(path, event.error);
      } else {
        const { value, rewound, recovered } = event;
        this.#status.answered(path);
        this.#status.refused(
          service,
          value.problems.map(({ instance, problem }) => `${instance}: ${problem}`),
        );
        this.#mirror.apply(service, value, { now: this.#deps.clock.monotonic(), rewound, recovered });
        this.#answered.add(service);
        this.#publish([service]);
      }
      this.#changed();
    }
  }

  #forget(service: string): void {
    this.#watches.delete(service);
    this.#answered.delete(service);
    this.#status.answered(`/health/service/${encodeURIComponent(service)}`);
    this.#status.refused(service, []);
  }

  /** Sleeps until removals are due, or until something changed. */
  async #judgeRemovals(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    while (!signal.aborted) {
      this.#nudge = new AbortController();
      const due = this.#mirror.dueAt(this.#status.failing);
      const wait = due === undefined ? 3_600_000 : due - clock.monotonic();
      if (wait > 0) await clock.sleep(wait, AbortSignal.any([signal, this.#nudge.signal]));
      const changed = this.#mirror.judge(clock.monotonic(), this.#status.failing);
      this.#publish(changed);
      if (changed.size > 0 || due !== undefined) this.#afterChange();
    }
  }

  #publish(services: Iterable<string>): void {
    for (const service of services) this.#told.tell(service, this.#mirror.instancesOf(service));
  }

  #changed(): void {
    this.#afterChange();
    this.#nudge.abort();
  }

  #afterChange(): void {
    for (const [service, { stop }] of this.#watches) {
      const over = this.#names?.has(service) === false && this.#mirror.instancesOf(service).length === 0;
      if (over && this.#answered.has(service)) stop.abort();
    }
    if (!this.#synced && this.#names !== undefined && this.#names.isSubsetOf(this.#answered)) {
      this.#synced = true;
      this.events.push({ kind: "synced" });
    }
    this.#status.update(this.#synced, this.#mirror.held, this.#mirror.size);
  }
}
