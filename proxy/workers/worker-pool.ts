import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { JsonValue } from "../../mesh/xds/json.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import type { ShownCertificate } from "../admin/certs.ts";
import type { ClusterStatus } from "../admin/clusters.ts";
import type { Rejection, ResourceUpdate } from "../ads/ads-client.ts";
import { ALL, type Interests } from "../ads/interest.ts";
import type { Bootstrap, LogLevel } from "../config.ts";
import type { IdleConnections } from "../data-path/listener/bound-listener.ts";
import type { ListeningSocket } from "../data-path/listener/listening-sockets.ts";
import { mergeClusters } from "./merge-clusters.ts";
import { mergeMetrics } from "./merge-metrics.ts";
import { joinInterests, ofInterest, ResourceCache } from "./resource-cache.ts";
import { WorkerSlot } from "./worker-slot.ts";
import { WorkerThread } from "./worker-thread.ts";
import type { ListenerStatus, Workers } from "./workers.ts";

export interface PoolOptions {
  /** At least 2: one worker needs no thread of its own. */
  readonly concurrency: number;
  readonly bootstrap: Bootstrap;
  /** Listening sockets that were there before; each worker gets its share. */
  readonly inherited: readonly ListeningSocket[];
  /** Whether another process still has some of the ports. */
  readonly mayJoin: boolean;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly drainMs: number;
  /** Resolves when the reader has taken the lines. */
  readonly writeAccessLog: (lines: string) => Promise<void>;
  readonly interestsChanged: () => void;
}

/** Wanted whoever is there to want it. */
const ALWAYS: Interests = new Map([
  [TYPE_URL.cluster, ALL],
  [TYPE_URL.listener, ALL],
]);

/**
 * Workers in threads that share the ports. This thread keeps the one stream of configuration and hands its bytes on:
 * first to one worker, whose word decides, then to the others. What a worker asks for on demand is asked once for all.
 */
export class WorkerPool implements Workers {
  readonly #options: PoolOptions;
  readonly #slots: readonly WorkerSlot[];
  readonly #cache = new ResourceCache();
  readonly #stopping = new AbortController();
  /** Somebody is there to take configuration, or nobody will be. */
  readonly #begun = Promise.withResolvers<void>();
  readonly #running: Promise<unknown>;
  readonly #replaced = { ended: 0, hung: 0 };
  /** The last text of metrics of each, so that its counters outlive it. */
  readonly #lastMetrics = new Map<WorkerThread, string>();
  #goneMetrics = "";
  #logLevel: LogLevel;
  #draining: "inbound" | "all" | undefined;
  #mayJoin: boolean;
  #wasReady = false;

