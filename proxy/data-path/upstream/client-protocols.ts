import { Http1ClientSession } from "../../codec/http1/client-session.ts";
import { TUNNEL_ALPN } from "../../codec/mux/frames.ts";
import { TunnelClient } from "../../codec/mux/tunnel-client.ts";
import type { ClientSession, ClientSessionObserver } from "../../codec/stream.ts";
import type { Alarms } from "../../transport/alarms.ts";
import type { Wire } from "../../transport/wire.ts";

type ClientSessionFactory = (wire: Wire, observer: ClientSessionObserver, alarms: Alarms) => ClientSession;

const http1: ClientSessionFactory = (wire, observer, alarms) =>
  new Http1ClientSession(wire, observer, alarms);

const tunnel: ClientSessionFactory = (wire, observer, alarms) => new TunnelClient(wire, observer, alarms);

/** How servers can be asked, by what ALPN has agreed upon; also what is offered of a cluster's list. */
const CLIENT_PROTOCOLS: ReadonlyMap<string, ClientSessionFactory> = new Map([
  [TUNNEL_ALPN, tunnel],
  ["http/1.1", http1],
  // Istio's own names for it, chosen among sidecars.
  ["istio", http1],
  ["istio-http/1.1", http1],
]);

/** `protocol`: what ALPN has agreed upon; undefined, like a name that says nothing: HTTP/1.1. */
export function openClientSession(
  protocol: string | undefined,
  wire: Wire,
  observer: ClientSessionObserver,
  alarms: Alarms,
): ClientSession {
  return (CLIENT_PROTOCOLS.get(protocol ?? "") ?? http1)(wire, observer, alarms);
}
