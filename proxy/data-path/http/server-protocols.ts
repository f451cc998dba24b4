import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { type Http1ServerOptions, Http1ServerSession } from "../../codec/http1/server-session.ts";
import type { Http2Options } from "../../codec/http2/options.ts";
import { Http2ServerSession } from "../../codec/http2/server-session.ts";
import { TUNNEL_ALPN } from "../../codec/mux/frames.ts";
import { TunnelServer } from "../../codec/mux/tunnel-server.ts";
import type { RefusedRequest, RequestHandler, ServerSession } from "../../codec/stream.ts";
import type { HttpConnectionManager } from "../../model/listener.ts";
import type { Wire } from "../../transport/wire.ts";
import { DetectedSession } from "./detected-session.ts";

export interface ServerOptions extends Http1ServerOptions {
  readonly codec: HttpConnectionManager["codec"];
  readonly http2: Partial<Http2Options>;
}

/** What the owner of a connection hears of it. */
export interface ConnectionObserver {
  readonly request: RequestHandler;
  refused(request: RefusedRequest, protocol: "http1" | "http2"): void;
  closed(): void;
}

/** What HTTP chains speak, by its name in ALPN, first choice first; Istio's own names leave the version open. */
const HTTP_NAMES: ReadonlyMap<string, "http1" | "http2" | "auto"> = new Map([
  ["http/1.1", "http1"],
  ["istio-http/1.1", "http1"],
  ["istio", "auto"],
  ["h2", "http2"],
  ["istio-h2", "http2"],
] as const);

/** Chosen though the chain does not name it, where nothing else would be: those who offer it may mean either. */
const UNNAMED = ["http/1.1", "istio-http/1.1", "istio"];

/**
 * The first of the chain's own names that is offered. With none of these Envoy goes on without ALPN, which Node cannot:
 * then a name that promises no more than HTTP/1.1 does.
 */
export function chooseHttpAlpn(
  configured: readonly string[],
  offered: readonly string[],
): string | undefined {
  const own = configured.find((name) => HTTP_NAMES.has(name) && offered.includes(name));
  return own ?? UNNAMED.find((name) => offered.includes(name));
}

/** What ALPN has agreed upon; undefined without TLS, or without ALPN. */
export function protocolOf(socket: Socket): string | undefined {
  return (socket as Partial<TLSSocket>).alpnProtocol || undefined;
}

/** Serves a connection by its protocol, or by its first bytes where none was agreed upon. */
export function serveConnection(
  protocol: string | undefined,
  wire: Wire,
  observer: ConnectionObserver,
  options: ServerOptions,
): ServerSession {
  const { request } = observer;
  const closed = (): void => observer.closed();
  const refusedAs = (version: "http1" | "http2") => (refusal: RefusedRequest) =>
    observer.refused(refusal, version);
  if (protocol === TUNNEL_ALPN) {
    const handlers = { request, closed, refused: refusedAs("http2"), bytes: undefined };
    return new TunnelServer(wire, handlers, options);
  }
  const open = (isHttp2: boolean, over: Wire): ServerSession =>
    isHttp2
      ? new Http2ServerSession(over, { request, closed, refused: refusedAs("http2") }, options.alarms, {
          maxHeaderBytes: options.maxHeadBytes,
          headMs: options.headMs,
          requestMs: options.requestMs,
          idleMs: options.idleMs,
          ...options.http2,
        })
      : new Http1ServerSession(over, { request, closed, refused: refusedAs("http1") }, options);
  const version = options.codec === "auto" ? (HTTP_NAMES.get(protocol ?? "") ?? "auto") : options.codec;
  if (version !== "auto") return open(version === "http2", wire);
  const { alarms, headMs } = options;
  return new DetectedSession(wire, { alarms, headMs, open, closed });
}
