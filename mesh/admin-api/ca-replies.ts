/** The trust domain's authorities and the rotation that is under way. */
export interface CaReply {
  readonly source: string;
  /** The trust bundle's sequence. */
  readonly bundle: number;
  readonly authorities: readonly {
    /** Its key's identifier, hexadecimal. */
    readonly id: string;
    readonly state: "prepared" | "active" | "retiring" | "tainted";
    readonly subject: string;
    /** `P-256`, `P-384`, `RSA 2048`. */
    readonly key: string;
    readonly isRoot: boolean;
    /** Whether hosts that do not know its root yet find a path to an older one. */
    readonly crossSigned: boolean;
    readonly notBefore: string;
    readonly notAfter: string;
    /** Since when it is in this state. */
    readonly since: string;
  }[];
  /** What comes next; null: no rotation is under way. */
  readonly next: {
    readonly step: "activate" | "taint" | "revoke" | "abort";
    /** Hosts that are not ready for it. */
    readonly waitsFor: readonly string[];
  } | null;
  /** Whether the steps follow by themselves. */
  readonly walks: boolean;
  /** Hosts that nothing waits for, because they have not been heard of. */
  readonly away: readonly string[];
  /** False: bans hold for calls of the server, and peers cannot be told (the root has leaves of other meshes). */
  readonly bansReachPeers: boolean;
}

export interface CaRootsReply {
  /** PEM, one certificate each. */
  readonly roots: readonly string[];
}

export interface BanReply {
  readonly kind: "serial" | "identity" | "host";
  /** The serial, the SPIFFE ID, or the id of the host's agent. */
  readonly value: string;
  /** The host's name. */
  readonly host?: string;
  /** How many certificates that are still good fall under it. */
  readonly certificates: number;
  readonly reason: string;
  readonly since: string;
}
