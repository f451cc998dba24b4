import { X509Certificate } from "node:crypto";
import { isIP, type Socket } from "node:net";
import { connect, createSecureContext, type SecureContext, type TLSSocket } from "node:tls";
import { MeshError, messageOf } from "../../../mesh/errors.ts";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import { TUNNEL_ALPN } from "../../codec/mux/frames.ts";
import type { MeshTls } from "../../model/tls.ts";
import { compileString, type StringTest } from "../../tables/matchers.ts";
import { carriedBy } from "../break-off.ts";
import { type TlsMaterial, tlsEpoch, tlsMaterial } from "./contexts.ts";
import { judgePeer, namedTrustDomains, type PeerVerdict } from "./peer.ts";
import { type SecretStore, trustDomainOf } from "./secret-store.ts";
import type { TlsConnection } from "./server-tls.ts";

const MOST_SESSIONS = 1024;

export interface ClientTlsOptions {
  readonly tls: MeshTls;
  readonly secrets: SecretStore;
  readonly clock: Clock;
  /** Offered instead of the context's own list. */
  readonly alpn?: readonly string[];
  /** The tunnel is offered: connections have nothing of their own to say first. */
  readonly offersTunnel: boolean;
}

interface Armed {
  readonly material: TlsMaterial;
  readonly context: SecureContext;
  /** Last session by endpoint. They are resumed under the same identity and trust only: a change starts a new map. */
  readonly sessions: Map<string, Session>;
}

/** Node shows no certificate on a resumed connection, so the one of the full handshake is kept with the ticket. */
interface Session {
  readonly ticket: Buffer;
  readonly certificate: X509Certificate;
}

/** Calls upstreams over mutual TLS; verifies the server on every connection, resumed ones included. */
export class ClientTls {
  readonly #options: ClientTlsOptions;
  readonly #sans: readonly StringTest[];
  readonly #alpn: string[];
  #armed: Armed | undefined;

  constructor(options: ClientTlsOptions) {
    this.#options = options;
    this.#sans = options.tls.sans.map(compileString);
    const { tls, alpn = tls.alpn } = options;
    this.#alpn = options.offersTunnel ? [TUNNEL_ALPN, ...alpn] : [...alpn];
  }

  /** Changes with identity or trust; connections of another epoch are not to be used for new requests. */
  get epoch(): string {
    return tlsEpoch(this.#options.secrets, this.#options.tls);
  }

  /** Makes a connected socket a TLS one. On failure, which is a rejection with the reason, it is destroyed. */
  async connect(raw: Socket, endpoint: string): Promise<TlsConnection> {
    const armed = this.#arm();
    const session = armed.sessions.get(endpoint);
    const socket = this.#open(raw, armed, session?.ticket);
    socket.on("error", () => {});
    carriedBy(socket, raw);
    try {
      await secured(socket);
      const certificate = socket.isSessionReused() ? session?.certificate : socket.getPeerX509Certificate();
      const verdict = this.#judge(certificate, armed);
      if (!verdict.ok || certificate === undefined) {
        throw new MeshError("identity.invalid", verdict.ok ? "no certificate" : verdict.reason);
      }
      // Tickets come after the handshake (TLS 1.3), and only those of verified peers are kept.
      this.#options.secrets.livePeers.add(socket, certificate);
      socket.on("session", (ticket) => remember(armed.sessions, endpoint, { ticket, certificate }));
      return { socket, peer: verdict.peer };
    } catch (error) {
      armed.sessions.delete(endpoint);
      socket.destroy();
      throw new MeshError("identity.invalid", `TLS with ${endpoint}: ${messageOf(error)}`, { cause: error });
    }
  }

  #open(raw: Socket, armed: Armed, session: Buffer | undefined): TLSSocket {
    const { serverName } = this.#options.tls;
    return connect({
      socket: raw,
      secureContext: armed.context,
      ...(serverName !== "" && isIP(serverName) === 0 ? { servername: serverName } : {}),
      ...(this.#alpn.length > 0 ? { ALPNProtocols: this.#alpn } : {}),
      ...(session ? { session } : {}),
      rejectUnauthorized: true,
      // Names are SPIFFE IDs here, not host names. Node asks on full handshakes only; `connect` asks again on each.
      checkServerIdentity: (_host, certificate) => {
        const verdict = this.#judge(new X509Certificate(certificate.raw), armed);
        return verdict.ok ? undefined : new Error(verdict.reason);
      },
    });
  }

  #arm(): Armed {
    const material = tlsMaterial(this.#options.secrets, this.#options.tls);
    if (material === undefined) throw new MeshError("identity.invalid", "call over TLS without an SVID");
    if (this.#armed?.material.epoch !== material.epoch) {
      this.#armed = { material, context: createSecureContext(material.options), sessions: new Map() };
    }
    return this.#armed;
  }

  #judge(certificate: X509Certificate | undefined, { material }: Armed): PeerVerdict {
    return judgePeer(certificate, {
      trustDomains: [trustDomainOf(material.certificate), ...namedTrustDomains(this.#options.tls.sans)],
      sans: this.#sans,
      nowMs: this.#options.clock.now(),
      revoked: this.#options.secrets.roots(this.#options.tls.roots)?.revoked ?? [],
    });
  }
}

/** Resolves when the handshake is over. */
export async function secured(socket: TLSSocket): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    socket.once("secureConnect", resolve);
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("the connection was closed during the handshake")));
  });
}

function remember(sessions: Map<string, Session>, endpoint: string, session: Session): void {
  sessions.delete(endpoint);
  sessions.set(endpoint, session);
  if (sessions.size > MOST_SESSIONS) sessions.delete(sessions.keys().next().value ?? "");
}
