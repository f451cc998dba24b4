import type { AccessLog } from "../../mesh/xds/gen/envoy/config/accesslog/v3/accesslog.ts";
import { StdoutAccessLog } from "../../mesh/xds/gen/envoy/extensions/access_loggers/stream/v3/stream.ts";
import { onlyFields, unsupported } from "./refuse.ts";
import { anyType, decode } from "./values.ts";

const STDOUT_TYPE = "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog";

/** True when Envoy's default text format on standard output is asked for, which is the one that there is. */
export function hasStdoutLog(where: string, logs: readonly AccessLog[]): boolean {
  for (const log of logs) {
    const at = `${where}: access log "${log.name}"`;
    if (anyType(log.typedConfig) !== STDOUT_TYPE) throw unsupported(where, `access log "${log.name}"`);
    onlyFields(at, log, ["name", "typedConfig"]);
    onlyFields(at, decode(at, StdoutAccessLog, log.typedConfig?.value ?? new Uint8Array()), []);
  }
  return logs.length > 0;
}
