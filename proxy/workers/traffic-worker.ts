import { policyLog } from "../../mesh/calls/policy-log.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { JsonValue } from "../../mesh/xds/json.ts";
import { type ClusterStatus, clusterStatus } from "../admin/clusters.ts";
import { configDump } from "../admin/config-dump.ts";
import type { Rejection, ResourceUpdate } from "../ads/ads-client.ts";
import type { Interests } from "../ads/interest.ts";
import type { Bootstrap, LogLevel } from "../config.ts";
import type { IdleConnections } from "../data-path/listener/bound-listener.ts";
import type { ListeningSocket, ListeningSockets } from "../data-path/listener/listening-sockets.ts";
import { SecretStore } from "../data-path/tls/secret-store.ts";
import type { Resolver } from "../data-path/upstream/dns-endpoints.ts";
import { ProxyRuntime } from "../runtime/proxy-runtime.ts";
import { httpLogLine, tcpLogLine } from "../telemetry/access-log.ts";
import { CallLog } from "../telemetry/call-log.ts";
import { createMetrics, type ProxyMetrics } from "../telemetry/metrics.ts";
import { decidedCall, decisionOf, type TrafficObserver } from "../telemetry/records.ts";
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
  readonly writeAccessLog: (line: string) => void;
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
  readonly #running = new AbortController();
  readonly #telling: Promise<void>;

  constructor(options: WorkerOptions) {
    const { bootstrap, clock, logger } = options;
    const startedMs = clock.now();
    const calls = new CallLog({ socketPath: bootstrap.xdsSocket, node: bootstrap.node, clock });
    this.#options = options;
    this.#metrics = createMetrics(bootstrap.node, () => ({
      clusters: this.#runtime.clusters().map(([name, { counts }]) => ({ name, ...counts })),
      listeners: this.#runtime.listeners
        .list()
        .map(({ model, connections }) => ({ name: model.name, connections })),
      uptimeSeconds: (clock.now() - startedMs) / 1000,
    }));
    this.#runtime = new ProxyRuntime({
      ...options,
      secrets: new SecretStore(),
      observer: withLogs(this.#metrics.observer, policyLog(logger, clock), calls, options.writeAccessLog),
      alarms: new Alarms(() => clock.monotonic()),
      signal: this.#running.signal,
    });
    this.#telling = calls.run(this.#running.signal);
  }

  get connections(): number {
    return this.#runtime.listeners.list().reduce((sum, { connections }) => sum + connections, 0);
  }

  interests(): Interests {
    return this.#runtime.interests();
  }

  /** `mayJoin`: another worker of this proxy has ports that are bound by this update. */
  async apply(update: ResourceUpdate, mayJoin?: boolean): Promise<readonly Rejection[]> {
    if (mayJoin !== undefined) this.#options.sockets.mayJoin = mayJoin;
    return await this.#runtime.apply(update);
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

  async metrics(): Promise<string> {
    return await this.#metrics.render();
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
    await this.#runtime.listeners.stop(idle);
    this.#running.abort();
    await this.#telling;
    this.#runtime.close();
  }
}

function withLogs(
  metrics: TrafficObserver,
  logPolicy: ReturnType<typeof policyLog>,
  calls: Pick<CallLog, "http" | "tcp">,
  write: (line: string) => void,
): TrafficObserver {
  return {
    policyMatched(record) {
      metrics.policyMatched(record);
      const decision = decisionOf(record);
      if (decision !== undefined) logPolicy(decision, decidedCall(record));
    },
    httpDone(record, durationMs, logs) {
      metrics.httpDone(record, durationMs, logs);
      if (logs.calls) calls.http(record);
      if (logs.stdout) write(httpLogLine(record, durationMs));
    },
    tcpRefused(ends, logs) {
      if (logs.calls) calls.tcp(ends, "rbac_access_denied");
    },
    tcpOpened: (record) => metrics.tcpOpened(record),
    tcpDone(record, durationMs, logs) {
      metrics.tcpDone(record, durationMs, logs);
      if (logs.calls) calls.tcp(record.ends, "");
      if (logs.stdout) write(tcpLogLine(record, durationMs));
    },
  };
}
