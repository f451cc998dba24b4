import type { TelemetryProvider } from "../../../mesh/model/telemetry.ts";
import { AccessLog, AccessLogFilter } from "../../../mesh/xds/gen/envoy/config/accesslog/v3/accesslog.ts";
import { ApiVersion } from "../../../mesh/xds/gen/envoy/config/core/v3/config_source.ts";
import { FileAccessLog } from "../../../mesh/xds/gen/envoy/extensions/access_loggers/file/v3/file.ts";
import { ExpressionFilter } from "../../../mesh/xds/gen/envoy/extensions/access_loggers/filters/cel/v3/cel.ts";
import { OpenTelemetryAccessLogConfig } from "../../../mesh/xds/gen/envoy/extensions/access_loggers/open_telemetry/v3/logs_service.ts";
import type { EffectiveLog } from "../../policy/telemetry.ts";
import { pack } from "../any.ts";
import { DEFAULT_TEXT, logFormat } from "./log-formats.ts";

const LOGGERS = "envoy.extensions.access_loggers";
const DEFAULT_LOG_NAME = "otel_envoy_accesslog";

/** A log that Telemetry asks for. `clusterOf`: where a provider is called; undefined: it is not there. */
export function accessLog(
  { provider, filter }: EffectiveLog,
  clusterOf: (provider: TelemetryProvider) => string | undefined,
): AccessLog | undefined {
  const filters = filter === undefined ? {} : { filter: expression(filter) };
  switch (provider.kind) {
    case "file-log": {
      const { path } = provider;
      const config = FileAccessLog.fromPartial({ path, logFormat: logFormat(provider.format) });
      const typedConfig = pack(`${LOGGERS}.file.v3.FileAccessLog`, FileAccessLog, config);
      return AccessLog.fromPartial({ name: "envoy.access_loggers.file", typedConfig, ...filters });
    }
    case "otel-log": {
      const cluster = clusterOf(provider);
      if (cluster === undefined) return undefined;
      const config = openTelemetry(provider, cluster);
      const type = `${LOGGERS}.open_telemetry.v3.OpenTelemetryAccessLogConfig`;
      const typedConfig = pack(type, OpenTelemetryAccessLogConfig, config);
      return AccessLog.fromPartial({ name: "envoy.access_loggers.open_telemetry", typedConfig, ...filters });
    }
    default:
      return undefined;
  }
}

function expression(filter: string): AccessLogFilter {
  return AccessLogFilter.fromPartial({
    extensionFilter: {
      name: "envoy.access_loggers.extension_filters.cel",
      typedConfig: pack(
        `${LOGGERS}.filters.cel.v3.ExpressionFilter`,
        ExpressionFilter,
        ExpressionFilter.fromPartial({ expression: filter }),
      ),
    },
  });
}

function openTelemetry(
  { logName, text, labels }: Extract<TelemetryProvider, { kind: "otel-log" }>,
  clusterName: string,
): OpenTelemetryAccessLogConfig {
  return OpenTelemetryAccessLogConfig.fromPartial({
    commonConfig: {
      logName: logName || DEFAULT_LOG_NAME,
      grpcService: { envoyGrpc: { clusterName, authority: clusterName.split("|")[3] ?? "" } },
      transportApiVersion: ApiVersion.V3,
    },
    body: { stringValue: text || DEFAULT_TEXT.trimEnd() },
    attributes: {
      values: Object.entries(labels).map(([key, stringValue]) => ({ key, value: { stringValue } })),
    },
  });
}
