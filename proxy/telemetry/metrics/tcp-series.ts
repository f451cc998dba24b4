import { OVERFLOW, requestLabels, trafficLabels } from "../parties/labels.ts";
import type { OwnParty } from "../parties/own-party.ts";
import type { TcpRecord } from "../records.ts";
import { flagsText } from "../response-flags.ts";
import { BoundedSeries } from "./bounded-series.ts";
import { labelText, type MetricFamily } from "./families.ts";

interface Series {
  readonly labels: string;
  opened: number;
  closed: number;
  sent: number;
  received: number;
}

/** What of an open connection has been counted already. */
interface Counted {
  /** Undefined: nothing at all. */
  series: Series | undefined;
  sent: number;
  received: number;
}

/** Kinds of connections whose labels are kept as text. */
const MOST_KINDS = 4096;

/**
 * Counts TCP connections by Istio's labels. One is counted when it ends, and before that when somebody asks and it is
 * known where it goes; "sent" is the response's direction, by Istio's tradition.
 */
export class TcpSeries {
  readonly #own: (ownId: string | undefined) => OwnParty;
  readonly #series: BoundedSeries<Series>;
  /** By what the labels follow from. */
  readonly #byKind = new Map<string, Series>();
  readonly #open = new Map<TcpRecord, Counted>();

  /** `full` is called once, when there is no room for another series. */
  constructor(own: (ownId: string | undefined) => OwnParty, full: () => void) {
    this.#own = own;
    const overflow = (): Series => newSeries(labelText(OVERFLOW.tcp));
    this.#series = new BoundedSeries({ create: newSeries, overflow, full });
  }

  /** Connections that are counted in the series that stands for many. */
  get folded(): number {
    return this.#series.overflow?.opened ?? 0;
  }

  opened(record: TcpRecord): void {
    this.#open.set(record, { series: undefined, sent: 0, received: 0 });
  }

  done(record: TcpRecord): void {
    const counted = this.#open.get(record) ?? { series: undefined, sent: 0, received: 0 };
    this.#open.delete(record);
    this.#count(record, counted).closed++;
  }

  families(): readonly MetricFamily[] {
    for (const [record, counted] of this.#open) {
      if (record.upstream.host !== "") this.#count(record, counted);
    }
    const all = this.#series.all();
    const counter = (name: string, help: string, value: (series: Series) => number): MetricFamily => {
      const samples = all.map((series) => ({ labels: series.labels, value: value(series) }));
      return { name, help, type: "counter", samples };
    };
    return [
      counter(
        "istio_tcp_connections_opened_total",
        "TCP connections that were opened",
        ({ opened }) => opened,
      ),
      counter(
        "istio_tcp_connections_closed_total",
        "TCP connections that have ended",
        ({ closed }) => closed,
      ),
      counter(
        "istio_tcp_sent_bytes_total",
        "bytes of TCP connections, response direction",
        ({ sent }) => sent,
      ),
      counter(
        "istio_tcp_received_bytes_total",
        "bytes of TCP connections, request direction",
        ({ received }) => received,
      ),
    ];
  }

  #count(record: TcpRecord, counted: Counted): Series {
    const series = this.#seriesOf(record);
    if (counted.series === undefined) series.opened++;
    series.sent += record.bytesSent - counted.sent;
    series.received += record.bytesReceived - counted.received;
    counted.series = series;
    counted.sent = record.bytesSent;
    counted.received = record.bytesReceived;
    return series;
  }

  #seriesOf({ ends, upstream, flags: set }: TcpRecord): Series {
    const flags = flagsText(set);
    const { cluster, service, workload, id } = upstream;
    const kind = [
      ends.direction,
      ends.clientId,
      ends.ownId,
      cluster,
      service?.host,
      service?.name,
      service?.namespace,
      workload,
      id,
      flags,
    ].join("\0");
    const known = this.#byKind.get(kind);
    if (known !== undefined) return known;
    const labels = labelText({
      ...trafficLabels(this.#own(ends.ownId), { ends, upstream }),
      ...requestLabels(ends, "tcp", flags),
    });
    const series = this.#series.at(labels);
    if (this.#byKind.size >= MOST_KINDS) this.#byKind.clear();
    this.#byKind.set(kind, series);
    return series;
  }
}

function newSeries(labels: string): Series {
  return { labels, opened: 0, closed: 0, sent: 0, received: 0 };
}
