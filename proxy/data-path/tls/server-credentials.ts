import type { SecureContextOptions, TLSSocket } from "node:tls";
import type { PeerCertificate } from "./peer.ts";

/** With what a server shows who it is, and by what it lets clients in; of one state of the secrets. */
export interface ServerCredentials {
  /** For clients who ask for this name, empty where they do not say. `key` is equal for names with equal options. */
  optionsFor(serverName: string): { readonly key: string; readonly options: SecureContextOptions };
  /** Equal as long as nothing has changed. */
  readonly epoch: string;
  /** The URI of the own certificate, where it has one. */
  readonly ownUri: string | undefined;
}

/** Where a server's credentials come from. */
export interface CredentialSource {
  /** Undefined as long as a secret is missing. */
  current(): ServerCredentials | undefined;
  /** Whether clients are asked for a certificate, and whether who shows none that verifies is refused in the handshake. */
  readonly asks: { readonly client: boolean; readonly insists: boolean };
  /** Peers of the mesh may speak the tunnel. */
  readonly isMesh: boolean;
  /** Who the client of a finished handshake is. */
  judge(socket: TLSSocket): ClientVerdict;
}

export type ClientVerdict =
  | { readonly ok: true; readonly peer: PeerCertificate | undefined }
  | { readonly ok: false; readonly reason: string };
