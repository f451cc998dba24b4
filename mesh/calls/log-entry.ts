import { type Metadata, RequestMethod } from "../xds/gen/envoy/config/core/v3/base.ts";
import {
  AccessLogCommon,
  AccessLogType,
  HTTPAccessLogEntry,
  type HTTPRequestProperties,
  TCPAccessLogEntry,
} from "../xds/gen/envoy/data/accesslog/v3/accesslog.ts";
import { type CallKind, type CountedCalls, httpCallKind, REFUSED_TOKEN, tcpCallKind } from "./call-kind.ts";
import type { Seen } from "./call-tally.ts";

/** What an entry of an access log tells of calls. */
export interface LoggedCalls {
  readonly kind: CallKind;
  readonly seen: Seen;
}

const METHODS = new Map<number, string>(
  Object.entries(RequestMethod).flatMap(([name, number]) => (number > 0 ? [[number, name] as const] : [])),
);
const METHOD_NUMBERS = new Map([...METHODS].map(([number, name]) => [name, number as RequestMethod]));

const JWT_METADATA = "envoy.filters.http.jwt_authn";
/** An entry that claims to stand for more calls than this is not believed. */
const MOST_CALLS = 1_000_000_000;

/** Undefined: it tells of no call, for nothing that could be understood came in. */
export function readHttpEntry({
  commonProperties,
  request,
  response,
}: HTTPAccessLogEntry): LoggedCalls | undefined {
  if (commonProperties === undefined || request === undefined || request.path === "") return undefined;
  const kind = httpCallKind({
    source: sourceOf(commonProperties),
    port: portOf(commonProperties),
    method: methodOf(request),
    host: request.authority,
    target: request.path,
    issuer: issuerOf(commonProperties.metadata),
    details: response?.responseCodeDetails ?? "",
  });
  return { kind, seen: seenIn(commonProperties) };
}

/** Undefined: it tells of no call, or of one that another entry tells of. */
export function readTcpEntry({ commonProperties: common }: TCPAccessLogEntry): LoggedCalls | undefined {
  if (common === undefined || common.accessLogType === AccessLogType.TcpPeriodic) return undefined;
  const caller = { source: sourceOf(common), port: portOf(common) };
  const kind = tcpCallKind(caller, common.connectionTerminationDetails);
  return { kind, seen: seenIn(common) };
}

/** Of calls that a proxy has counted itself: an entry that stands for all of them, by its sample rate. */
export function toHttpEntry(calls: CountedCalls): HTTPAccessLogEntry {
  const { method, host, path } = calls;
  return HTTPAccessLogEntry.fromPartial({
    commonProperties: commonOf(calls),
    request: { requestMethod: METHOD_NUMBERS.get(method) ?? 0, authority: host, path },
    response: { responseCodeDetails: detailsOf(calls) },
  });
}

export function toTcpEntry(calls: CountedCalls): TCPAccessLogEntry {
  return TCPAccessLogEntry.fromPartial({
    commonProperties: {
      ...commonOf(calls),
      connectionTerminationDetails: detailsOf(calls),
      accessLogType: AccessLogType.TcpConnectionEnd,
    },
  });
}

function detailsOf({ denied, issuer }: CountedCalls): string {
  if (issuer === REFUSED_TOKEN) return "jwt_authn_access_denied";
  return denied ? "rbac_access_denied" : "";
}

function commonOf({ source, port, issuer, count, firstSeenMs, lastSeenMs }: CountedCalls): AccessLogCommon {
  return AccessLogCommon.fromPartial({
    sampleRate: 1 / count,
    downstreamLocalAddress: { socketAddress: { portValue: port } },
    startTime: new Date(firstSeenMs),
    duration: durationOf(lastSeenMs - firstSeenMs),
    ...(source === ""
      ? {}
      : { tlsProperties: { peerCertificateProperties: { subjectAltName: [{ uri: source }] } } }),
    ...(issuer === ""
      ? {}
      : { metadata: { filterMetadata: { [JWT_METADATA]: { payload: { iss: issuer } } } } }),
  });
}

function durationOf(ms: number): { seconds: number; nanos: number } {
  return { seconds: Math.floor(ms / 1000), nanos: Math.round((ms % 1000) * 1e6) };
}

/** Empty: it is none that Envoy's log has a name for. */
export function methodOf(request: Pick<HTTPRequestProperties, "requestMethod"> | undefined): string {
  return METHODS.get(request?.requestMethod ?? 0) ?? "";
}

/** The SPIFFE ID that the client has shown; empty: none. */
export function sourceOf({ tlsProperties }: AccessLogCommon): string {
  const names = tlsProperties?.peerCertificateProperties?.subjectAltName ?? [];
  return names.find(({ uri }) => uri !== undefined)?.uri ?? "";
}

function portOf({ downstreamLocalAddress }: AccessLogCommon): number {
  return downstreamLocalAddress?.socketAddress?.portValue ?? 0;
}

/** Envoy has a token's claims under the key that its provider says: of ours that is one. */
function issuerOf(metadata: Metadata | undefined): string {
  const told = metadata?.filterMetadata[JWT_METADATA];
  if (told === undefined) return "";
  for (const claims of Object.values(told)) {
    const issuer: unknown =
      typeof claims === "object" && claims !== null && "iss" in claims ? claims.iss : undefined;
    if (typeof issuer === "string") return issuer;
  }
  return "";
}

function seenIn({ sampleRate, startTime, duration }: AccessLogCommon): Seen {
  const count = sampleRate > 0 ? Math.min(Math.max(1, Math.round(1 / sampleRate)), MOST_CALLS) : 1;
  const firstMs = startTime?.getTime() ?? 0;
  const tookMs = duration === undefined ? 0 : duration.seconds * 1000 + duration.nanos / 1e6;
  return { count, firstMs, lastMs: Math.round(firstMs + tookMs) };
}
