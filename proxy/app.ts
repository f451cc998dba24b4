import { policyLog } from "../mesh/calls/policy-log.ts";
import type { Clock } from "../mesh/lifecycle/clock.ts";
import type { Logger } from "../mesh/telemetry/logger.ts";
import { VERSION } from "../mesh/version.ts";
import { AdminServer } from "./admin/admin-server.ts";
import { AdsClient } from "./ads/ads-client.ts";
import type { Bootstrap, LogLevel } from "./config.ts";
import { SecretStore } from "./data-path/tls/secret-store.ts";
import { type Resolver, systemResolver } from "./data-path/upstream/dns-endpoints.ts";
import { ProxyRuntime } from "./runtime/proxy-runtime.ts";
import { httpLogLine, tcpLogLine } from "./telemetry/access-log.ts";
import { CallLog } from "./telemetry/call-log.ts";
import { createMetrics, type ProxyMetrics } from "./telemetry/metrics/metrics.ts";
import { ownMetadata } from "./telemetry/parties/peer-metadata.ts";
import { decidedCall, decisionOf, type TrafficObserver } from "./telemetry/records.ts";
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
  /** Where access log lines go, when a listener asks for them. */
  readonly writeAccessLog?: (line: string) => void;
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
  const metrics: ProxyMetrics = createMetrics(bootstrap.node, () => ({
    clusters: runtime.clusters().map(([name, { counts }]) => ({ name, ...counts })),
    listeners: runtime.listeners.list().map(({ model, connections }) => ({ name: model.name, connections })),
    uptimeSeconds: (clock.now() - startedMs) / 1000,
    version: VERSION,
  }));
  const runtime: ProxyRuntime = new ProxyRuntime({
    secrets: new SecretStore(),
    resolve: options.resolve ?? systemResolver,
    interestsChanged: () => ads.refresh(),
    observer: withLogs(
      metrics.observer,
      policyLog(logger, clock),
      calls,
      options.writeAccessLog ?? ((line) => void process.stdout.write(line)),
    ),
    clock,
    alarms: new Alarms(() => clock.monotonic()),
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
  const telling = calls.run(running.signal);
  await ads.run(signal);
  logger.info("proxy drains", { drainMs });
  await runtime.listeners.stop();
  running.abort();
  await telling;
  logger.info("proxy stopped");
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
