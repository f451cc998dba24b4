import { FilterConfig as DynamicDnsFilter } from "../../mesh/xds/gen/envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy.ts";
import { OnDemand } from "../../mesh/xds/gen/envoy/extensions/filters/http/on_demand/v3/on_demand.ts";
import { RBAC as HttpRbac } from "../../mesh/xds/gen/envoy/extensions/filters/http/rbac/v3/rbac.ts";
import {
  type HttpConnectionManager_SetCurrentClientCertDetails as CertDetails,
  HttpConnectionManager_CodecType as Codec,
  HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes,
  HttpConnectionManager_ForwardClientCertDetails as Forward,
  HttpConnectionManager as HcmMessage,
  type HttpFilter as HttpFilterMessage,
  HttpConnectionManager_ServerHeaderTransformation as ServerHeader,
} from "../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import type { EdgeRules, HttpConnectionManager, HttpFilter } from "../model/listener.ts";
import type { RbacFilter } from "../model/rbac.ts";
import { parseAccessLogs } from "./access-log.ts";
import { parseDnsCache } from "./cluster-source.ts";
import { EXT_AUTHZ_TYPE, parseExtAuthz } from "./ext-authz.ts";
import { FAULT_TYPE, parseFault } from "./fault.ts";
import { parseHttp2 } from "./http2.ts";
import { JWT_TYPE, parseJwtAuthentication } from "./jwt-authn.ts";
import { parseRbacFilter } from "./rbac.ts";
import { invalid, onlyFields, required, unsupported } from "./refuse.ts";
import { readRouteConfiguration } from "./route.ts";
import { parseTracing } from "./tracing.ts";
import { anyType, cidr, decode, fromAds, milliseconds } from "./values.ts";

/** Does nothing by itself: routes bring their policies. */
const CORS_TYPE = "envoy.extensions.filters.http.cors.v3.Cors";
const ON_DEMAND_TYPE = "envoy.extensions.filters.http.on_demand.v3.OnDemand";
const DYNAMIC_DNS_TYPE = "envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig";
const RBAC_TYPE = "envoy.extensions.filters.http.rbac.v3.RBAC";
const CODECS: ReadonlyMap<Codec, HttpConnectionManager["codec"]> = new Map([
  [Codec.AUTO, "auto"],
  [Codec.HTTP1, "http1"],
  [Codec.HTTP2, "http2"],
]);
const ROUTER_TYPE = "envoy.extensions.filters.http.router.v3.Router";

export function parseHttpConnectionManager(parent: string, bytes: Uint8Array): HttpConnectionManager {
  const where = `${parent}: http_connection_manager`;
  const from = decode(where, HcmMessage, bytes);
  onlyFields(where, from, [
    "codecType",
    "statPrefix",
    "rds",
    "routeConfig",
    "httpFilters",
    "commonHttpProtocolOptions",
    "httpProtocolOptions",
    "http2ProtocolOptions",
    "serverName",
    "serverHeaderTransformation",
    "maxRequestHeadersKb",
    "streamIdleTimeout",
    "requestTimeout",
    "requestHeadersTimeout",
    "drainTimeout",
    "delayedCloseTimeout",
    "accessLog",
    "tracing",
    "useRemoteAddress",
    "internalAddressConfig",
    "skipXffAppend",
    "generateRequestId",
    "preserveExternalRequestId",
    "requestIdExtension",
    "forwardClientCertDetails",
    "setCurrentClientCertDetails",
    "upgradeConfigs",
    "normalizePath",
    "mergeSlashes",
    "pathWithEscapedSlashesAction",
    "streamErrorOnInvalidHttpMessage",
  ]);
  refuseUnknown(where, from);
  const options = from.commonHttpProtocolOptions;
  if (options) onlyFields(`${where}: common_http_protocol_options`, options, ["idleTimeout"]);
  return {
    kind: "http",
    statPrefix: from.statPrefix,
    routes: parseRoutes(where, from),
    filters: parseFilters(where, from.httpFilters),
    normalizePath: from.normalizePath ?? false,
    mergeSlashes: from.mergeSlashes,
    unescapeSlashes: from.pathWithEscapedSlashesAction === EscapedSlashes.UNESCAPE_AND_FORWARD,
    forwardClientCert: parseForward(where, from),
    clientCertDetails: parseDetails(from.setCurrentClientCertDetails),
    generateRequestId: from.generateRequestId ?? true,
    edge: parseEdge(where, from),
    serverName: parseServerName(where, from),
    codec: parseCodec(where, from.codecType),
    http2: parseHttp2(where, from.http2ProtocolOptions),
    maxRequestHeadersKb: from.maxRequestHeadersKb ?? 60,
    requestHeadersTimeoutMs: milliseconds(from.requestHeadersTimeout, 10_000) || 10_000,
    requestTimeoutMs: milliseconds(from.requestTimeout, 0),
    streamIdleTimeoutMs: milliseconds(from.streamIdleTimeout, 300_000),
    idleTimeoutMs: milliseconds(options?.idleTimeout, 300_000) || 300_000,
    upgrades: parseUpgrades(where, from),
    accessLog: parseAccessLogs(where, from.accessLog),
    tracing: from.tracing && parseTracing(where, from.tracing),
  };
}

function parseEdge(where: string, from: HcmMessage): EdgeRules | undefined {
  if (!from.useRemoteAddress) return undefined;
  if (from.skipXffAppend) throw unsupported(where, "skip_xff_append");
  const internal = from.internalAddressConfig;
  if (internal) onlyFields(`${where}: internal_address_config`, internal, ["cidrRanges"]);
  return { internal: (internal?.cidrRanges ?? []).map((range) => cidr(where, range)) };
}

