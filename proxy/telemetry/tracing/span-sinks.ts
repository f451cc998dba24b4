import { messageOf } from "../../../mesh/errors.ts";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../../mesh/telemetry/logger.ts";
import { ExportTraceServiceRequest } from "../../../mesh/xds/gen/opentelemetry/proto/collector/trace/v1/trace_service.ts";
import {
  Span_SpanKind as Kind,
  Span as OtlpSpan,
  Status_StatusCode as StatusCode,
} from "../../../mesh/xds/gen/opentelemetry/proto/trace/v1/trace.ts";
import type { Tracer } from "../../model/tracing.ts";
import { BatchExporter, type BatchExporterOptions } from "../export/batch-exporter.ts";
import type { Collector } from "../export/collector.ts";
import { Deliveries } from "../export/deliveries.ts";
import { attribute, nanoseconds, textAttribute } from "../export/otlp-values.ts";
import { Outlets } from "../export/outlets.ts";
import type { MetricFamily } from "../metrics/families.ts";
import type { SpanReceiver } from "./compiled-tracing.ts";
import type { EndedSpan } from "./span.ts";

const METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

interface SpanSinksOptions {
  readonly collector: Collector;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The workload's, where a tracer does not say whose spans they are. */
  readonly service: string;
}

type Send = BatchExporterOptions<EndedSpan>["send"];

/** Where spans go: each place once, however many listeners trace, as long as one does. */
export class SpanSinks {
  readonly #options: SpanSinksOptions;
  readonly #exporters = new Outlets<BatchExporter<EndedSpan>>();
  readonly #deliveries = new Deliveries();
  /** Aborted when nothing can be sent any more. */
  readonly #gone = new AbortController();

  constructor(options: SpanSinksOptions) {
    this.#options = options;
  }

  receiver(tracer: Tracer): SpanReceiver {
    const { outlet, release } = this.#exporters.take(JSON.stringify(tracer), (waits) =>
      this.#exporter(tracer, waits),
    );
    return { receive: (span) => outlet.add(span, lengthOf(span)), release };
  }

  /** Sends in batches until the signal is aborted, and then the rest, within a bound of time. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#exporters.run(this.#options.clock, signal);
    this.#gone.abort();
  }

  families(): readonly MetricFamily[] {
    return [
      {
        name: "lateen_spans_exported_total",
        help: "spans that their receiver has taken",
        type: "counter",
        samples: this.#deliveries.samples("delivered"),
      },
      {
        name: "lateen_spans_dropped_total",
        help: "spans that were lost, since their receiver is slow or not there",
        type: "counter",
        samples: this.#deliveries.samples("dropped"),
      },
    ];
  }

  #exporter(tracer: Tracer, waits: () => void): BatchExporter<EndedSpan> {
    const { collector, service, logger } = this.#options;
    const { cluster } = tracer;
    return new BatchExporter({
      send: tracer.kind === "zipkin" ? toZipkin(tracer, service, collector) : toOtlp(tracer, collector),
      delivery: this.#deliveries.to(cluster),
      waits,
      lost: (error) =>
        logger.warn("spans are lost: see that their receiver is there and answers", {
          cluster,
          error: error === undefined ? "not taken" : messageOf(error),
        }),
      gone: this.#gone.signal,
    });
  }
}

function toZipkin(
  { cluster, authority, path }: Extract<Tracer, { kind: "zipkin" }>,
  service: string,
  collector: Collector,
): Send {
  return async (spans, signal) => {
    const body = Buffer.from(JSON.stringify(spans.map((span) => zipkinSpan(span, service))));
    const contentType = "application/json";
    return await collector.post({ cluster, authority, path, contentType, body, signal });
  };
}

function toOtlp(
  { cluster, authority, service }: Extract<Tracer, { kind: "otlp" }>,
  collector: Collector,
): Send {
  const resource = { attributes: [textAttribute("service.name", service)] };
  return async (spans, signal) => {
    const request = ExportTraceServiceRequest.fromPartial({
      resourceSpans: [{ resource, scopeSpans: [{ scope: { name: "lateen" }, spans: spans.map(otlpSpan) }] }],
    });
    const message = ExportTraceServiceRequest.encode(request).finish();
    return await collector.grpc({ cluster, authority, method: METHOD, message, signal });
  };
}

/** Callers decide how long a span is. */
function lengthOf({ name, context, attributes }: EndedSpan): number {
  let length = name.length + context.state.length;
  for (const value of Object.values(attributes)) if (typeof value === "string") length += value.length;
  return length;
}

function otlpSpan(span: EndedSpan): OtlpSpan {
  const { context, parentId, startMs, durationMs } = span;
  return OtlpSpan.fromPartial({
    traceId: Buffer.from(context.traceId, "hex"),
    spanId: Buffer.from(context.spanId, "hex"),
    traceState: context.state,
    parentSpanId: Buffer.from(parentId ?? "", "hex"),
    name: span.name,
    kind: span.kind === "server" ? Kind.SPAN_KIND_SERVER : Kind.SPAN_KIND_CLIENT,
    startTimeUnixNano: nanoseconds(startMs),
    endTimeUnixNano: nanoseconds(startMs + durationMs),
    attributes: Object.entries(span.attributes).map(([key, value]) => attribute(key, value)),
    status: { code: span.failed ? StatusCode.STATUS_CODE_ERROR : StatusCode.STATUS_CODE_UNSET },
    flags: 1,
  });
}

/** Zipkin's JSON of version 2: times in microseconds, tags are texts. */
function zipkinSpan(span: EndedSpan, serviceName: string): object {
  const { context, parentId, startMs, durationMs, failed, attributes } = span;
  const tags = Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, String(value)]));
  return {
    traceId: context.traceId,
    id: context.spanId,
    ...(parentId !== undefined && { parentId }),
    name: span.name,
    kind: span.kind.toUpperCase(),
    timestamp: Math.round(startMs * 1000),
    duration: Math.max(1, Math.round(durationMs * 1000)),
    localEndpoint: { serviceName },
    tags: { ...tags, ...(failed && { error: tags["http.response.status_code"] ?? "true" }) },
  };
}
