import { policyLog } from "../../mesh/calls/policy-log.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { Slices } from "../../mesh/lifecycle/slices.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import { VERSION } from "../../mesh/version.ts";
import type { JsonValue } from "../../mesh/xds/json.ts";
import type { ShownCertificate } from "../admin/certs.ts";
import { type ClusterStatus, clusterStatus } from "../admin/clusters.ts";
import { configDump } from "../admin/config-dump.ts";
import type { Rejection, ResourceUpdate } from "../ads/ads-client.ts";
import type { Interests } from "../ads/interest.ts";
import type { Bootstrap, LogLevel } from "../config.ts";
import type { IdleConnections } from "../data-path/listener/bound-listener.ts";
import type { ListeningSocket, ListeningSockets } from "../data-path/listener/listening-sockets.ts";
import { meshCollector } from "../data-path/mesh-collector.ts";
import { SecretStore } from "../data-path/tls/secret-store.ts";
import type { Resolver } from "../data-path/upstream/dns-endpoints.ts";
import { ProxyRuntime } from "../runtime/proxy-runtime.ts";
import { CallLog } from "../telemetry/access-log/call-log.ts";
import { LogSinks } from "../telemetry/access-log/log-sinks.ts";
import { createMetrics, type ProxyMetrics } from "../telemetry/metrics/metrics.ts";
import { observeTraffic } from "../telemetry/observer.ts";
import { ownMetadata } from "../telemetry/parties/peer-metadata.ts";
import { SpanSinks } from "../telemetry/tracing/span-sinks.ts";
import { Alarms } from "../transport/alarms.ts";
import type { ListenerStatus, Workers } from "./workers.ts";

export interface WorkerOptions {
  readonly bootstrap: Bootstrap;
  readonly sockets: ListeningSockets;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  readonly resolve: Resolver;
  readonly drainMs: number;
  /** Resolves when the reader has taken the lines. */
  readonly writeAccessLog: (lines: string) => Promise<void>;
  /** Called when a request makes something wanted that was not. */
  readonly interestsChanged: () => void;
}

/**
 * One thread's share of a proxy: listeners, upstreams, and what they count. Circuit breakers, rate limits and pools are
 * its own.
 */
export class TrafficWorker implements Workers {
  readonly #options: WorkerOptions;
  readonly #runtime: ProxyRuntime;
  readonly #metrics: ProxyMetrics;
  readonly #secrets = new SecretStore();
  readonly #sinks: LogSinks;
  readonly #running = new AbortController();
  /** Aborted: no more configuration is taken. */
  readonly #taking = new AbortController();
  #taken: Promise<unknown> = Promise.resolve();
  readonly #telling: Promise<unknown>;

  constructor(options: WorkerOptions) {
    const { bootstrap, clock, logger, random } = options;
    const { node } = bootstrap;
    const startedMs = clock.now();
    const alarms = new Alarms(() => clock.monotonic());
    const calls = new CallLog({ socketPath: bootstrap.xdsSocket, node, clock });
    const collector = meshCollector({
      tables: { cluster: (name) => this.#runtime.cluster(name) },
      random,
      alarms,
    });
    const spans = new SpanSinks({ collector, clock, logger, service: node.cluster });
    this.#options = options;
    this.#sinks = new LogSinks({ node, collector, clock, logger, writeStdout: options.writeAccessLog });
    this.#metrics = createMetrics({
      node,
      logger,
      gauges: () => ({
        clusters: this.#runtime.clusters().map(([name, { counts }]) => ({ name, ...counts })),
        listeners: this.#runtime.listeners
          .list()
          .map(({ model, connections }) => ({ name: model.name, connections })),
        uptimeSeconds: (clock.now() - startedMs) / 1000,
        version: VERSION,
      }),
      more: () => [...this.#sinks.families(), ...spans.families()],
    });
    this.#runtime = new ProxyRuntime({
      ...options,
      secrets: this.#secrets,
      observer: observeTraffic(this.#metrics.observer, policyLog(logger, clock), calls),
      sinks: this.#sinks,
      spans,
      introduction: ownMetadata(node),
      alarms,
      signal: this.#running.signal,
      slices: new Slices({ now: () => clock.monotonic() }),
    });
    const { signal } = this.#running;
    this.#telling = Promise.all([calls.run(signal), this.#sinks.run(signal), spans.run(signal)]);
  }

  get connections(): number {
    return this.#runtime.listeners.list().reduce((sum, { connections }) => sum + connections, 0);
  }

  interests(): Interests {
    return this.#runtime.interests();
  }

  /**
   * One at a time. Rejects when the worker is stopped meanwhile. `mayJoin`: another worker of this proxy has ports that
   * are bound by this update.
   */
  async apply(update: ResourceUpdate, mayJoin?: boolean): Promise<readonly Rejection[]> {
    if (mayJoin !== undefined) this.#options.sockets.mayJoin = mayJoin;
    const rejections = this.#runtime.apply(update, this.#taking.signal);
    this.#taken = rejections.catch(() => {});
    return await rejections;
  }

  missing(): readonly string[] {
    return this.#runtime.missing();
  }

  configDump(): JsonValue {
    return configDump(this.#runtime, this.#options.bootstrap);
  }

  clusters(): readonly ClusterStatus[] {
    return this.#runtime.clusters().map(([name, cluster]) => clusterStatus(name, cluster));
  }

  listeners(): readonly ListenerStatus[] {
    return this.#runtime.listeners
      .list()
      .map(({ model: { name, address, port } }) => ({ name, address, port }));
  }

  metrics(): string {
    return this.#metrics.render();
  }

  certificates(): readonly ShownCertificate[] {
    return this.#secrets.shown();
  }

  async reopenLogs(): Promise<void> {
    await this.#sinks.reopen();
  }

  drain(which: "inbound" | "all"): void {
    this.#runtime.listeners.drain(which);
  }

  /** The logger leaves them out by itself. */
  setLogLevel(_least: LogLevel): void {}

  sockets(): readonly ListeningSocket[] {
    return this.#runtime.listeners.sockets();
  }

  settle(): void {
    const { sockets } = this.#options;
    sockets.closeUnclaimed();
    sockets.mayJoin = false;
  }

  async stop(idle: IdleConnections): Promise<void> {
    this.#taking.abort();
    await this.#taken;
    await this.#runtime.listeners.stop(idle);
    this.#running.abort();
    await this.#telling;
    this.#runtime.close();
  }
}
