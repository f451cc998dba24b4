import { CALL_LOG } from "../../../mesh/xds/access-log-service.ts";
import { AccessLog } from "../../../mesh/xds/gen/envoy/config/accesslog/v3/accesslog.ts";
import { ApiVersion } from "../../../mesh/xds/gen/envoy/config/core/v3/config_source.ts";
import {
  CommonGrpcAccessLogConfig,
  HttpGrpcAccessLogConfig,
  TcpGrpcAccessLogConfig,
} from "../../../mesh/xds/gen/envoy/extensions/access_loggers/grpc/v3/als.ts";
import { AGENT_CLUSTER } from "../../../mesh/xds/names.ts";
import type { SnapshotView, WorkloadConfig } from "../../snapshot/snapshot-view.ts";
import { pack } from "../any.ts";

const PACKAGE = "envoy.extensions.access_loggers.grpc.v3";

const common = CommonGrpcAccessLogConfig.fromPartial({
  logName: CALL_LOG,
  grpcService: { envoyGrpc: { clusterName: AGENT_CLUSTER } },
  transportApiVersion: ApiVersion.V3,
});

/** Tells the agent of each request. */
export const httpCallLog: AccessLog = AccessLog.fromPartial({
  name: "envoy.access_loggers.http_grpc",
  typedConfig: pack(
    `${PACKAGE}.HttpGrpcAccessLogConfig`,
    HttpGrpcAccessLogConfig,
    HttpGrpcAccessLogConfig.fromPartial({ commonConfig: common }),
  ),
});

/** Tells the agent of each connection that has ended. */
export const tcpCallLog: AccessLog = AccessLog.fromPartial({
  name: "envoy.access_loggers.tcp_grpc",
  typedConfig: pack(
    `${PACKAGE}.TcpGrpcAccessLogConfig`,
    TcpGrpcAccessLogConfig,
    TcpGrpcAccessLogConfig.fromPartial({ commonConfig: common }),
  ),
});

/** Whether the calls of a workload are told: its agent takes them, and MeshConfig does not say no. */
export function tellsCalls(
  { settings }: Pick<SnapshotView, "settings">,
  { reportsCalls }: Pick<WorkloadConfig, "reportsCalls">,
): boolean {
  return reportsCalls && settings.mesh.enableEnvoyAccessLogService !== false;
}