  constructor(options: PoolOptions) {
    const { concurrency, clock, random, logger } = options;
    this.#options = options;
    this.#logLevel = options.bootstrap.logLevel;
    this.#mayJoin = options.mayJoin;
    this.#slots = Array.from({ length: concurrency }, (_, index) => {
      const start = (slot: WorkerSlot, isFirst: boolean): WorkerThread => this.#start(slot, index, isFirst);
      const ended = (thread: WorkerThread, why: "ended" | "hung"): void => this.#forget(thread, why);
      return new WorkerSlot({ index, start, ended, clock, random, logger });
    });
    this.#running = Promise.all(this.#slots.map((slot) => slot.run(this.#stopping.signal)));
  }

  interests(): Interests {
    return joinInterests([ALWAYS, ...this.#slots.map(({ interests }) => interests)]);
  }

  async apply(update: ResourceUpdate): Promise<readonly Rejection[]> {
    await this.#begun.promise;
    // Ports that are given up must be free before the first worker looks whether somebody else has them.
    const removals: ResourceUpdate = { ...update, upserts: [] };
    if (update.removed.length > 0) await this.#tell(this.#slots, removals);
    this.#cache.record(removals, this.interests());
    const news: ResourceUpdate = { ...update, removed: [] };
    const first = this.#slots.find(
      ({ thread, interests }) => thread !== undefined && interests.has(update.type),
    );
    const refused = first ? await this.#tell([first], news, this.#mayJoin) : [];
    const names = new Set(refused.map(({ name }) => name));
    const accepted = { ...news, upserts: news.upserts.filter(({ name }) => !names.has(name)) };
    this.#cache.record(accepted, this.interests());
    const others = this.#slots.filter((slot) => slot !== first);
    return [...refused, ...(await this.#tell(others, accepted))];
  }

  async missing(): Promise<readonly string[]> {
    const each = await Promise.all(
      this.#slots.map(async ({ thread }, index) => {
        const missing = await thread?.ask("missing").catch(() => undefined);
        return missing ?? [`worker ${index} is being started`];
      }),
    );
    // Once all were ready, those that are left go on for the one that is being replaced.
    if (each.every((missing) => missing.length === 0)) this.#wasReady = true;
    if (this.#wasReady && each.some((missing) => missing.length === 0)) return [];
    return [...new Set(each.flat())];
  }

  async configDump(): Promise<JsonValue> {
    return await this.#ofFirst((thread) => thread.ask("configDump"));
  }

  async clusters(): Promise<readonly ClusterStatus[]> {
    return mergeClusters(await this.#ofThreads((thread) => thread.ask("clusters")));
  }

  async listeners(): Promise<readonly ListenerStatus[]> {
    return await this.#ofFirst((thread) => thread.ask("listeners"));
  }

  async metrics(): Promise<string> {
    const texts = await this.#ofThreads(async (thread) => {
      const text = await thread.ask("metrics");
      this.#lastMetrics.set(thread, text);
      return text;
    });
    return mergeMetrics([...texts, this.#ownMetrics()], [this.#goneMetrics]);
  }

  async certificates(): Promise<readonly ShownCertificate[]> {
    return await this.#ofFirst((thread) => thread.ask("certificates"));
  }

  async reopenLogs(): Promise<void> {
    await this.#ofThreads((thread) => thread.ask("reopenLogs"));
  }

  async drain(which: "inbound" | "all"): Promise<void> {
    this.#draining = which;
    await this.#ofThreads((thread) => thread.ask("drain", which));
  }

  async setLogLevel(level: LogLevel): Promise<void> {
    this.#logLevel = level;
    await this.#ofThreads((thread) => thread.ask("setLogLevel", level));
  }

  async sockets(): Promise<readonly ListeningSocket[]> {
    return (await this.#ofThreads((thread) => thread.ask("sockets"))).flat();
  }

  async settle(): Promise<void> {
    this.#mayJoin = false;
    await this.#ofThreads((thread) => thread.ask("settle"));
  }

  async stop(idle: IdleConnections): Promise<void> {
    this.#stopping.abort();
    this.#begun.resolve();
    await this.#running;
    await this.#ofThreads(async (thread) => {
      await thread.ask("stop", idle).catch(() => {});
      await thread.kill();
    });
  }

  #start(slot: WorkerSlot, index: number, isFirst: boolean): WorkerThread {
    const { bootstrap, drainMs, inherited, logger, writeAccessLog, concurrency } = this.#options;
    const share = isFirst ? inherited.filter((_, at) => at % concurrency === index) : [];
    const thread = new WorkerThread(
      { bootstrap, drainMs, logLevel: this.#logLevel, inherited: share },
      { logger, writeAccessLog, interests: (interests) => this.#interested(slot, thread, interests) },
    );
    if (this.#draining) thread.ask("drain", this.#draining).catch(() => {});
    return thread;
  }

  /** What others have been told already is told at once; the rest is asked for. */
  #interested(slot: WorkerSlot, thread: WorkerThread, interests: Interests): void {
    const news = this.#cache.news(slot.interests, interests);
    slot.interests = interests;
    this.#begun.resolve();
    this.#cache.prune(this.interests());
    for (const update of news) thread.ask("apply", update, true).catch(() => {});
    this.#options.interestsChanged();
  }

  async #tell(
    slots: readonly WorkerSlot[],
    update: ResourceUpdate,
    mayJoin = true,
  ): Promise<readonly Rejection[]> {
    const answers = await Promise.all(
      slots.map(async ({ thread, interests }) => {
        // One that ends meanwhile is told again in its next life.
        const told = thread?.ask("apply", ofInterest(update, interests.get(update.type)), mayJoin);
        return (await told?.catch(() => undefined)) ?? [];
      }),
    );
    return answers.flat();
  }

  #forget(thread: WorkerThread, why: "ended" | "hung"): void {
    this.#replaced[why]++;
    this.#goneMetrics = mergeMetrics([], [this.#goneMetrics, this.#lastMetrics.get(thread) ?? ""]);
    this.#lastMetrics.delete(thread);
  }

  #ownMetrics(): string {
    const { ended, hung } = this.#replaced;
    const replaced = "lateen_proxy_workers_replaced_total";
    return [
      "# HELP envoy_server_concurrency worker threads",
      "# TYPE envoy_server_concurrency gauge",
      `envoy_server_concurrency ${this.#options.concurrency}`,
      `# HELP ${replaced} worker threads that ended or hung, and were replaced`,
      `# TYPE ${replaced} counter`,
      `${replaced}{reason="ended"} ${ended}`,
      `${replaced}{reason="hung"} ${hung}`,
    ].join("\n");
  }

  /** Of those that are there and stay so. */
  async #ofThreads<T>(ask: (thread: WorkerThread) => Promise<T>): Promise<readonly T[]> {
    const threads = this.#slots.flatMap(({ thread }) => (thread ? [thread] : []));
    const answers = await Promise.allSettled(threads.map(ask));
    return answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
  }

  async #ofFirst<T>(ask: (thread: WorkerThread) => Promise<T>): Promise<T> {
    const thread = this.#slots.find((slot) => slot.thread !== undefined)?.thread;
    if (thread === undefined) throw new Error("no worker is there: all are being replaced");
    return await ask(thread);
  }
}
