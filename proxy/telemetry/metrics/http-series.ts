import { requestLabels, trafficLabels } from "../parties/labels.ts";
import type { OwnParty } from "../parties/own-party.ts";
import type { Ends, HttpRecord } from "../records.ts";
import { flagsText } from "../response-flags.ts";
import { type HistogramSample, labelText, type MetricFamily, type Sample } from "./families.ts";
import { BOUNDS, Histogram } from "./histogram.ts";

/** What requests of one kind came to. */
interface Series {
  readonly labels: string;
  readonly milliseconds: Histogram;
  readonly requestBytes: Histogram;
  readonly responseBytes: Histogram;
  /** Labels of the streams' messages; undefined: it is not gRPC. */
  readonly messageLabels: string | undefined;
  requests: number;
  requestMessages: number;
  responseMessages: number;
}

/** What makes a request of one connection another kind than one before it. */
interface Kind {
  readonly cluster: string;
  readonly workload: string;
  readonly upstreamId: string | undefined;
  readonly caller: Ends["caller"];
  readonly flags: string;
  readonly status: number;
  readonly grpc: boolean;
  readonly grpcStatus: string;
  readonly series: Series;
}

/** Kinds of one connection. It has few; where it has many, they are put together anew. */
const MOST_KINDS = 32;

/**
 * Counts HTTP requests, how long they took and how large they were by Istio's labels. Labels are put together once for
 * each kind of request on a connection; what a request costs after that is a comparison.
 */
export class HttpSeries {
  readonly #own: (ownId: string | undefined) => OwnParty;
  readonly #series = new Map<string, Series>();
  readonly #byEnds = new WeakMap<Ends, Kind[]>();

  constructor(own: (ownId: string | undefined) => OwnParty) {
    this.#own = own;
  }

  add(record: HttpRecord, durationMs: number): void {
    const { series } = this.#kindOf(record);
    series.requests++;
    series.milliseconds.add(durationMs);
    series.requestBytes.add(record.bytesReceived);
    series.responseBytes.add(record.bytesSent);
    if (record.messages !== undefined) {
      series.requestMessages += record.messages.request.count;
      series.responseMessages += record.messages.response.count;
    }
  }

  families(): readonly MetricFamily[] {
    const all = [...this.#series.values()];
    const counter = (name: string, help: string, samples: readonly Sample[]): MetricFamily => {
      return { name, help, type: "counter", samples };
    };
    const histogram = (
      name: string,
      help: string,
      sample: (series: Series) => HistogramSample,
    ): MetricFamily => {
      return { name, help, type: "histogram", bounds: BOUNDS, samples: all.map(sample) };
    };
    return [
      counter(
        "istio_requests_total",
        "requests that have ended",
        all.map(({ labels, requests }) => ({ labels, value: requests })),
      ),
      histogram(
        "istio_request_duration_milliseconds",
        "time from the request's head to the response's end",
        ({ labels, milliseconds }) => milliseconds.sample(labels),
      ),
      histogram("istio_request_bytes", "bytes of requests' bodies", ({ labels, requestBytes }) =>
        requestBytes.sample(labels),
      ),
      histogram("istio_response_bytes", "bytes of responses' bodies", ({ labels, responseBytes }) =>
        responseBytes.sample(labels),
      ),
      counter(
        "istio_request_messages_total",
        "messages in gRPC requests",
        messageSamples(all, ({ requestMessages }) => requestMessages),
      ),
      counter(
        "istio_response_messages_total",
        "messages in gRPC responses",
        messageSamples(all, ({ responseMessages }) => responseMessages),
      ),
    ];
  }

  #kindOf(record: HttpRecord): Kind {
    const { ends, upstream, status, grpcStatus } = record;
    const flags = flagsText(record.flags);
    const grpc = record.messages !== undefined;
    let kinds = this.#byEnds.get(ends);
    if (kinds === undefined) this.#byEnds.set(ends, (kinds = []));
    for (const kind of kinds) {
      if (
        kind.status === status &&
        kind.cluster === upstream.cluster &&
        kind.workload === upstream.workload &&
        kind.upstreamId === upstream.id &&
        kind.caller === ends.caller &&
        kind.flags === flags &&
        kind.grpc === grpc &&
        kind.grpcStatus === grpcStatus
      )
        return kind;
    }
    const kind: Kind = {
      cluster: upstream.cluster,
      workload: upstream.workload,
      upstreamId: upstream.id,
      caller: ends.caller,
      flags,
      status,
      grpc,
      grpcStatus,
      series: this.#seriesOf(record, flags),
    };
    if (kinds.length >= MOST_KINDS) kinds.length = 0;
    kinds.push(kind);
    return kind;
  }

  #seriesOf(record: HttpRecord, flags: string): Series {
    const { ends, upstream, status, grpcStatus, messages, authority } = record;
    const own = this.#own(ends.ownId);
    const traffic = trafficLabels(own, { ends, upstream, host: authority });
    const labels = labelText({
      ...traffic,
      ...requestLabels(ends, messages === undefined ? "http" : "grpc", flags),
      response_code: String(status),
      grpc_response_status: grpcStatus,
    });
    let series = this.#series.get(labels);
    if (series === undefined) {
      series = {
        labels,
        milliseconds: new Histogram(),
        requestBytes: new Histogram(),
        responseBytes: new Histogram(),
        messageLabels: messages && labelText(traffic),
        requests: 0,
        requestMessages: 0,
        responseMessages: 0,
      };
      this.#series.set(labels, series);
    }
    return series;
  }
}

/** Messages are told apart by nothing that is of one request: their labels are fewer, so series come together. */
function messageSamples(all: readonly Series[], count: (series: Series) => number): readonly Sample[] {
  const sums = new Map<string, number>();
  for (const series of all) {
    const { messageLabels: labels } = series;
    if (labels !== undefined) sums.set(labels, (sums.get(labels) ?? 0) + count(series));
  }
  return [...sums].map(([labels, value]) => ({ labels, value }));
}
