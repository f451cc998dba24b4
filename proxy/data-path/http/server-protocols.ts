import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { type Http1ServerOptions, Http1ServerSession } from "../../codec/http1/server-session.ts";
import { TUNNEL_ALPN } from "../../codec/mux/frames.ts";
import { TunnelServer } from "../../codec/mux/tunnel-server.ts";
import type { ServerSession, ServerSessionObserver } from "../../codec/stream.ts";
import type { Wire } from "../../transport/wire.ts";

export type ServerOptions = Http1ServerOptions;

type ServerSessionFactory = (
  wire: Wire,
  observer: ServerSessionObserver,
  options: ServerOptions,
) => ServerSession;

const http1: ServerSessionFactory = (wire, observer, options) =>
  new Http1ServerSession(wire, observer, options);

const tunnel: ServerSessionFactory = (wire, observer, options) =>
  new TunnelServer(wire, { ...observer, bytes: undefined }, options);

/** What HTTP chains speak, by its name in ALPN; the first that a client offers is chosen. */
const SERVER_PROTOCOLS: ReadonlyMap<string, ServerSessionFactory> = new Map([
  [TUNNEL_ALPN, tunnel],
  ["http/1.1", http1],
  // Istio's own names for it, offered among sidecars.
  ["istio", http1],
  ["istio-http/1.1", http1],
]);

/** In the order in which they are chosen. */
export const SERVER_ALPN: readonly string[] = [...SERVER_PROTOCOLS.keys()];

/** What ALPN has agreed upon; undefined without TLS, or without ALPN. */
export function protocolOf(socket: Socket): string | undefined {
  return (socket as Partial<TLSSocket>).alpnProtocol || undefined;
}

/** Serves a connection by its protocol; HTTP/1.1 where nothing else was agreed upon. */
export function serveConnection(
  protocol: string | undefined,
  wire: Wire,
  observer: ServerSessionObserver,
  options: ServerOptions,
): ServerSession {
  return (SERVER_PROTOCOLS.get(protocol ?? "") ?? http1)(wire, observer, options);
}
