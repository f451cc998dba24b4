import { CALL_LOG } from "../../mesh/xds/access-log-service.ts";
import type { AccessLog } from "../../mesh/xds/gen/envoy/config/accesslog/v3/accesslog.ts";
import {
  type CommonGrpcAccessLogConfig,
  HttpGrpcAccessLogConfig,
  TcpGrpcAccessLogConfig,
} from "../../mesh/xds/gen/envoy/extensions/access_loggers/grpc/v3/als.ts";
import { StdoutAccessLog } from "../../mesh/xds/gen/envoy/extensions/access_loggers/stream/v3/stream.ts";
import { AGENT_CLUSTER } from "../../mesh/xds/names.ts";
import type { AccessLogs } from "../model/listener.ts";
import { onlyFields, unsupported } from "./refuse.ts";
import { anyType, decode } from "./values.ts";

const STDOUT_TYPE = "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog";
const HTTP_GRPC_TYPE = "envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig";
const TCP_GRPC_TYPE = "envoy.extensions.access_loggers.grpc.v3.TcpGrpcAccessLogConfig";

/** The logs that there are: Envoy's default text format on standard output, and the agent's log of calls. */
export function parseAccessLogs(where: string, logs: readonly AccessLog[]): AccessLogs {
  const kinds = new Set(logs.map((log) => parseAccessLog(where, log)));
  return { stdout: kinds.has("stdout"), calls: kinds.has("calls") };
}

function parseAccessLog(where: string, log: AccessLog): keyof AccessLogs {
  const at = `${where}: access log "${log.name}"`;
  const bytes = log.typedConfig?.value ?? new Uint8Array();
  const type = anyType(log.typedConfig);
  const codec = { [HTTP_GRPC_TYPE]: HttpGrpcAccessLogConfig, [TCP_GRPC_TYPE]: TcpGrpcAccessLogConfig }[type];
  if (codec === undefined && type !== STDOUT_TYPE) throw unsupported(where, `access log "${log.name}"`);
  onlyFields(at, log, ["name", "typedConfig"]);
  if (codec === undefined) {
    onlyFields(at, decode(at, StdoutAccessLog, bytes), []);
    return "stdout";
  }
  const service = decode<HttpGrpcAccessLogConfig | TcpGrpcAccessLogConfig>(at, codec, bytes);
  onlyFields(at, service, ["commonConfig"]);
  if (!goesToAgent(at, service.commonConfig)) throw unsupported(where, `access log "${log.name}"`);
  return "calls";
}

function goesToAgent(where: string, common: CommonGrpcAccessLogConfig | undefined): boolean {
  const cluster = common?.grpcService?.envoyGrpc?.clusterName;
  if (common?.logName !== CALL_LOG || cluster !== AGENT_CLUSTER) return false;
  onlyFields(where, common, ["logName", "grpcService", "transportApiVersion"]);
  return true;
}
