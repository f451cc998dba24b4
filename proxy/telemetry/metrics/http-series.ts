import { OVERFLOW, requestLabels, trafficLabels } from "../parties/labels.ts";
import type { OwnParty } from "../parties/own-party.ts";
import type { Ends, HttpRecord, UpstreamEnd } from "../records.ts";
import { flagsText } from "../response-flags.ts";
import { BoundedSeries } from "./bounded-series.ts";
import { type HistogramSample, labelText, type MetricFamily, type Sample } from "./families.ts";
import { BOUNDS, Histogram } from "./histogram.ts";

/** What requests of one kind came to. */
interface Series {
  readonly labels: string;
  readonly milliseconds: Histogram;
  readonly requestBytes: Histogram;
  readonly responseBytes: Histogram;
  /** Labels of the streams' messages; undefined: it is not gRPC. */
  messageLabels: string | undefined;
  requests: number;
  requestMessages: number;
  responseMessages: number;
}

/** What makes a request of one connection another kind than one before it. */
interface Kind {
  readonly cluster: string;
  readonly service: UpstreamEnd["service"];
  readonly workload: string;
  readonly upstreamId: string | undefined;
  readonly caller: Ends["caller"];
  readonly flags: string;
  readonly status: number;
  readonly grpc: boolean;
  readonly grpcStatus: number | undefined;
  readonly series: Series;
}

/** Of gRPC's own. */
const LAST_STATUS = 16;
/** Kinds of one connection. It has few; where it has many, they are put together anew. */
const MOST_KINDS = 32;

/**
 * Counts HTTP requests, how long they took and how large they were by Istio's labels. Labels are put together once for
 * each kind of request on a connection; what a request costs after that is a comparison.
 */
export class HttpSeries {
  readonly #own: (ownId: string | undefined) => OwnParty;
  readonly #series: BoundedSeries<Series>;
  readonly #byEnds = new WeakMap<Ends, Kind[]>();

  /** `full` is called once, when there is no room for another series. */
  constructor(own: (ownId: string | undefined) => OwnParty, full: () => void) {
    this.#own = own;
    this.#series = new BoundedSeries({
      create: newSeries,
      overflow: () => ({
        ...newSeries(labelText(OVERFLOW.http)),
        messageLabels: labelText(OVERFLOW.messages),
      }),
      full,
    });
  }

  /** Requests that are counted in the series that stands for many. */
  get folded(): number {
    return this.#series.overflow?.requests ?? 0;
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
    const all = this.#series.all();
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
        kind.service === upstream.service &&
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
      service: upstream.service,
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
    const { ends, upstream, status, grpcStatus, messages } = record;
    const traffic = trafficLabels(this.#own(ends.ownId), { ends, upstream });
    const labels = labelText({
      ...traffic,
      ...requestLabels(ends, messages === undefined ? "http" : "grpc", flags),
      response_code: String(status),
      grpc_response_status: messages === undefined ? "" : statusLabel(grpcStatus),
    });
    const series = this.#series.at(labels);
    if (messages !== undefined) series.messageLabels ??= labelText(traffic);
    return series;
  }
}

function newSeries(labels: string): Series {
  return {
    labels,
    milliseconds: new Histogram(),
    requestBytes: new Histogram(),
    responseBytes: new Histogram(),
    messageLabels: undefined,
    requests: 0,
    requestMessages: 0,
    responseMessages: 0,
  };
}

/** Servers may make up statuses of their own: they are one. */
function statusLabel(status: number | undefined): string {
  if (status === undefined) return "";
  return status <= LAST_STATUS ? String(status) : "-1";
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
