import type { Socket } from "node:net";
import { messageOf } from "../../../mesh/errors.ts";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import type { Cluster, Endpoint, Transport, UpstreamHttp } from "../../model/cluster.ts";
import { hostKey } from "../../tables/balancer.ts";
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

interface Clients {
  /** Offers the tunnel, where a server of the mesh would take it for that. */
  readonly http: ClientTls | ForeignTls;
  readonly bytes: ClientTls | ForeignTls;
}

/** What goes between TCP and HTTP to each endpoint of a cluster: nothing, a PROXY header, TLS. */
export class ClusterTransports {
  readonly #model: Cluster;
  readonly #deps: TlsDeps;
  readonly #clients = new Map<Transport, Clients>();
  /** For connections that say which HTTP they carry; made when the first is. */
  readonly #httpClients = new Map<string, ClientTls>();
  /** Some connections tell whom they are for. */
  readonly tellCaller: boolean;

  /** Throws when the files that its TLS names cannot be read. */
  constructor(model: Cluster, deps: TlsDeps) {
    this.#model = model;
    this.#deps = deps;
    const transports = [model.transport, ...model.transportMatches.map(({ transport }) => transport)];
    this.tellCaller = transports.some(({ proxyProtocol }) => proxyProtocol !== undefined);
    for (const transport of transports) {
      if (transport.kind === "tls") this.#clients.set(transport, clientsOf(transport, model, deps));
    }
  }

  of(endpoint: Endpoint): Transport {
    const match = this.#model.transportMatches.find(({ criteria }) =>
      [...criteria].every(([key, value]) => endpoint.transportMatch.get(key) === value),
    );
    return match?.transport ?? this.#model.transport;
  }

  /** The server may be one that speaks the tunnel. */
  mayTunnel(endpoint: Endpoint, purpose: Purpose, saysHttp = false): boolean {
    return offersTunnel(this.of(endpoint), purpose, saysHttp);
  }

  isMesh(endpoint: Endpoint): boolean {
    const transport = this.of(endpoint);
    return transport.kind === "tls" && transport.tls.kind === "mesh";
  }

  /** What connections to the endpoint are made under; another value means that they must not be used again. */
  epochOf(endpoint: Endpoint): string {
    const client = this.#clients.get(this.of(endpoint));
    return client === undefined ? "plain" : client.http.epoch;
  }

  /** Takes a connected socket through it. Rejects with `UpstreamConnectError`, with the socket closed. */
  async secure(
    raw: Socket,
    endpoint: Endpoint,
    purpose: Purpose,
    variant: Partial<PoolVariant> & { readonly http: UpstreamHttp | undefined },
    signal: AbortSignal,
  ): Promise<UpstreamConnection> {
    const transport = this.of(endpoint);
    if (transport.proxyProtocol && variant.caller) {
      raw.write(proxyHeader(transport.proxyProtocol, variant.caller));
    }
    const client = this.#clientFor(transport, purpose, variant.http);
    if (client === undefined) return { socket: raw, peer: undefined };
    const giveUp = (): void => void raw.destroy();
    const timer = setTimeout(giveUp, this.#model.connectTimeoutMs);
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      return await client.connect(raw, hostKey(endpoint), variant.called);
    } catch (error) {
      raw.destroy();
      throw new UpstreamConnectError("UF", messageOf(error), error);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", giveUp);
    }
  }

  /** `http`: what the connection is to say that it carries; undefined: what its cluster says. */
  #clientFor(
    transport: Transport,
    purpose: Purpose,
    http: UpstreamHttp | undefined,
  ): ClientTls | ForeignTls | undefined {
    if (http === undefined || transport.kind !== "tls" || transport.tls.kind !== "mesh") {
      return this.#clients.get(transport)?.[purpose];
    }
    const key = `${http}/${this.#model.transportMatches.findIndex((match) => match.transport === transport)}`;
    const { tls } = transport;
    const client =
      this.#httpClients.get(key) ??
      new ClientTls({
        tls,
        ...this.#deps,
        alpn: meshHttpAlpn(http),
        offersTunnel: offersTunnel(transport, purpose, true),
      });
    this.#httpClients.set(key, client);
    return client;
  }
}

interface TlsDeps {
  readonly secrets: SecretStore;
  readonly clock: Clock;
}

function clientsOf(
  transport: Extract<Transport, { readonly kind: "tls" }>,
  { http }: Cluster,
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
