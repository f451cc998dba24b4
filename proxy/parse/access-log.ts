import { CALL_LOG } from "../../mesh/xds/access-log-service.ts";
import type { AccessLog as AccessLogMessage } from "../../mesh/xds/gen/envoy/config/accesslog/v3/accesslog.ts";
import type { SubstitutionFormatString } from "../../mesh/xds/gen/envoy/config/core/v3/substitution_format_string.ts";
import { FileAccessLog } from "../../mesh/xds/gen/envoy/extensions/access_loggers/file/v3/file.ts";
import {
  type CommonGrpcAccessLogConfig,
  HttpGrpcAccessLogConfig,
  TcpGrpcAccessLogConfig,
} from "../../mesh/xds/gen/envoy/extensions/access_loggers/grpc/v3/als.ts";
import { OpenTelemetryAccessLogConfig } from "../../mesh/xds/gen/envoy/extensions/access_loggers/open_telemetry/v3/logs_service.ts";
import {
  StderrAccessLog,
  StdoutAccessLog,
} from "../../mesh/xds/gen/envoy/extensions/access_loggers/stream/v3/stream.ts";
import type { KeyValueList } from "../../mesh/xds/gen/opentelemetry/proto/common/v1/common.ts";
import { AGENT_CLUSTER } from "../../mesh/xds/names.ts";
import type { AccessLog, AccessLogs, FileLog, OtlpLog } from "../model/access-log.ts";
import { parseFormatText, parseJsonFormat, parseLogFormat } from "./format.ts";
import { parseLogFilter } from "./log-filter.ts";
import { invalid, onlyFields, required, unsupported } from "./refuse.ts";
import { anyType, decode } from "./values.ts";

const LOGGERS = "envoy.extensions.access_loggers";

/** What Envoy writes where nobody says a format. */
const DEFAULT_FORMAT =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  "%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% " +
  '"%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n';

/** Logs to files, the process's own streams and OpenTelemetry, and the agent's log of calls. */
export function parseAccessLogs(where: string, from: readonly AccessLogMessage[]): AccessLogs {
  const parsed = from.map((log) => parseAccessLog(where, log));
  return {
    calls: parsed.includes("calls"),
    logs: parsed.filter((log) => log !== "calls"),
  };
}

function parseAccessLog(where: string, log: AccessLogMessage): AccessLog | "calls" {
  const at = `${where}: access log "${log.name}"`;
  onlyFields(at, log, ["name", "typedConfig", "filter"]);
  const bytes = log.typedConfig?.value ?? new Uint8Array();
  const filter = log.filter && parseLogFilter(at, log.filter);
  switch (anyType(log.typedConfig)) {
    case `${LOGGERS}.file.v3.FileAccessLog`:
      return { destination: parseFile(at, bytes), filter };
    case `${LOGGERS}.stream.v3.StdoutAccessLog`:
      return { destination: fileLog(at, "/dev/stdout", decode(at, StdoutAccessLog, bytes)), filter };
    case `${LOGGERS}.stream.v3.StderrAccessLog`:
      return { destination: fileLog(at, "/dev/stderr", decode(at, StderrAccessLog, bytes)), filter };
    case `${LOGGERS}.open_telemetry.v3.OpenTelemetryAccessLogConfig`:
      return { destination: parseOtlp(at, decode(at, OpenTelemetryAccessLogConfig, bytes)), filter };
    case `${LOGGERS}.grpc.v3.HttpGrpcAccessLogConfig`:
      return toAgent(where, at, log, decode(at, HttpGrpcAccessLogConfig, bytes));
    case `${LOGGERS}.grpc.v3.TcpGrpcAccessLogConfig`:
      return toAgent(where, at, log, decode(at, TcpGrpcAccessLogConfig, bytes));
    default:
      throw unsupported(where, `access log "${log.name}"`);
  }
}

function parseFile(where: string, bytes: Uint8Array): FileLog {
  const from = decode(where, FileAccessLog, bytes);
  onlyFields(where, from, ["path", "format", "jsonFormat", "typedJsonFormat", "logFormat"]);
  if (from.path === "") throw invalid(where, "the path is empty");
  const json = from.jsonFormat ?? from.typedJsonFormat;
  if (json !== undefined) {
    const format = parseJsonFormat(where, json);
    return { kind: "file", path: from.path, format: { kind: "json", format, omitEmpty: false } };
  }
  if (!from.format) return fileLog(where, from.path, { logFormat: from.logFormat });
  const format = parseFormatText(where, from.format);
  return { kind: "file", path: from.path, format: { kind: "text", format, omitEmpty: false } };
}

function fileLog(
  where: string,
  path: string,
  { logFormat }: { readonly logFormat?: SubstitutionFormatString | undefined },
): FileLog {
  const format =
    logFormat === undefined
      ? ({ kind: "text", format: parseFormatText(where, DEFAULT_FORMAT), omitEmpty: false } as const)
      : parseLogFormat(where, logFormat);
  return { kind: "file", path, format };
}

function parseOtlp(where: string, from: OpenTelemetryAccessLogConfig): OtlpLog {
  onlyFields(where, from, [
    "commonConfig",
    "body",
    "attributes",
    "resourceAttributes",
    "disableBuiltinLabels",
    "statPrefix",
    "formatters",
  ]);
  const common = required(where, "common_config", from.commonConfig);
  const { clusterName, authority } = required(where, "envoy_grpc", common.grpcService?.envoyGrpc);
  return {
    kind: "otlp",
    cluster: clusterName,
    authority: authority || clusterName,
    logName: common.logName,
    body: parseFormatText(where, from.body?.stringValue ?? ""),
    attributes: fields(where, from.attributes).map(
      ([name, value]) => [name, parseFormatText(`${where}: ${name}`, value)] as const,
    ),
    resource: fields(where, from.resourceAttributes),
  };
}

function fields(where: string, list: KeyValueList | undefined): readonly (readonly [string, string])[] {
  return (list?.values ?? []).map(({ key, value }) => {
    if (value?.stringValue === undefined) throw unsupported(where, `"${key}", which is no text,`);
    return [key, value.stringValue] as const;
  });
}

function toAgent(
  where: string,
  at: string,
  { name, filter }: AccessLogMessage,
  service: HttpGrpcAccessLogConfig | TcpGrpcAccessLogConfig,
): "calls" {
  onlyFields(at, service, ["commonConfig"]);
  if (filter !== undefined || !goesToAgent(at, service.commonConfig))
    throw unsupported(where, `access log "${name}"`);
  return "calls";
}

function goesToAgent(where: string, common: CommonGrpcAccessLogConfig | undefined): boolean {
  const cluster = common?.grpcService?.envoyGrpc?.clusterName;
  if (common?.logName !== CALL_LOG || cluster !== AGENT_CLUSTER) return false;
  onlyFields(where, common, ["logName", "grpcService", "transportApiVersion"]);
  return true;
}
