import { Counter, Gauge, Registry } from "prom-client";
import { decisionLabels, POLICY_DECISIONS } from "../../mesh/calls/policy-decision.ts";
import { HttpSeries } from "./http-series.ts";
import { describeNode, type NodeIdentity, TRAFFIC_LABELS, trafficLabels } from "./labels.ts";
import { decisionOf, flagsText, type TcpRecord, type TrafficObserver } from "./records.ts";
import { tally } from "./tally.ts";

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
  const policies = tally(registry, POLICY_DECISIONS);
  const listenerRequests = tally(registry, {
    name: "envoy_listener_http_downstream_rq",
    help: "HTTP requests by listener",
    labelNames: ["envoy_listener_address"],
  });
  const http = new HttpSeries(node);
  const own = describeNode(node);
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
      return `${http.render()}\n${await registry.metrics()}`;
    },
  };
}

type OwnParty = ReturnType<ReturnType<typeof describeNode>>;

function tcpLabels(own: OwnParty, record: TcpRecord): Record<string, string> {
  const flags = flagsText(record.flags);
  return { ...trafficLabels(own, { ends: record.ends, upstream: record.upstream, protocol: "tcp", flags }) };
}

function trafficMetrics(registry: Registry): {
  opened: Counter;
  closed: Counter;
  sent: Counter;
  received: Counter;
} {
  const tcp = (name: string, help: string): Counter =>
    new Counter({ name, help, labelNames: [...TRAFFIC_LABELS], registers: [registry] });
  return {
    opened: tcp("istio_tcp_connections_opened_total", "TCP connections that were opened"),
    closed: tcp("istio_tcp_connections_closed_total", "TCP connections that have ended"),
    sent: tcp("istio_tcp_sent_bytes_total", "bytes of TCP connections, response direction"),
    received: tcp("istio_tcp_received_bytes_total", "bytes of TCP connections, request direction"),
  };
}

/** The seven that Kiali reads, by Envoy's names. */
function envoyMetrics(registry: Registry): { collect(source: GaugeSource): void } {
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
  return {
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
