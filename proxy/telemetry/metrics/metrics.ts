import { decisionLabels, POLICY_DECISIONS } from "../../../mesh/calls/policy-decision.ts";
import { describeNode, type NodeIdentity } from "../parties/own-party.ts";
import { decisionOf, type TrafficObserver } from "../records.ts";
import { type MetricFamily, renderFamilies } from "./families.ts";
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

/** The metrics of one proxy (a process may host several). `more`: what others count, asked at each scrape. */
export function createMetrics(
  node: NodeIdentity,
  gauges: () => GaugeSource,
  more: () => readonly MetricFamily[] = () => [],
): ProxyMetrics {
  const own = describeNode(node);
  const http = new HttpSeries(own);
  const tcp = new TcpSeries(own);
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
        listenerRequests.add(record.ends.localAddress.replace(":", "_"));
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
