import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { decisionLabels, POLICY_DECISIONS } from "../../mesh/calls/policy-decision.ts";
import { describeNode, type NodeIdentity, TRAFFIC_LABELS, trafficLabels } from "./labels.ts";
import { decisionOf, flagsText, type HttpRecord, type TcpRecord, type TrafficObserver } from "./records.ts";

/** Envoy's, so that `le` is the same across Envoy, Istio and this proxy. */
const MILLISECOND_BUCKETS = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
  3_600_000,
];

/** What is counted at the moment of a scrape. */
export interface GaugeSource {
  readonly clusters: readonly {
    readonly name: string;
    readonly connections: number;
    readonly total: number;
  }[];
  readonly listeners: readonly { readonly name: string; readonly connections: number }[];
  readonly uptimeSeconds: number;
}

export interface ProxyMetrics {
  readonly observer: TrafficObserver;
  /** Prometheus text format. */
  render(): Promise<string>;
}

/** The metrics of one proxy, in a registry of their own (a process may host several proxies). */
export function createMetrics(node: NodeIdentity, gauges: () => GaugeSource): ProxyMetrics {
  const registry = new Registry();
  const traffic = trafficMetrics(registry);
  const envoy = envoyMetrics(registry);
  const policies = new Counter({
    ...POLICY_DECISIONS,
    labelNames: [...POLICY_DECISIONS.labelNames],
    registers: [registry],
  });
  const own = describeNode(node);
  return {
    observer: {
      policyMatched(record) {
        const decision = decisionOf(record);
        if (decision !== undefined) policies.inc(decisionLabels(decision));
      },
      httpDone(record, durationMs) {
        const labels = httpLabels(own(record.ends.ownId), record);
        traffic.requests.inc(labels);
        traffic.durations.observe(labels, durationMs);
        envoy.listenerRequests.inc({ envoy_listener_address: record.ends.localAddress.replace(":", "_") });
      },
      // Counted as the policy's decision.
      tcpRefused() {},
      tcpOpened(record) {
        traffic.opened.inc(tcpLabels(own(record.ends.ownId), record));
      },
      tcpDone(record) {
        const labels = tcpLabels(own(record.ends.ownId), record);
        traffic.closed.inc(labels);
        // "Sent" is the response's direction, by Istio's tradition.
        traffic.sent.inc(labels, record.bytesSent);
        traffic.received.inc(labels, record.bytesReceived);
      },
    },
    async render() {
      envoy.collect(gauges());
      return await registry.metrics();
    },
  };
}

type OwnParty = ReturnType<ReturnType<typeof describeNode>>;

function httpLabels(own: OwnParty, record: HttpRecord): Record<string, string> {
  const flags = flagsText(record.flags);
  const protocol = record.grpcStatus === "" ? "http" : "grpc";
  return {
    ...trafficLabels(own, { ends: record.ends, upstream: record.upstream, protocol, flags }),
    response_code: String(record.status),
    grpc_response_status: record.grpcStatus,
  };
}

function tcpLabels(own: OwnParty, record: TcpRecord): Record<string, string> {
  const flags = flagsText(record.flags);
  return { ...trafficLabels(own, { ends: record.ends, upstream: record.upstream, protocol: "tcp", flags }) };
}

function trafficMetrics(registry: Registry): {
  requests: Counter;
  durations: Histogram;
  opened: Counter;
  closed: Counter;
  sent: Counter;
  received: Counter;
} {
  const httpLabelNames = [...TRAFFIC_LABELS, "response_code", "grpc_response_status"];
  const tcp = (name: string, help: string): Counter =>
    new Counter({ name, help, labelNames: [...TRAFFIC_LABELS], registers: [registry] });
  return {
    requests: new Counter({
      name: "istio_requests_total",
      help: "requests that have ended",
      labelNames: httpLabelNames,
      registers: [registry],
    }),
    durations: new Histogram({
      name: "istio_request_duration_milliseconds",
      help: "time from the request's head to the response's end",
      labelNames: httpLabelNames,
      buckets: MILLISECOND_BUCKETS,
      registers: [registry],
    }),
    opened: tcp("istio_tcp_connections_opened_total", "TCP connections that were opened"),
    closed: tcp("istio_tcp_connections_closed_total", "TCP connections that have ended"),
    sent: tcp("istio_tcp_sent_bytes_total", "bytes of TCP connections, response direction"),
    received: tcp("istio_tcp_received_bytes_total", "bytes of TCP connections, request direction"),
  };
}

/** The seven that Kiali reads, by Envoy's names. */
function envoyMetrics(registry: Registry): { listenerRequests: Counter; collect(source: GaugeSource): void } {
  const gauge = (name: string, help: string, labelNames: string[] = []): Gauge =>
    new Gauge({ name, help, labelNames, registers: [registry] });
  const uptime = gauge("envoy_server_uptime", "seconds since the start");
  const allocated = gauge("envoy_server_memory_allocated", "bytes in use");
  const heap = gauge("envoy_server_memory_heap_size", "bytes of the heap");
  const upstream = gauge("envoy_cluster_upstream_cx_active", "open upstream connections", ["cluster_name"]);
  const requests = gauge("envoy_cluster_upstream_rq_total", "upstream requests", ["cluster_name"]);
  const downstream = gauge("envoy_listener_downstream_cx_active", "open connections", [
    "envoy_listener_address",
  ]);
  const listenerRequests = new Counter({
    name: "envoy_listener_http_downstream_rq",
    help: "HTTP requests by listener",
    labelNames: ["envoy_listener_address"],
    registers: [registry],
  });
  return {
    listenerRequests,
    collect(source) {
      const memory = process.memoryUsage();
      uptime.set(source.uptimeSeconds);
      allocated.set(memory.heapUsed);
      heap.set(memory.heapTotal);
      for (const one of [upstream, requests, downstream]) one.reset();
      for (const { name, connections, total } of source.clusters) {
        upstream.set({ cluster_name: name }, connections);
        requests.set({ cluster_name: name }, total);
      }
      for (const { name, connections } of source.listeners)
        downstream.set({ envoy_listener_address: name }, connections);
    },
  };
}
