import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { MeshError } from "../../../mesh/errors.ts";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import { TUNNEL_ALPN } from "../../codec/mux/frames.ts";
import type { DownstreamTls } from "../../model/tls.ts";
import { carriedBy } from "../break-off.ts";
import { chooseHttpAlpn } from "../http/server-protocols.ts";
import { ForeignCredentials } from "./foreign-credentials.ts";
import { MeshCredentials } from "./mesh-credentials.ts";
import type { PeerCertificate } from "./peer.ts";
import type { SecretStore } from "./secret-store.ts";
import type { CredentialSource, ServerCredentials } from "./server-credentials.ts";

export interface TlsConnection {
  readonly socket: TLSSocket;
  /** Undefined when no client certificate was asked for. */
  readonly peer: PeerCertificate | undefined;
}

interface Waiting {
  resolve(socket: TLSSocket): void;
  reject(error: Error): void;
}

export interface ServerTlsOptions {
  readonly tls: DownstreamTls;
  readonly protocol: "http" | "tcp";
  readonly secrets: SecretStore;
  readonly clock: Clock;
}

/**
 * Terminates TLS for one filter chain. New certificates or roots hold from the next handshake on; connections that
 * are there stay. Tickets of older ones resume nothing, because their keys go with the old context.
 */
export class ServerTls {
  readonly #source: CredentialSource;
  readonly #protocol: ServerTlsOptions["protocol"];
  readonly #tls: DownstreamTls;
  /** By the certificates that they show. */
  readonly #servers = new Map<string, Server>();
  /** By the TCP connection: no address of it is unique, and at a unix socket there is none. */
  readonly #waiting = new WeakMap<Socket, Waiting>();
  readonly #stopListening: () => void;
  #credentials: ServerCredentials | undefined;

  constructor(options: ServerTlsOptions) {
    const { tls, secrets, clock, protocol } = options;
    const source =
      tls.kind === "mesh"
        ? new MeshCredentials(tls, secrets, clock)
        : new ForeignCredentials(tls, secrets, clock);
    this.#source = source;
    this.#tls = tls;
    this.#protocol = protocol;
    this.#credentials = source.current();
    this.#stopListening = secrets.onChange(() => this.#refresh());
  }

  /** The URI of the certificate that is shown. */
  get ownUri(): string | undefined {
    return this.#credentials?.ownUri;
  }

  /** The handshake with a client who asks for a name, and its identity. Rejects when there is no peer that may come in. */
  async accept(raw: Socket, serverName: string): Promise<TlsConnection> {
    if (this.#credentials === undefined)
      throw new MeshError("identity.invalid", "accept a TLS connection without a certificate");
    const socket = await this.#handshake(raw, this.#serverFor(serverName, this.#credentials));
    // Before anything else: an error on a TLS socket without a listener ends the process (CVE-2025-59465).
    socket.on("error", () => {});
    carriedBy(socket, raw);
    const verdict = this.#source.judge(socket);
    if (verdict.ok) return { socket, peer: verdict.peer };
    socket.destroy();
    throw new MeshError("identity.invalid", `accept a TLS connection: ${verdict.reason}`);
  }

  close(): void {
    this.#stopListening();
  }

  /** Node shows one certificate to those for whom its SNI callback chooses, so that each choice is a server by itself. */
  #serverFor(serverName: string, credentials: ServerCredentials): Server {
    const { key, options } = credentials.optionsFor(serverName);
    const known = this.#servers.get(key);
    if (known !== undefined) return known;
    const source = this.#source;
    const { alpn, handshakeTimeoutMs } = this.#tls;
    const chain = { protocol: this.#protocol, alpn, mayTunnel: source.isMesh };
    const server = createServer({
      ...options,
      requestCert: source.asks.client,
      rejectUnauthorized: source.asks.insists,
      handshakeTimeout: handshakeTimeoutMs,
      allowHalfOpen: true,
      ALPNCallback: ({ protocols }) => chooseAlpn(chain, protocols),
    });
    server.on("error", () => {});
    server.on("secureConnection", (socket) => this.#take(socket)?.resolve(socket));
    server.on("tlsClientError", (error, socket) => {
      socket.on("error", () => {});
      this.#take(socket)?.reject(error);
    });
    this.#servers.set(key, server);
    return server;
  }

  async #handshake(raw: Socket, server: Server): Promise<TLSSocket> {
    return await new Promise<TLSSocket>((resolve, reject) => {
      const closed = (): void =>
        reject(
          new MeshError("identity.invalid", "accept a TLS connection: it was closed during the handshake"),
        );
      if (raw.destroyed) {
        closed();
        return;
      }
      this.#waiting.set(raw, { resolve, reject });
      raw.once("close", closed);
      server.emit("connection", raw);
    });
  }

  #take(socket: TLSSocket): Waiting | undefined {
    const raw = rawOf(socket);
    const waiting = raw && this.#waiting.get(raw);
    if (raw) this.#waiting.delete(raw);
    return waiting;
  }

  #refresh(): void {
    const credentials = this.#source.current();
    if (credentials === undefined || credentials.epoch === this.#credentials?.epoch) return;
    this.#servers.clear();
    this.#credentials = credentials;
  }
}

/** What a TLS socket was made of: Node tells it by no public name. */
function rawOf(socket: TLSSocket): Socket | undefined {
  const { _parent: raw } = socket as unknown as { readonly _parent?: Socket };
  return raw;
}

/**
 * Undefined ends the handshake (`no_application_protocol`), so whatever can be served gets an answer: Envoy goes on
 * without ALPN there, which Node cannot (istio-model.md §0.3). `istio-peer-exchange` is never chosen: it announces
 * bytes of its own.
 */
export function chooseAlpn(
  { protocol, alpn, mayTunnel }: ChainProtocol,
  offered: readonly string[],
): string | undefined {
  // The tunnel is for peers who prove who they are.
  if (mayTunnel && offered.includes(TUNNEL_ALPN)) return TUNNEL_ALPN;
  const others = offered.filter((name) => name !== TUNNEL_ALPN && name !== "istio-peer-exchange");
  if (protocol === "http") return chooseHttpAlpn(alpn, others);
  return alpn.find((name) => others.includes(name)) ?? others[0];
}

interface ChainProtocol {
  readonly protocol: "http" | "tcp";
  readonly alpn: readonly string[];
  readonly mayTunnel: boolean;
}
