import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import { ExportTraceServiceRequest } from "../../../mesh/xds/gen/opentelemetry/proto/collector/trace/v1/trace_service.ts";
import {
  Span_SpanKind as Kind,
  Span as OtlpSpan,
  Status_StatusCode as StatusCode,
} from "../../../mesh/xds/gen/opentelemetry/proto/trace/v1/trace.ts";
import type { Tracer } from "../../model/tracing.ts";
import { BatchExporter } from "../export/batch-exporter.ts";
import type { Collector } from "../export/collector.ts";
import { attribute, nanoseconds, textAttribute } from "../export/otlp-values.ts";
import { labelText, type MetricFamily } from "../metrics/families.ts";
import type { EndedSpan } from "./span.ts";

const FLUSH_MS = 1000;
/** For what a collector has not got when the proxy ends. */
const LAST_WORD_MS = 1000;
const METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

interface SpanSinksOptions {
  readonly collector: Collector;
  readonly clock: Clock;
  /** The workload's, where a tracer does not say whose spans they are. */
  readonly service: string;
}

/** Where spans go, each place once, however many listeners trace. */
export class SpanSinks {
  readonly #options: SpanSinksOptions;
  readonly #exporters = new Map<
    string,
    { readonly tracer: Tracer; readonly spans: BatchExporter<EndedSpan> }
  >();

  constructor(options: SpanSinksOptions) {
    this.#options = options;
  }

  receiver(tracer: Tracer): (span: EndedSpan) => void {
    const key = JSON.stringify(tracer);
    const known = this.#exporters.get(key) ?? { tracer, spans: this.#exporter(tracer) };
    this.#exporters.set(key, known);
    return (span) => known.spans.add(span);
  }

  /** Sends in batches until the signal is aborted, and then the rest. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#options.clock.sleep(FLUSH_MS, signal);
      for (const { spans } of this.#exporters.values()) void spans.flush(signal);
    }
    const rest = AbortSignal.timeout(LAST_WORD_MS);
    await Promise.all([...this.#exporters.values()].map(async ({ spans }) => await spans.flush(rest)));
  }

  families(): readonly MetricFamily[] {
    const all = [...this.#exporters.values()].map(({ tracer, spans }) => ({
      labels: labelText({ to: tracer.cluster }),
      spans,
    }));
    return [
      {
        name: "lateen_spans_exported_total",
        help: "spans that their receiver has taken",
        type: "counter",
        samples: all.map(({ labels, spans }) => ({ labels, value: spans.exported })),
      },
      {
        name: "lateen_spans_dropped_total",
        help: "spans that were lost, since their receiver is slow or not there",
        type: "counter",
        samples: all.map(({ labels, spans }) => ({ labels, value: spans.dropped })),
      },
    ];
  }

  #exporter(tracer: Tracer): BatchExporter<EndedSpan> {
    const { collector, service } = this.#options;
    const { cluster, authority } = tracer;
    if (tracer.kind === "zipkin") {
      const { path } = tracer;
      return new BatchExporter(async (spans, signal) => {
        const body = Buffer.from(JSON.stringify(spans.map((span) => zipkinSpan(span, service))));
        const contentType = "application/json";
        return await collector.post({ cluster, authority, path, contentType, body, signal });
      });
    }
    const resource = { attributes: [textAttribute("service.name", tracer.service)] };
    return new BatchExporter(async (spans, signal) => {
      const request = ExportTraceServiceRequest.fromPartial({
        resourceSpans: [
          { resource, scopeSpans: [{ scope: { name: "lateen" }, spans: spans.map(otlpSpan) }] },
        ],
      });
      const message = ExportTraceServiceRequest.encode(request).finish();
      return await collector.grpc({ cluster, authority, method: METHOD, message, signal });
    });
  }
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
