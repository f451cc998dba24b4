import { readdirSync } from "node:fs";
import { labelText, type MetricFamily, type Sample } from "./families.ts";

/** What is counted at the moment of a scrape. */
export interface GaugeSource {
  readonly clusters: readonly {
    readonly name: string;
    readonly connections: number;
    readonly total: number;
  }[];
  readonly listeners: readonly { readonly name: string; readonly connections: number }[];
  readonly uptimeSeconds: number;
  readonly version: string;
}

/** What Kiali reads of Envoy, by Envoy's names, and of the process, by Prometheus' names. */
export function serverMetrics(source: GaugeSource): readonly MetricFamily[] {
  const memory = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  return [
    gauge("istio_build", "version of the data plane", [
      { labels: labelText({ component: "proxy", tag: source.version }), value: 1 },
    ]),
    gauge("envoy_server_uptime", "seconds since the start", plain(source.uptimeSeconds)),
    gauge("envoy_server_memory_allocated", "bytes in use", plain(memory.heapUsed)),
    gauge("envoy_server_memory_heap_size", "bytes of the heap", plain(memory.heapTotal)),
    gauge(
      "envoy_cluster_upstream_cx_active",
      "open upstream connections",
      source.clusters.map(({ name, connections }) => {
        return { labels: labelText({ cluster_name: name }), value: connections };
      }),
    ),
    {
      ...gauge(
        "envoy_cluster_upstream_rq_total",
        "upstream requests",
        source.clusters.map(({ name, total }) => ({
          labels: labelText({ cluster_name: name }),
          value: total,
        })),
      ),
      type: "counter",
    },
    gauge(
      "envoy_listener_downstream_cx_active",
      "open connections",
      source.listeners.map(({ name, connections }) => {
        return { labels: labelText({ envoy_listener_address: name }), value: connections };
      }),
    ),
    {
      ...gauge("process_cpu_seconds_total", "processor time", plain((user + system) / 1e6)),
      type: "counter",
    },
    gauge("process_resident_memory_bytes", "resident memory", plain(memory.rss)),
    gauge("process_open_fds", "open file descriptors", plain(openDescriptors())),
  ];
}

type Plain = Extract<MetricFamily, { type: "counter" | "gauge" }>;

function gauge(name: string, help: string, samples: readonly Sample[]): Plain {
  return { name, help, type: "gauge", samples };
}

function plain(value: number): readonly Sample[] {
  return [{ labels: "", value }];
}

function openDescriptors(): number {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return 0;
  }
}
