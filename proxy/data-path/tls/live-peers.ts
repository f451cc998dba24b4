import type { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import type { RevokedCertificates } from "../../../mesh/identity/revoked-certificates.ts";
import { isRevoked } from "../../../mesh/identity/verify-peer-svid.ts";

/** The connections that are open, with whom: one with a peer that is banned meanwhile ends at once. */
export class LivePeers {
  readonly #certificates = new Map<TLSSocket, X509Certificate>();

  add(socket: TLSSocket, certificate: X509Certificate): void {
    if (socket.destroyed) return;
    this.#certificates.set(socket, certificate);
    socket.once("close", () => this.#certificates.delete(socket));
  }

  endRevoked(revoked: readonly RevokedCertificates[]): void {
    if (revoked.length === 0) return;
    for (const [socket, certificate] of this.#certificates) {
      if (isRevoked(certificate.raw, revoked)) socket.destroy();
    }
  }
}
