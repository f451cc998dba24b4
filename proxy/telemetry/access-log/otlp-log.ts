import { ExportLogsServiceRequest } from "../../../mesh/xds/gen/opentelemetry/proto/collector/logs/v1/logs_service.ts";
import type { LogRecord } from "../../../mesh/xds/gen/opentelemetry/proto/logs/v1/logs.ts";
import { compileText } from "../../format/compile-format.ts";
import type { OtlpLog } from "../../model/access-log.ts";
import { BatchExporter } from "../export/batch-exporter.ts";
import type { Collector } from "../export/collector.ts";
import type { NodeNames } from "../export/otlp-values.ts";
import { nanoseconds, textAttribute } from "../export/otlp-values.ts";
import type { LogWriter } from "./compiled-logs.ts";

const METHOD = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

/** A log that OpenTelemetry's log service takes: what Envoy sends for the same settings. */
export function otlpLog(
  { cluster, authority, logName, body, attributes, resource }: OtlpLog,
  node: NodeNames,
  collector: Collector,
): { readonly cluster: string; readonly write: LogWriter; readonly exporter: BatchExporter<LogRecord> } {
  const said = [
    textAttribute("log_name", logName),
    textAttribute("zone_name", ""),
    textAttribute("cluster_name", node.cluster),
    textAttribute("node_name", node.id),
    ...resource.map(([name, value]) => textAttribute(name, value)),
  ];
  const exporter = new BatchExporter<LogRecord>(async (logRecords, signal) => {
    const request = ExportLogsServiceRequest.fromPartial({
      resourceLogs: [{ resource: { attributes: said }, scopeLogs: [{ logRecords: [...logRecords] }] }],
    });
    const message = ExportLogsServiceRequest.encode(request).finish();
    return await collector.grpc({ cluster, authority, method: METHOD, message, signal });
  });
  const text = compileText(body);
  const fields = attributes.map(([name, format]) => [name, compileText(format)] as const);
  return {
    cluster,
    exporter,
    write: (record, durationMs) => {
      const span = record.kind === "http" ? record.span : undefined;
      exporter.add({
        timeUnixNano: nanoseconds(record.startedAt),
        observedTimeUnixNano: "0",
        body: textAttribute("", text(record, durationMs)).value,
        attributes: fields.map(([name, format]) => textAttribute(name, format(record, durationMs))),
        traceId: Buffer.from(span?.context.traceId ?? "", "hex"),
        spanId: Buffer.from(span?.context.spanId ?? "", "hex"),
      });
    },
  };
}
