export type MtlsMode = "UNSET" | "DISABLE" | "PERMISSIVE" | "STRICT";

/** `security.istio.io` PeerAuthentication: whether inbound traffic must be mutual TLS. */
export interface PeerAuthenticationSpec {
  /** Empty: the whole namespace, or the whole mesh in the root namespace. */
  readonly selector: Readonly<Record<string, string>>;
  readonly mode: MtlsMode;
  /** By the port that the application listens on. */
  readonly portLevelMtls: ReadonlyMap<number, MtlsMode>;
}
