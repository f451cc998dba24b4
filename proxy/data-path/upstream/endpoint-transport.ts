import type { Socket } from "node:net";
import { messageOf } from "../../../mesh/errors.ts";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import type { Cluster, Transport, UpstreamHttp } from "../../model/cluster.ts";
import { ClientTls } from "../tls/client-tls.ts";
import { ForeignTls } from "../tls/foreign-tls.ts";
import type { SecretStore } from "../tls/secret-store.ts";
import { meshHttpAlpn, offeredAlpn } from "./client-protocols.ts";
import { UpstreamConnectError } from "./dial.ts";
import type { PoolVariant } from "./pool-variant.ts";
import { proxyHeader } from "./proxy-header.ts";
import type { UpstreamConnection } from "./upstream-connection.ts";

/** What a connection is for: a server's chain for one does not take the other out of a tunnel. */
export type Purpose = "http" | "bytes";

export interface TlsDeps {
  readonly secrets: SecretStore;
  readonly clock: Clock;
}

interface Clients {
  /** Offers the tunnel, where a server of the mesh would take it for that. */
  readonly http: ClientTls | ForeignTls;
  readonly bytes: ClientTls | ForeignTls;
}

/** What goes between TCP and HTTP to the endpoints of one kind: nothing, a PROXY header, TLS. */
export class EndpointTransport {
  readonly transport: Transport;
  /** Its TLS is the mesh's own. */
  readonly isMesh: boolean;
  readonly #deps: TlsDeps;
  readonly #connectTimeoutMs: number;
  readonly #clients: Clients | undefined;
  /** For connections that say which HTTP they carry; made when the first is. */
  readonly #httpClients = new Map<UpstreamHttp, ClientTls>();

  /** Throws when the files that its TLS names cannot be read. */
  constructor(transport: Transport, { http, connectTimeoutMs }: Cluster, deps: TlsDeps) {
    this.transport = transport;
    this.isMesh = transport.kind === "tls" && transport.tls.kind === "mesh";
    this.#deps = deps;
    this.#connectTimeoutMs = connectTimeoutMs;
    this.#clients = transport.kind === "tls" ? clientsOf(transport, http, deps) : undefined;
  }

  /** The server may be one that speaks the tunnel. */
  mayTunnel(purpose: Purpose, saysHttp = false): boolean {
    return offersTunnel(this.transport, purpose, saysHttp);
  }

  /** What connections are made under; another value means that they must not be used again. */
  get epoch(): string {
    return this.#clients === undefined ? "plain" : this.#clients.http.epoch;
  }

  /** Takes a socket that is connected to `host` through it. Rejects with `UpstreamConnectError`, with the socket closed. */
  async secure(
    raw: Socket,
    host: string,
    purpose: Purpose,
    variant: Partial<PoolVariant> & { readonly http: UpstreamHttp | undefined },
    signal: AbortSignal,
  ): Promise<UpstreamConnection> {
    const { proxyProtocol } = this.transport;
    if (proxyProtocol && variant.caller) raw.write(proxyHeader(proxyProtocol, variant.caller));
    const client = this.#clientFor(purpose, variant.http);
    if (client === undefined) return { socket: raw, peer: undefined };
    const giveUp = (): void => void raw.destroy();
    const timer = setTimeout(giveUp, this.#connectTimeoutMs);
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      return await client.connect(raw, host, variant.called);
    } catch (error) {
      raw.destroy();
      throw new UpstreamConnectError("UF", messageOf(error), error);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", giveUp);
    }
  }

  /** `http`: what the connection is to say that it carries; undefined: what its cluster says. */
  #clientFor(purpose: Purpose, http: UpstreamHttp | undefined): ClientTls | ForeignTls | undefined {
    const { transport } = this;
    if (http === undefined || transport.kind !== "tls" || transport.tls.kind !== "mesh")
      return this.#clients?.[purpose];
    const client =
      this.#httpClients.get(http) ??
      new ClientTls({
        tls: transport.tls,
        ...this.#deps,
        alpn: meshHttpAlpn(http),
        offersTunnel: offersTunnel(transport, purpose, true),
      });
    this.#httpClients.set(http, client);
    return client;
  }
}

function clientsOf(
  transport: Extract<Transport, { readonly kind: "tls" }>,
  http: UpstreamHttp,
  deps: TlsDeps,
): Clients {
  const { tls } = transport;
  const alpn = offeredAlpn(tls.alpn, http);
  if (tls.kind === "foreign") {
    const client = new ForeignTls({ tls, ...deps, alpn });
    return { http: client, bytes: client };
  }
  const client = (purpose: Purpose): ClientTls =>
    new ClientTls({ tls, ...deps, alpn, offersTunnel: offersTunnel(transport, purpose, false) });
  return { http: client("http"), bytes: client("bytes") };
}

/**
 * Names of ALPN lead to a server's chain for HTTP, or to one for bytes; without any it may be either. `saysHttp`: they
 * are of HTTP, whatever the cluster says. A connection that begins with whom it is for carries nobody else's calls.
 */
function offersTunnel(transport: Transport, purpose: Purpose, saysHttp: boolean): boolean {
  if (transport.kind !== "tls" || transport.tls.kind !== "mesh" || transport.proxyProtocol !== undefined)
    return false;
  const { alpn } = transport.tls;
  const isForHttp = saysHttp || alpn.some((name) => /http|h2/.test(name));
  return (alpn.length === 0 && !saysHttp) || isForHttp === (purpose === "http");
}
