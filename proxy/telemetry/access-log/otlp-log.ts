import { ExportLogsServiceRequest } from "../../../mesh/xds/gen/opentelemetry/proto/collector/logs/v1/logs_service.ts";
import type { LogRecord } from "../../../mesh/xds/gen/opentelemetry/proto/logs/v1/logs.ts";
import { compileText } from "../../format/compile-format.ts";
import type { OtlpLog } from "../../model/access-log.ts";
import { BatchExporter, type BatchExporterOptions } from "../export/batch-exporter.ts";
import type { Collector } from "../export/collector.ts";
import type { NodeNames } from "../export/otlp-values.ts";
import { nanoseconds, textAttribute } from "../export/otlp-values.ts";
import type { TrafficRecord } from "../records.ts";

const METHOD = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

/** Writes one entry. Must not throw. */
export type RecordWriter = (record: TrafficRecord, durationMs: number) => void;

interface LogService extends Pick<OtlpLog, "cluster" | "authority" | "logName" | "resource"> {
  readonly node: NodeNames;
  readonly collector: Collector;
}

/** Hands entries to OpenTelemetry's log service: what Envoy sends for the same settings. */
export function otlpExporter(
  { cluster, authority, logName, resource, node, collector }: LogService,
  options: Omit<BatchExporterOptions<LogRecord>, "send">,
): BatchExporter<LogRecord> {
  const said = [
    textAttribute("log_name", logName),
    textAttribute("zone_name", ""),
    textAttribute("cluster_name", node.cluster),
    textAttribute("node_name", node.id),
    ...resource.map(([name, value]) => textAttribute(name, value)),
  ];
  return new BatchExporter({
    ...options,
    send: async (logRecords, signal) => {
      const request = ExportLogsServiceRequest.fromPartial({
        resourceLogs: [{ resource: { attributes: said }, scopeLogs: [{ logRecords: [...logRecords] }] }],
      });
      const message = ExportLogsServiceRequest.encode(request).finish();
      return await collector.grpc({ cluster, authority, method: METHOD, message, signal });
    },
  });
}

/** Compiles the formats of a log's entries. */
export function compileLogRecord(
  { body, attributes }: Pick<OtlpLog, "body" | "attributes">,
  exporter: Pick<BatchExporter<LogRecord>, "add">,
): RecordWriter {
  const text = compileText(body);
  const fields = attributes.map(([name, format]) => [name, compileText(format)] as const);
  return (record, durationMs) => {
    const span = record.kind === "http" ? record.span : undefined;
    const line = text(record, durationMs);
    let length = line.length;
    const said = fields.map(([name, format]) => {
      const value = format(record, durationMs);
      length += name.length + value.length;
      return textAttribute(name, value);
    });
    const entry = {
      timeUnixNano: nanoseconds(record.startedAt),
      observedTimeUnixNano: "0",
      body: textAttribute("", line).value,
      attributes: said,
      traceId: Buffer.from(span?.context.traceId ?? "", "hex"),
      spanId: Buffer.from(span?.context.spanId ?? "", "hex"),
    };
    exporter.add(entry, length);
  };
}
