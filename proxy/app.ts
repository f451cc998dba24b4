import { policyLog } from "../mesh/calls/policy-log.ts";
import type { Clock } from "../mesh/lifecycle/clock.ts";
import type { Logger } from "../mesh/telemetry/logger.ts";
import { VERSION } from "../mesh/version.ts";
import { AdminServer } from "./admin/admin-server.ts";
import { AdsClient } from "./ads/ads-client.ts";
import type { Bootstrap, LogLevel } from "./config.ts";
import { meshCollector } from "./data-path/mesh-collector.ts";
import { SecretStore } from "./data-path/tls/secret-store.ts";
import { type Resolver, systemResolver } from "./data-path/upstream/dns-endpoints.ts";
import { ProxyRuntime } from "./runtime/proxy-runtime.ts";
import { CallLog } from "./telemetry/access-log/call-log.ts";
import { LogSinks } from "./telemetry/access-log/log-sinks.ts";
import { createMetrics, type ProxyMetrics } from "./telemetry/metrics/metrics.ts";
import { observeTraffic } from "./telemetry/observer.ts";
import { ownMetadata } from "./telemetry/parties/peer-metadata.ts";
import { SpanSinks } from "./telemetry/tracing/span-sinks.ts";
import { Alarms } from "./transport/alarms.ts";

export interface ProxyOptions {
  readonly logger: Logger;
  readonly clock: Clock;
  /** Aborted: stop accepting, let requests come to their end for `drainMs`, then cut. */
  readonly signal: AbortSignal;
  readonly drainMs: number;
  /** Of [0, 1): weights, balancing, jitter. */
  readonly random?: () => number;
  /** Looks up names; the system's resolver unless it is given. */
  readonly resolve?: Resolver;
  /** Where lines of access logs to standard output go. */
  readonly writeAccessLog?: (lines: string) => void;
  /** Lets `/logging` change the level. */
  readonly setLogLevel?: (level: LogLevel) => void;
}

/** Runs one proxy until the signal is aborted and its connections are drained. Several may run in one process. */
export async function runProxy(bootstrap: Bootstrap, options: ProxyOptions): Promise<void> {
  const { clock, signal, drainMs } = options;
  const logger = options.logger.child("proxy");
  const random = options.random ?? Math.random;
  const startedMs = clock.now();
  const running = new AbortController();
  await using cleanup = new AsyncDisposableStack();
  const calls = new CallLog({ socketPath: bootstrap.xdsSocket, node: bootstrap.node, clock });
  const metrics: ProxyMetrics = createMetrics(
    bootstrap.node,
    () => ({
      clusters: runtime.clusters().map(([name, { counts }]) => ({ name, ...counts })),
      listeners: runtime.listeners
        .list()
        .map(({ model, connections }) => ({ name: model.name, connections })),
      uptimeSeconds: (clock.now() - startedMs) / 1000,
      version: VERSION,
    }),
    () => [...sinks.families(), ...spans.families()],
  );
  const alarms = new Alarms(() => clock.monotonic());
  const collector = meshCollector({
    tables: { cluster: (name) => runtime.cluster(name) },
    random,
    alarms,
  });
  const spans: SpanSinks = new SpanSinks({ collector, clock, service: bootstrap.node.cluster });
  const sinks: LogSinks = new LogSinks({
    node: bootstrap.node,
    collector,
    clock,
    logger,
    writeStdout: options.writeAccessLog ?? ((text) => void process.stdout.write(text)),
  });
  const secrets = new SecretStore();
  const runtime: ProxyRuntime = new ProxyRuntime({
    secrets,
    resolve: options.resolve ?? systemResolver,
    interestsChanged: () => ads.refresh(),
    observer: observeTraffic(metrics.observer, policyLog(logger, clock), calls),
    sinks,
    spans,
    clock,
    alarms,
    random,
    introduction: ownMetadata(bootstrap.node),
    logger,
    drainMs,
    signal: running.signal,
  });
  cleanup.use(
    await AdminServer.start({
      bootstrap,
      runtime,
      metrics,
      certificates: () => secrets.shown(),
      reopenLogs: async () => await sinks.reopen(),
      startedMs,
      nowMs: () => clock.now(),
      draining: () => signal.aborted,
      setLogLevel: options.setLogLevel,
    }),
  );
  cleanup.defer(() => runtime.close());
  const ads: AdsClient = new AdsClient({
    socketPath: bootstrap.xdsSocket,
    node: { ...bootstrap.node, metadata: { ...bootstrap.node.metadata } },
    sink: runtime,
    clock,
    random,
    logger,
  });
  logger.info("proxy started", { node: bootstrap.node.id });
  const telling = Promise.all([
    calls.run(running.signal),
    sinks.run(running.signal),
    spans.run(running.signal),
  ]);
  await ads.run(signal);
  logger.info("proxy drains", { drainMs });
  await runtime.listeners.stop();
  running.abort();
  await telling;
  logger.info("proxy stopped");
}