function parseServerName(where: string, from: HcmMessage): string | undefined {
  if (from.serverHeaderTransformation === ServerHeader.PASS_THROUGH || from.serverName === "")
    return undefined;
  if (from.serverHeaderTransformation !== ServerHeader.OVERWRITE)
    throw unsupported(where, `server_header_transformation ${from.serverHeaderTransformation}`);
  if (!/^[ -~]+$/.test(from.serverName)) throw invalid(where, "server_name is no value of a header");
  return from.serverName;
}

function parseCodec(where: string, type: Codec): HttpConnectionManager["codec"] {
  const codec = CODECS.get(type);
  if (codec === undefined) throw unsupported(where, "HTTP/3");
  return codec;
}

function refuseUnknown(where: string, from: HcmMessage): void {
  const slashes = from.pathWithEscapedSlashesAction;
  if (
    slashes !== EscapedSlashes.IMPLEMENTATION_SPECIFIC_DEFAULT &&
    slashes !== EscapedSlashes.KEEP_UNCHANGED &&
    slashes !== EscapedSlashes.UNESCAPE_AND_FORWARD
  ) {
    throw unsupported(where, `path_with_escaped_slashes_action ${slashes}`);
  }
  const http1 = from.httpProtocolOptions;
  if (http1) onlyFields(`${where}: http_protocol_options`, http1, ["allowAbsoluteUrl"]);
}

function parseRoutes(where: string, from: HcmMessage): HttpConnectionManager["routes"] {
  if (from.rds) {
    fromAds(`${where}: rds`, from.rds.configSource);
    return { kind: "rds", name: from.rds.routeConfigName };
  }
  const config = required(where, "route_config", from.routeConfig);
  return {
    kind: "inline",
    config: readRouteConfiguration(`${where}: route configuration ${config.name}`, config),
  };
}

function parseFilters(where: string, filters: readonly HttpFilterMessage[]): HttpFilter[] {
  const active = filters.filter(({ disabled }) => !disabled);
  const parsed = active.map((filter) => parseFilter(where, filter));
  const routers = parsed.filter(({ kind }) => kind === "router");
  if (routers.length !== 1 || parsed.at(-1)?.kind !== "router") {
    throw invalid(where, "the last HTTP filter, and no other, must be the router");
  }
  return parsed;
}

function parseFilter(parent: string, filter: HttpFilterMessage): HttpFilter {
  const where = `${parent}: http filter "${filter.name}"`;
  const config = filter.typedConfig;
  switch (anyType(config)) {
    case RBAC_TYPE:
      return { kind: "rbac", rbac: parseHttpRbac(where, config?.value ?? new Uint8Array()) };
    case EXT_AUTHZ_TYPE:
      return { kind: "ext-authz", authorizer: parseExtAuthz(where, config?.value ?? new Uint8Array()) };
    case JWT_TYPE:
      return {
        kind: "jwt",
        authentication: parseJwtAuthentication(where, config?.value ?? new Uint8Array()),
      };
    case FAULT_TYPE:
      return { kind: "fault", fault: parseFault(where, config?.value ?? new Uint8Array()) };
    case CORS_TYPE:
      return { kind: "cors" };
    case ON_DEMAND_TYPE:
      onlyFields(where, decode(where, OnDemand, config?.value ?? new Uint8Array()), []);
      return { kind: "on-demand" };
    case DYNAMIC_DNS_TYPE: {
      const from = decode(where, DynamicDnsFilter, config?.value ?? new Uint8Array());
      onlyFields(where, from, ["dnsCacheConfig"]);
      parseDnsCache(where, from.dnsCacheConfig);
      return { kind: "dynamic-dns" };
    }
    case ROUTER_TYPE:
      return { kind: "router" };
    default:
      throw unsupported(parent.slice(0, parent.lastIndexOf(":")), `http filter "${filter.name}"`);
  }
}

function parseHttpRbac(where: string, bytes: Uint8Array): RbacFilter {
  const from = decode(where, HttpRbac, bytes);
  onlyFields(where, from, [
    "rules",
    "rulesStatPrefix",
    "shadowRules",
    "shadowRulesStatPrefix",
    "trackPerRuleStats",
  ]);
  return parseRbacFilter(where, from);
}

function parseForward(where: string, from: HcmMessage): HttpConnectionManager["forwardClientCert"] {
  switch (from.forwardClientCertDetails) {
    case Forward.SANITIZE:
      return "sanitize";
    case Forward.FORWARD_ONLY:
      return "forward";
    case Forward.APPEND_FORWARD:
      return "append";
    case Forward.SANITIZE_SET:
      return "sanitize-set";
    case Forward.ALWAYS_FORWARD_ONLY:
      return "always-forward";
    default:
      throw unsupported(where, `forward_client_cert_details ${from.forwardClientCertDetails}`);
  }
}

function parseDetails(from: CertDetails | undefined): HttpConnectionManager["clientCertDetails"] {
  return {
    subject: from?.subject ?? false,
    uri: from?.uri ?? false,
    dns: from?.dns ?? false,
    cert: from?.cert ?? false,
  };
}

function parseUpgrades(where: string, from: HcmMessage): Set<string> {
  const enabled = from.upgradeConfigs.filter((upgrade) => upgrade.enabled ?? true);
  for (const upgrade of enabled) {
    onlyFields(where, upgrade, ["upgradeType", "enabled"]);
    if (upgrade.upgradeType.toLowerCase() !== "websocket") {
      throw unsupported(where, `upgrade to "${upgrade.upgradeType}"`);
    }
  }
  return new Set(enabled.map((upgrade) => upgrade.upgradeType.toLowerCase()));
}
