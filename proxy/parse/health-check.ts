import { RequestMethod } from "../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import type {
  HealthCheck_HttpHealthCheck as HttpCheck,
  HealthCheck as Message,
  HealthCheck_Payload as Payload,
  HealthCheck_TcpHealthCheck as TcpCheck,
} from "../../mesh/xds/gen/envoy/config/core/v3/health_check.ts";
import { CodecClientType } from "../../mesh/xds/gen/envoy/type/v3/http.ts";
import type { UpstreamHttp } from "../model/cluster.ts";
import type { HealthCheck, HealthProbe } from "../model/health-check.ts";
import { invalid, nameOf, onlyFields, required, unsupported } from "./refuse.ts";
import { milliseconds } from "./values.ts";

/** Envoy's. */
const NO_TRAFFIC_MS = 60_000;

/** Envoy takes one, too. `http`: what the cluster's hosts are asked in, checks included. */
export function parseHealthCheck(
  parent: string,
  [from, ...more]: readonly Message[],
  http: UpstreamHttp,
): HealthCheck | undefined {
  if (from === undefined) return undefined;
  const where = `${parent}: health_checks`;
  if (more.length > 0) throw unsupported(where, "more than one");
  onlyFields(where, from, [
    "timeout",
    "interval",
    "initialJitter",
    "intervalJitter",
    "intervalJitterPercent",
    "unhealthyThreshold",
    "healthyThreshold",
    "reuseConnection",
    "httpHealthCheck",
    "tcpHealthCheck",
    "grpcHealthCheck",
    "noTrafficInterval",
    "unhealthyInterval",
    "alwaysLogHealthCheckFailures",
    "alwaysLogHealthCheckSuccess",
  ]);
  const intervalMs = milliseconds(from.interval, 0);
  const timeoutMs = milliseconds(from.timeout, 0);
  if (intervalMs < 1 || timeoutMs < 1) throw invalid(where, "an interval or a timeout below 1 ms");
  return {
    probe: parseProbe(where, from, http),
    timeoutMs,
    intervalMs,
    unhealthyIntervalMs: milliseconds(from.unhealthyInterval, intervalMs) || intervalMs,
    noTrafficIntervalMs: milliseconds(from.noTrafficInterval, NO_TRAFFIC_MS) || NO_TRAFFIC_MS,
    initialJitterMs: milliseconds(from.initialJitter, 0),
    intervalJitterMs: milliseconds(from.intervalJitter, 0),
    intervalJitterPercent: from.intervalJitterPercent,
    unhealthyThreshold: required(where, "unhealthy_threshold", from.unhealthyThreshold),
    healthyThreshold: required(where, "healthy_threshold", from.healthyThreshold),
  };
}

function parseProbe(where: string, from: Message, http: UpstreamHttp): HealthProbe {
  if (from.httpHealthCheck) return parseHttp(`${where}: http_health_check`, from.httpHealthCheck, http);
  if (from.tcpHealthCheck) return parseTcp(`${where}: tcp_health_check`, from.tcpHealthCheck);
  const grpc = required(where, "health_checker", from.grpcHealthCheck);
  onlyFields(`${where}: grpc_health_check`, grpc, ["serviceName", "authority"]);
  if (http !== "http2") throw unsupported(where, "gRPC with hosts that are not asked in HTTP/2");
  return { kind: "grpc", service: grpc.serviceName, authority: grpc.authority };
}

function parseHttp(where: string, from: HttpCheck, http: UpstreamHttp): HealthProbe {
  onlyFields(where, from, [
    "host",
    "path",
    "expectedStatuses",
    "retriableStatuses",
    "codecClientType",
    "method",
  ]);
  if ((from.codecClientType === CodecClientType.HTTP2) !== (http === "http2"))
    throw unsupported(where, "another version of HTTP than the cluster's (codec_client_type)");
  if (!/^\/[!-~]*$/.test(from.path)) throw invalid(where, `the path "${from.path}"`);
  const expected = from.expectedStatuses.map(({ start, end }) => ({ start, end }));
  return {
    kind: "http",
    host: from.host,
    path: from.path,
    method: from.method === RequestMethod.METHOD_UNSPECIFIED ? "GET" : nameOf(RequestMethod, from.method),
    expected: expected.length > 0 ? expected : [{ start: 200, end: 201 }],
    retriable: from.retriableStatuses.map(({ start, end }) => ({ start, end })),
  };
}

function parseTcp(where: string, from: TcpCheck): HealthProbe {
  onlyFields(where, from, ["send", "receive"]);
  return {
    kind: "tcp",
    send: from.send ? bytesOf(where, from.send) : Buffer.alloc(0),
    receive: from.receive.map((payload) => bytesOf(where, payload)),
  };
}

/** `text` is hexadecimal. */
function bytesOf(where: string, { text, binary }: Payload): Buffer {
  if (text === undefined) return Buffer.from(binary ?? new Uint8Array());
  if (!/^(?:[0-9a-f]{2})+$/i.test(text)) throw invalid(where, `"${text}" is not hexadecimal`);
  return Buffer.from(text, "hex");
}
