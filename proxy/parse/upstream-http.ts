import type { Cluster as ClusterMessage } from "../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import { HttpProtocolOptions } from "../../mesh/xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options.ts";
import type { Cluster, OutlierRules, UpstreamHttp } from "../model/cluster.ts";
import type { Http2Settings } from "../model/http2.ts";
import { parseHttp2 } from "./http2.ts";
import { parseErrorStatuses } from "./outlier.ts";
import { invalid, onlyFields, unsupported } from "./refuse.ts";
import { anyType, decode, milliseconds } from "./values.ts";

const HTTP_OPTIONS_TYPE = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/** Below the five minutes that a Lateen inbound listener keeps an idle connection. */
const DEFAULT_IDLE_TIMEOUT_MS = 60_000;

type HttpOptions = Pick<
  Cluster,
  "idleTimeoutMs" | "maxRequestsPerConnection" | "maxConnectionMs" | "hostTls" | "http" | "http2"
> &
  Pick<OutlierRules, "errorStatuses">;

/** How HTTP is spoken to a cluster's endpoints. */
export function parseUpstreamHttp(where: string, from: ClusterMessage): HttpOptions {
  let options: HttpOptions = {
    idleTimeoutMs: DEFAULT_IDLE_TIMEOUT_MS,
    maxRequestsPerConnection: 0,
    maxConnectionMs: 0,
    hostTls: { sni: false, verify: false },
    http: "http1",
    http2: {},
    errorStatuses: undefined,
  };
  for (const [name, any] of Object.entries(from.typedExtensionProtocolOptions)) {
    if (anyType(any) !== HTTP_OPTIONS_TYPE) throw unsupported(where, `protocol options "${name}"`);
    options = parseOptions(where, decode(where, HttpProtocolOptions, any.value));
  }
  if (options.idleTimeoutMs < 0) throw invalid(where, "a negative idle timeout");
  return options;
}

function parseOptions(where: string, options: HttpProtocolOptions): HttpOptions {
  onlyFields(where, options, [
    "commonHttpProtocolOptions",
    "upstreamHttpProtocolOptions",
    "explicitHttpConfig",
    "useDownstreamProtocolConfig",
    "autoConfig",
    "outlierDetection",
  ]);
  const common = options.commonHttpProtocolOptions;
  if (common) onlyFields(where, common, ["idleTimeout", "maxRequestsPerConnection", "maxConnectionDuration"]);
  const upstream = options.upstreamHttpProtocolOptions;
  if (upstream) onlyFields(where, upstream, ["autoSni", "autoSanValidation"]);
  return {
    idleTimeoutMs: milliseconds(common?.idleTimeout, DEFAULT_IDLE_TIMEOUT_MS),
    maxRequestsPerConnection: common?.maxRequestsPerConnection ?? 0,
    maxConnectionMs: milliseconds(common?.maxConnectionDuration, 0),
    hostTls: { sni: upstream?.autoSni ?? false, verify: upstream?.autoSanValidation ?? false },
    errorStatuses: parseErrorStatuses(where, options.outlierDetection),
    ...parseVersion(where, options),
  };
}

function parseVersion(
  where: string,
  { explicitHttpConfig, useDownstreamProtocolConfig, autoConfig }: HttpProtocolOptions,
): { readonly http: UpstreamHttp; readonly http2: Http2Settings } {
  const choices = explicitHttpConfig ?? useDownstreamProtocolConfig ?? autoConfig;
  if (choices?.http3ProtocolOptions) throw unsupported(where, "HTTP/3 to the upstream");
  const http2 = parseHttp2(where, choices?.http2ProtocolOptions);
  if (explicitHttpConfig) return { http: explicitHttpConfig.http2ProtocolOptions ? "http2" : "http1", http2 };
  // Callers of HTTP/2 are passed on in it only where it is named (Envoy).
  if (useDownstreamProtocolConfig)
    return { http: useDownstreamProtocolConfig.http2ProtocolOptions ? "as-called" : "http1", http2 };
  return { http: autoConfig ? "negotiated" : "http1", http2 };
}
