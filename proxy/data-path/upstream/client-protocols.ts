import { CLIENT_ALPN } from "../../../mesh/xds/names.ts";
import { Http1ClientSession } from "../../codec/http1/client-session.ts";
import { Http2ClientSession } from "../../codec/http2/client-session.ts";
import { TUNNEL_ALPN } from "../../codec/mux/frames.ts";
import { TunnelClient } from "../../codec/mux/tunnel-client.ts";
import type { ClientSession, ClientSessionObserver } from "../../codec/stream.ts";
import type { Cluster, UpstreamHttp } from "../../model/cluster.ts";
import type { Alarms } from "../../transport/alarms.ts";
import type { Wire } from "../../transport/wire.ts";

const HTTP2_NAMES: ReadonlySet<string> = new Set(["h2", "istio-h2"]);

/** What is offered of a TLS context's own names; of a context without any, what Envoy falls back to. */
export function offeredAlpn(configured: readonly string[], http: UpstreamHttp): readonly string[] {
  switch (http) {
    case "http1":
      return configured.filter((name) => !HTTP2_NAMES.has(name));
    case "http2":
      return configured.length > 0 ? configured : ["h2"];
    case "negotiated":
      return configured.length > 0 ? configured : ["h2", "http/1.1"];
    case "as-called":
      return configured;
    default:
      return http satisfies never;
  }
}

/** What mesh TLS offers whose calls were found to be HTTP: the server's proxy tells them from bytes by it. */
export function meshHttpAlpn(http: UpstreamHttp): readonly string[] {
  return http === "http2" ? CLIENT_ALPN.http2 : CLIENT_ALPN.http1;
}

export interface ClientProtocol {
  readonly http: Exclude<UpstreamHttp, "as-called">;
  readonly http2: Cluster["http2"];
  /** What ALPN has agreed upon; undefined without TLS, or without ALPN. */
  readonly agreed: string | undefined;
}

/** Asks over the tunnel where both ends have it, and otherwise in the HTTP that the cluster says. */
export function openClientSession(
  { http, http2, agreed }: ClientProtocol,
  wire: Wire,
  observer: ClientSessionObserver,
  alarms: Alarms,
): ClientSession {
  if (agreed === TUNNEL_ALPN) return new TunnelClient(wire, observer, alarms);
  const isHttp2 = http === "negotiated" ? HTTP2_NAMES.has(agreed ?? "") : http === "http2";
  return isHttp2
    ? new Http2ClientSession(wire, observer, alarms, http2)
    : new Http1ClientSession(wire, observer, alarms);
}
