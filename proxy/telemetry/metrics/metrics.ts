import { decisionLabels, POLICY_DECISIONS } from "../../../mesh/calls/policy-decision.ts";
import type { Logger } from "../../../mesh/telemetry/logger.ts";
import { describeNode, type NodeIdentity } from "../parties/own-party.ts";
import { decisionOf, type TrafficObserver } from "../records.ts";
import { MOST_SERIES } from "./bounded-series.ts";
import { labelText, type MetricFamily, renderFamilies } from "./families.ts";
import { HttpSeries } from "./http-series.ts";
import { type GaugeSource, serverMetrics } from "./server-metrics.ts";
import { Tally } from "./tally.ts";
import { TcpSeries } from "./tcp-series.ts";

export interface ProxyMetrics {
  readonly observer: TrafficObserver;
  /** As plain data: those of several workers can be added up. */
  families(): readonly MetricFamily[];
  /** Prometheus text format. */
  render(): string;
}

export interface MetricsOptions {
  readonly node: NodeIdentity;
  readonly logger: Logger;
  readonly gauges: () => GaugeSource;
  /** What others count, asked at each scrape. */
  readonly more: () => readonly MetricFamily[];
}

/** The metrics of one proxy (a process may host several). */
export function createMetrics({ node, logger, gauges, more }: MetricsOptions): ProxyMetrics {
  const own = describeNode(node);
  const full = (protocol: "http" | "tcp") => (): void =>
    logger.warn("there are more series of metrics than are kept: what else comes is counted in one", {
      protocol,
      mostSeries: MOST_SERIES,
      hint: 'look at the labels of istio_* series for what has so many values; reporter="overflow" is the one',
    });
  const http = new HttpSeries(own, full("http"));
  const tcp = new TcpSeries(own, full("tcp"));
  const policies = new Tally(POLICY_DECISIONS);
  const listenerRequests = new Tally({
    name: "envoy_listener_http_downstream_rq",
    help: "HTTP requests by listener",
    labelNames: ["envoy_listener_address"],
  });
  const families = (): readonly MetricFamily[] => [
    ...http.families(),
    ...tcp.families(),
    policies.family(),
    listenerRequests.family(),
    {
      name: "lateen_metrics_folded_total",
      help: "requests and connections that are counted in the series that stands for all beyond the bound",
      type: "counter",
      samples: [
        { labels: labelText({ protocol: "http" }), value: http.folded },
        { labels: labelText({ protocol: "tcp" }), value: tcp.folded },
      ],
    },
    ...serverMetrics(gauges()),
    ...more(),
  ];
  return {
    observer: {
      policyMatched(record) {
        const decision = decisionOf(record);
        if (decision === undefined) return;
        const { policy, result, enforced } = decisionLabels(decision);
        policies.add(policy, result, enforced);
      },
      httpDone(record, durationMs) {
        http.add(record, durationMs);
        listenerRequests.add(record.ends.listener);
      },
      // Counted as the policy's decision.
      tcpRefused() {},
      tcpOpened: (record) => tcp.opened(record),
      tcpDone: (record) => tcp.done(record),
    },
    families,
    render: () => renderFamilies(families()),
  };
}
