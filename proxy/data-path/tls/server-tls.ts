import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { MeshError } from "../../../mesh/errors.ts";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import { TUNNEL_ALPN } from "../../codec/mux/frames.ts";
import type { DownstreamTls } from "../../model/tls.ts";
import { compileString, type StringTest } from "../../tables/matchers.ts";
import { carriedBy } from "../break-off.ts";
import { chooseHttpAlpn } from "../http/server-protocols.ts";
import { type TlsMaterial, tlsMaterial } from "./contexts.ts";
import { judgePeer, namedTrustDomains, type PeerCertificate } from "./peer.ts";
import { type SecretStore, trustDomainOf } from "./secret-store.ts";

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
 * Terminates TLS for one filter chain. A new SVID or trust bundle holds from the next handshake on; connections that
 * are there stay. Tickets of an older SVID or bundle resume nothing, because their keys go with the old context.
 */
export class ServerTls {
  readonly #options: ServerTlsOptions;
  readonly #sans: readonly StringTest[];
  readonly #server: Server;
  /** By the other end's address and port, which is unique among the open connections of a listener. */
  readonly #waiting = new Map<string, Waiting>();
  readonly #stopListening: () => void;
  #material: TlsMaterial | undefined;

  constructor(options: ServerTlsOptions) {
    this.#options = options;
    this.#sans = options.tls.sans.map(compileString);
    this.#material = tlsMaterial(options.secrets, options.tls);
    this.#server = createServer({
      ...this.#material?.options,
      requestCert: options.tls.roots !== undefined,
      rejectUnauthorized: options.tls.roots !== undefined,
      handshakeTimeout: options.tls.handshakeTimeoutMs,
      allowHalfOpen: true,
      ALPNCallback: ({ protocols }) => chooseAlpn(options, protocols),
    });
    this.#server.on("error", () => {});
    this.#server.on("secureConnection", (socket) => this.#take(socket)?.resolve(socket));
    this.#server.on("tlsClientError", (error, socket) => {
      socket.on("error", () => {});
      this.#take(socket)?.reject(error);
    });
    this.#stopListening = options.secrets.onChange(() => this.#refresh());
  }

  get ownId(): string | undefined {
    return this.#material?.certificate.spiffeId;
  }

  /** The handshake with a client, and its identity. Rejects when there is no peer that may come in. */
  async accept(raw: Socket): Promise<TlsConnection> {
    const material = this.#material;
    if (material === undefined)
      throw new MeshError("identity.invalid", "accept a TLS connection without an SVID");
    const socket = await this.#handshake(raw);
    // Before anything else: an error on a TLS socket without a listener ends the process (CVE-2025-59465).
    socket.on("error", () => {});
    carriedBy(socket, raw);
    const { tls, clock, secrets } = this.#options;
    if (tls.roots === undefined) return { socket, peer: undefined };
    const certificate = socket.getPeerX509Certificate();
    const verdict = judgePeer(certificate, {
      trustDomains: [trustDomainOf(material.certificate), ...namedTrustDomains(tls.sans)],
      sans: this.#sans,
      nowMs: clock.now(),
      // As they are now: a ban may have come during the handshake.
      revoked: secrets.roots(tls.roots)?.revoked ?? [],
    });
    if (verdict.ok && certificate !== undefined) {
      secrets.livePeers.add(socket, certificate);
      return { socket, peer: verdict.peer };
    }
    socket.destroy();
    throw new MeshError(
      "identity.invalid",
      `accept a TLS connection: ${verdict.ok ? "no certificate" : verdict.reason}`,
    );
  }

  close(): void {
    this.#stopListening();
  }

  async #handshake(raw: Socket): Promise<TLSSocket> {
    const key = peerKey(raw);
    return await new Promise<TLSSocket>((resolve, reject) => {
      const waiting: Waiting = { resolve, reject };
      this.#waiting.set(key, waiting);
      raw.once("close", () => {
        if (this.#waiting.get(key) === waiting) this.#waiting.delete(key);
        reject(
          new MeshError("identity.invalid", "accept a TLS connection: it was closed during the handshake"),
        );
      });
      this.#server.emit("connection", raw);
    });
  }

  #take(socket: TLSSocket): Waiting | undefined {
    const key = peerKey(socket);
    const waiting = this.#waiting.get(key);
    this.#waiting.delete(key);
    return waiting;
  }

  #refresh(): void {
    const material = tlsMaterial(this.#options.secrets, this.#options.tls);
    if (material === undefined || material.epoch === this.#material?.epoch) return;
    this.#server.setSecureContext(material.options);
    this.#material = material;
  }
}

function peerKey(socket: Socket): string {
  return `${socket.remoteAddress ?? ""}|${socket.remotePort ?? 0}`;
}

/**
 * Undefined ends the handshake (`no_application_protocol`), so whatever can be served gets an answer: Envoy goes on
 * without ALPN there, which Node cannot (istio-model.md §0.3). `istio-peer-exchange` is never chosen: it announces
 * bytes of its own.
 */
export function chooseAlpn(
  {
    protocol,
    tls,
  }: Pick<ServerTlsOptions, "protocol"> & { readonly tls: Pick<DownstreamTls, "alpn" | "roots"> },
  offered: readonly string[],
): string | undefined {
  // The tunnel is for peers who prove who they are.
  if (tls.roots !== undefined && offered.includes(TUNNEL_ALPN)) return TUNNEL_ALPN;
  const others = offered.filter((name) => name !== TUNNEL_ALPN && name !== "istio-peer-exchange");
  if (protocol === "http") return chooseHttpAlpn(tls.alpn, others);
  return tls.alpn.find((name) => others.includes(name)) ?? others[0];
}
