import { MeshError, messageOf } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { JsonValue } from "../../mesh/xds/json.ts";
import type { ShownCertificate } from "../admin/certs.ts";
import type { ClusterStatus } from "../admin/clusters.ts";
import type { Rejection, ResourceUpdate } from "../ads/ads-client.ts";
import type { Interests } from "../ads/interest.ts";
import type { Bootstrap, LogLevel } from "../config.ts";
import type { IdleConnections } from "../data-path/listener/bound-listener.ts";
import type { ListeningSocket } from "../data-path/listener/listening-sockets.ts";
import { inTime } from "./in-time.ts";
import { InheritedShare } from "./inherited-share.ts";
import { mergeClusters } from "./merge-clusters.ts";
import { mergeMetrics } from "./merge-metrics.ts";
import { ToldConfiguration } from "./told-configuration.ts";
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

/** Agents wait a second to hear whether a proxy is ready, and two for anything else. */
const READY_MS = 750;
const ANSWER_MS = 1_500;
/** For what may be large, and is people's to read. */
const DUMP_MS = 5_000;
/** After its drain time, for what it has to tell of its last connections. */
const LAST_WORDS_MS = 2_000;

/**
 * Workers in threads that share the ports. This thread keeps the one stream of configuration and hands its bytes on.
 * What a worker asks for on demand is asked once for all.
 */
export class WorkerPool implements Workers {
  readonly #options: PoolOptions;
  readonly #slots: readonly WorkerSlot[];
  readonly #configuration: ToldConfiguration;
  readonly #shares: readonly InheritedShare[];
  readonly #stopping = new AbortController();
  /** Somebody is there to take configuration, or nobody will be. */
  readonly #begun = Promise.withResolvers<void>();
  readonly #running: Promise<unknown>;
  readonly #replaced = { ended: 0, hung: 0 };
  /** The last text of metrics of each, so that its counters outlive it, and its silence. */
  readonly #lastMetrics = new Map<WorkerThread, string>();
  #goneMetrics = "";
  #logLevel: LogLevel;
  #draining: "inbound" | "all" | undefined;
  #mayJoin: boolean;
  #wasReady = false;

