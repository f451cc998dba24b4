import type { Socket } from "node:net";
import { SVID_SECRET } from "../../../mesh/xds/names.ts";
import { TUNNEL_ALPN } from "../../codec/mux/frames.ts";
import { TunnelServer } from "../../codec/mux/tunnel-server.ts";
import type { FilterChain, FilterChainMatch, Listener } from "../../model/listener.ts";
import type { ConnectionHello } from "../../tables/filter-chains.ts";
import { compileRbac, type RbacJudge } from "../../tables/rbac.ts";
import { type CompiledLogs, compileLogs } from "../../telemetry/access-log/compiled-logs.ts";
import { SocketWire } from "../../transport/socket-wire.ts";
import { breakOff } from "../break-off.ts";
import type { Connection, DataPathDeps } from "../connection.ts";
import { HttpFront } from "../http/http-front.ts";
import { protocolOf } from "../http/server-protocols.ts";
import { type ByteEnd, WireEnd } from "../tcp/byte-end.ts";
import { compileTcpProxy, type TcpServer } from "../tcp/serve-tcp.ts";
import { secretNames } from "../tls/contexts.ts";
import type { PeerCertificate } from "../tls/peer.ts";
import type { SecretStore } from "../tls/secret-store.ts";
import { ServerTls } from "../tls/server-tls.ts";

/** A tunnel on which nobody opens a stream. */
const TUNNEL_IDLE_MS = 600_000;

export interface ChainDeps extends DataPathDeps {
  readonly secrets: SecretStore;
}

/**
 * A filter chain at work. It lives on over a change of its listener when only its filters change (then HTTP
 * connections that are there follow the new ones from their next request on); with another match, other TLS or other
 * limits it is another chain.
 */
export class ServingChain {
  readonly key: string;
  readonly match: FilterChainMatch;
  readonly #deps: ChainDeps;
  readonly #listener: Pick<Listener, "name" | "direction">;
  readonly #tls: ServerTls | undefined;
  readonly #http: HttpFront | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #tunnels = new Set<TunnelServer>();
  #draining = false;
  #model: FilterChain;
  #rbac: readonly RbacJudge[];
  #tcp: TcpServer | undefined;
  #logs: CompiledLogs;

  constructor(model: FilterChain, listener: Pick<Listener, "name" | "direction">, deps: ChainDeps) {
    this.key = chainKey(model);
    this.match = model.match;
    this.#deps = deps;
    this.#listener = listener;
    this.#model = model;
    const { tls, terminal } = model;
    const { secrets, clock } = deps;
    this.#tls = tls && new ServerTls({ tls, protocol: terminal.kind, secrets, clock });
    this.#logs = compileLogs(terminal.accessLog, deps.sinks);
    this.#http = terminal.kind === "http" ? new HttpFront(terminal, this.#logs, deps) : undefined;
    this.#rbac = model.rbac.map(compileRbac);
    this.#tcp = terminal.kind === "tcp" ? compileTcpProxy(terminal, this.#logs, deps) : undefined;
  }

  get model(): FilterChain {
    return this.#model;
  }

  /** `model` has this chain's key. */
  update(model: FilterChain): void {
    this.#model = model;
    this.#rbac = model.rbac.map(compileRbac);
    const former = this.#logs;
    this.#logs = compileLogs(model.terminal.accessLog, this.#deps.sinks);
    if (model.terminal.kind === "http") this.#http?.update(model.terminal, this.#logs);
    else this.#tcp = compileTcpProxy(model.terminal, this.#logs, this.#deps);
    // What both name is kept.
    former.release();
  }

