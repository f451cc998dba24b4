import { describeNode, type NodeIdentity, TRAFFIC_LABELS, trafficLabels } from "./labels.ts";
import { type Ends, flagsText, type HttpRecord } from "./records.ts";

/** Envoy's, so that `le` is the same across Envoy, Istio and this proxy. */
const MILLISECOND_BUCKETS = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
  3_600_000,
];

const LABELS = [...TRAFFIC_LABELS, "response_code", "grpc_response_status"] as const;

/** What requests of one kind came to. */
interface Series {
  /** As Prometheus wants them, without braces. */
  readonly labels: string;
  readonly buckets: Float64Array;
  requests: number;
  milliseconds: number;
}

/** What makes a request of one connection another kind than one before it. */
interface Kind {
  readonly cluster: string;
  readonly workload: string;
  readonly upstreamId: string | undefined;
  readonly flags: string;
  readonly status: number;
  readonly grpcStatus: string;
  readonly series: Series;
}

/**
 * Counts HTTP requests and their durations by Istio's labels. Labels are put together once for each kind of request on
 * a connection; what a request costs after that is a comparison.
 */
export class HttpSeries {
  readonly #own: ReturnType<typeof describeNode>;
  readonly #series = new Map<string, Series>();
  readonly #byEnds = new WeakMap<Ends, Kind[]>();

  constructor(node: NodeIdentity) {
    this.#own = describeNode(node);
  }

  add(record: HttpRecord, durationMs: number): void {
    const { series } = this.#kindOf(record);
    series.requests++;
    series.milliseconds += durationMs;
    let bucket = 0;
    while (bucket < MILLISECOND_BUCKETS.length && durationMs > (MILLISECOND_BUCKETS[bucket] ?? 0)) bucket++;
    series.buckets[bucket] = (series.buckets[bucket] ?? 0) + 1;
  }

  /** Prometheus text format. */
  render(): string {
    const requests: string[] = [];
    const durations: string[] = [];
    for (const { labels, requests: count, buckets, milliseconds } of this.#series.values()) {
      requests.push(`istio_requests_total{${labels}} ${count}`);
      let sum = 0;
      for (const [index, limit] of [...MILLISECOND_BUCKETS, "+Inf"].entries()) {
        sum += buckets[index] ?? 0;
        durations.push(`istio_request_duration_milliseconds_bucket{le="${limit}",${labels}} ${sum}`);
      }
      durations.push(`istio_request_duration_milliseconds_sum{${labels}} ${milliseconds}`);
      durations.push(`istio_request_duration_milliseconds_count{${labels}} ${count}`);
    }
    return [
      "# HELP istio_requests_total requests that have ended",
      "# TYPE istio_requests_total counter",
      ...requests,
      "",
      "# HELP istio_request_duration_milliseconds time from the request's head to the response's end",
      "# TYPE istio_request_duration_milliseconds histogram",
      ...durations,
      "",
    ].join("\n");
  }

  #kindOf(record: HttpRecord): Kind {
    const { ends, upstream, status, grpcStatus } = record;
    const flags = flagsText(record.flags);
    let kinds = this.#byEnds.get(ends);
    if (kinds === undefined) this.#byEnds.set(ends, (kinds = []));
    for (const kind of kinds) {
      if (
        kind.status === status &&
        kind.cluster === upstream.cluster &&
        kind.workload === upstream.workload &&
        kind.upstreamId === upstream.id &&
        kind.flags === flags &&
        kind.grpcStatus === grpcStatus
      )
        return kind;
    }
    const kind: Kind = {
      cluster: upstream.cluster,
      workload: upstream.workload,
      upstreamId: upstream.id,
      flags,
      status,
      grpcStatus,
      series: this.#seriesOf(record, flags),
    };
    // A connection has few kinds; where it has many, they are put together anew.
    if (kinds.length >= MOST_KINDS) kinds.length = 0;
    kinds.push(kind);
    return kind;
  }

  #seriesOf({ ends, upstream, status, grpcStatus }: HttpRecord, flags: string): Series {
    const protocol = grpcStatus === "" ? "http" : "grpc";
    const values: Record<(typeof LABELS)[number], string> = {
      ...trafficLabels(this.#own(ends.ownId), { ends, upstream, protocol, flags }),
      response_code: String(status),
      grpc_response_status: grpcStatus,
    };
    const labels = LABELS.map((name) => `${name}="${escaped(values[name])}"`).join(",");
    let series = this.#series.get(labels);
    if (series === undefined) {
      series = {
        labels,
        buckets: new Float64Array(MILLISECOND_BUCKETS.length + 1),
        requests: 0,
        milliseconds: 0,
      };
      this.#series.set(labels, series);
    }
    return series;
  }
}

const MOST_KINDS = 32;

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}