  constructor(options: PoolOptions) {
    const { clock, random, logger } = options;
    this.#options = options;
    this.#logLevel = options.bootstrap.logLevel;
    this.#mayJoin = options.mayJoin;
    const shares = sharesOf(options);
    this.#shares = shares;
    this.#slots = shares.map((share, index) => {
      const start = (slot: WorkerSlot): WorkerThread => this.#start(slot, share);
      const ended = (thread: WorkerThread, why: "ended" | "hung"): void => this.#forget(thread, share, why);
      return new WorkerSlot({ index, start, ended, clock, random, logger });
    });
    this.#configuration = new ToldConfiguration(this.#slots);
    this.#running = Promise.all(this.#slots.map((slot) => slot.run(this.#stopping.signal)));
  }

  interests(): Interests {
    return this.#configuration.interests();
  }

  async apply(update: ResourceUpdate): Promise<readonly Rejection[]> {
    await this.#begun.promise;
    return await this.#configuration.apply(update, this.#mayJoin);
  }

  async missing(): Promise<readonly string[]> {
    const each = await Promise.all(
      this.#slots.map(async ({ thread, answers }, index) => {
        if (thread === undefined) return [`worker ${index} is being started`];
        const missing = answers
          ? await this.#within(READY_MS, thread.ask("missing")).catch(() => undefined)
          : undefined;
        return missing ?? [`worker ${index} does not answer`];
      }),
    );
    // Once all were ready, those that are left go on for the one that is being replaced.
    if (each.every((missing) => missing.length === 0)) this.#wasReady = true;
    if (this.#wasReady && each.some((missing) => missing.length === 0)) return [];
    return [...new Set(each.flat())];
  }

  async configDump(): Promise<JsonValue> {
    return await this.#ofOne((thread) => thread.ask("configDump"));
  }

  async clusters(): Promise<readonly ClusterStatus[]> {
    return mergeClusters(await this.#ofThreads((thread) => thread.ask("clusters"), this.#awake()));
  }

  async listeners(): Promise<readonly ListenerStatus[]> {
    return await this.#ofOne((thread) => thread.ask("listeners"));
  }

  async metrics(): Promise<string> {
    await this.#ofThreads(
      async (thread) => void this.#lastMetrics.set(thread, await thread.ask("metrics")),
      this.#awake(),
    );
    // Of one that is silent, what it counted before; one that has ended meanwhile is among those that are gone.
    const texts = this.#lastMetrics.values();
    return mergeMetrics([...texts, this.#ownMetrics()], [this.#goneMetrics]);
  }

  async certificates(): Promise<readonly ShownCertificate[]> {
    return await this.#ofOne((thread) => thread.ask("certificates"));
  }

  async reopenLogs(): Promise<void> {
    await this.#ofThreads((thread) => thread.ask("reopenLogs"));
  }

  async drain(which: "inbound" | "all"): Promise<void> {
    if (this.#draining !== "all") this.#draining = which;
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
    for (const [index, { thread }] of this.#slots.entries())
      if (thread === undefined) this.#shares[index]?.close();
    await this.#ofThreads((thread) => thread.ask("settle"));
  }

  async stop(idle: IdleConnections): Promise<void> {
    this.#stopping.abort();
    this.#begun.resolve();
    await this.#running;
    const { drainMs, clock, logger } = this.#options;
    await Promise.all(
      this.#threads().map(async (thread) => {
        await inTime(thread.ask("stop", idle), drainMs + LAST_WORDS_MS, clock).catch((error: unknown) => {
          logger.warn("a worker did not stop by itself and is ended", { reason: messageOf(error) });
        });
        await thread.kill();
      }),
    );
  }

  #start(slot: WorkerSlot, share: InheritedShare): WorkerThread {
    const { bootstrap, drainMs, logger, writeAccessLog } = this.#options;
    const thread = new WorkerThread(
      { bootstrap, drainMs, logLevel: this.#logLevel, inherited: share.left },
      { logger, writeAccessLog, interests: (interests) => this.#interested(slot, thread, interests) },
    );
    if (this.#draining) thread.ask("drain", this.#draining).catch(() => {});
    return thread;
  }

  #interested(slot: WorkerSlot, thread: WorkerThread, interests: Interests): void {
    this.#configuration.interested(slot, thread, interests);
    this.#begun.resolve();
    this.#options.interestsChanged();
  }

  #forget(thread: WorkerThread, share: InheritedShare, why: "ended" | "hung"): void {
    this.#replaced[why]++;
    // Until the former process is gone it accepts from them as well, and who comes next will.
    if (!this.#mayJoin) share.close();
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

  /** Of those that answer soon. */
  async #ofThreads<T>(
    ask: (thread: WorkerThread) => Promise<T>,
    threads: readonly WorkerThread[] = this.#threads(),
  ): Promise<readonly T[]> {
    const answers = await Promise.allSettled(threads.map((thread) => this.#within(ANSWER_MS, ask(thread))));
    return answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
  }

  /** Of the first that answers. */
  async #ofOne<T>(ask: (thread: WorkerThread) => Promise<T>): Promise<T> {
    let silence: unknown = new MeshError("internal", "ask a worker: none is there that answers");
    for (const thread of this.#awake()) {
      try {
        return await this.#within(DUMP_MS, ask(thread));
      } catch (error) {
        silence = error;
      }
    }
    throw silence;
  }

  #threads(): readonly WorkerThread[] {
    return this.#slots.flatMap(({ thread }) => (thread ? [thread] : []));
  }

  /** Those that are not known to stand still. */
  #awake(): readonly WorkerThread[] {
    return this.#slots.flatMap(({ thread, answers }) => (thread && answers ? [thread] : []));
  }

  async #within<T>(ms: number, answer: Promise<T>): Promise<T> {
    return await inTime(answer, ms, this.#options.clock);
  }
}

/** Dealt out port by port, so that no worker has two sockets of one while another has none. */
function sharesOf({ inherited, concurrency }: PoolOptions): readonly InheritedShare[] {
  const shares = Array.from({ length: concurrency }, (): ListeningSocket[] => []);
  const next = new Map<string, number>();
  for (const socket of inherited) {
    const place = `${socket.address}|${socket.port}`;
    const at = next.get(place) ?? next.size;
    next.set(place, at + 1);
    shares[at % concurrency]?.push(socket);
  }
  return shares.map((share) => new InheritedShare(share));
}