  /** Serves a connection; resolves when it is handed over (HTTP) or over (TCP). */
  async serve(raw: Socket, hello: ConnectionHello): Promise<void> {
    this.#sockets.add(raw);
    raw.once("close", () => this.#sockets.delete(raw));
    const { socket, peer } = this.#tls
      ? await this.#tls.accept(raw, hello.serverName)
      : { socket: raw, peer: undefined };
    const connection = this.#describe(hello, peer);
    if (!this.#rbac.every((judge) => this.#admits(connection, judge))) {
      socket.destroy();
      this.#deps.observer.tcpRefused(connection.ends, this.#logs);
      return;
    }
    if (this.#http) this.#http.accept(socket, connection);
    else if (protocolOf(socket) === TUNNEL_ALPN) this.#serveTunnel(socket, connection);
    else await this.#tcp?.(new WireEnd(new SocketWire(socket, breakOff), () => socket.destroy()), connection);
  }

  /** Each of its streams is judged as a connection by itself: policies may have changed since the first. */
  #serveTunnel(socket: Socket, connection: Connection): void {
    let session: TunnelServer | undefined;
    let isClosed = false;
    session = new TunnelServer(
      new SocketWire(socket, breakOff),
      {
        request: undefined,
        bytes: (stream) => this.#serveStream(stream, connection),
        refused: () => {},
        closed: () => {
          isClosed = true;
          if (session) this.#tunnels.delete(session);
        },
      },
      { alarms: this.#deps.alarms, idleMs: TUNNEL_IDLE_MS },
    );
    if (isClosed) return;
    this.#tunnels.add(session);
    if (this.#draining) session.drain();
  }

  #serveStream(stream: ByteEnd, connection: Connection): void {
    if (!this.#rbac.every((judge) => this.#admits(connection, judge))) {
      stream.reset({ kind: "limit", reason: "policy" });
      this.#deps.observer.tcpRefused(connection.ends, this.#logs);
      return;
    }
    this.#tcp?.(stream, connection).catch(() => stream.reset({ kind: "cancelled" }));
  }

  /** HTTP answers close their connections from now on. */
  drain(): void {
    this.#draining = true;
    this.#http?.drain();
    for (const tunnel of this.#tunnels) tunnel.drain();
  }

  closeIdle(): void {
    this.#http?.closeIdle();
  }

  /** Cuts what is left. */
  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#tls?.close();
    this.#http?.close();
    this.#logs.release();
  }

  #admits({ facts, ends }: Connection, judge: RbacJudge): boolean {
    const { enforced, shadow } = judge({ connection: facts, request: undefined });
    for (const verdict of [shadow, enforced]) {
      if (verdict === undefined) continue;
      const { observer } = this.#deps;
      observer.policyMatched({ ...verdict, shadow: verdict === shadow, ends, method: "", path: "" });
    }
    return enforced?.allowed ?? true;
  }

  #describe(hello: ConnectionHello, peer: PeerCertificate | undefined): Connection {
    const { remoteAddress, remotePort, localAddress, localPort, serverName } = hello;
    return {
      peer,
      destination: hello.captured ? { address: localAddress, port: localPort } : undefined,
      shownUri: this.#tls?.ownUri,
      facts: { remoteAddress, remotePort, localAddress, localPort, serverName, peer: peer?.principals },
      ends: {
        direction: this.#listener.direction,
        listener: this.#listener.name,
        localAddress: localPort === 0 ? localAddress : `${localAddress}:${localPort}`,
        remoteAddress: `${remoteAddress}:${remotePort}`,
        serverName,
        clientId: peer?.principals && peer.uri,
        ownId: this.#deps.secrets.certificate(SVID_SECRET)?.spiffeId,
        secure: this.#tls !== undefined,
        caller: undefined,
        introduced: false,
      },
    };
  }
}

/** Equal for chains that can take over each other's connections. */
export function chainKey({ match, tls, terminal }: FilterChain): string {
  const limits =
    terminal.kind === "http"
      ? [
          terminal.codec,
          terminal.http2,
          terminal.maxRequestHeadersKb,
          terminal.requestHeadersTimeoutMs,
          terminal.requestTimeoutMs,
          terminal.idleTimeoutMs,
        ]
      : [];
  return JSON.stringify([match, tls ?? null, terminal.kind, limits]);
}

/** What must be there before a chain can serve. */
export function chainNeeds(chain: FilterChain): {
  readonly secrets: readonly string[];
  readonly routes: readonly string[];
  readonly clusters: readonly string[];
} {
  const { tls, terminal } = chain;
  return {
    secrets: tls ? secretNames(tls) : [],
    routes: terminal.kind === "http" && terminal.routes.kind === "rds" ? [terminal.routes.name] : [],
    clusters: terminal.kind === "tcp" ? terminal.clusters.map(({ name }) => name) : inlineClusters(terminal),
  };
}

function inlineClusters({ routes }: Extract<FilterChain["terminal"], { kind: "http" }>): string[] {
  if (routes.kind !== "inline") return [];
  return routes.config.virtualHosts
    .flatMap((host) => host.routes)
    .flatMap(({ action }) => (action.kind === "forward" ? action.clusters.map(({ name }) => name) : []));
}
