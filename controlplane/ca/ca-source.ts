/** A CA for the leaves of the trust domain, and how peers get from it to a root. PEM, one certificate each. */
export interface IssuingCa {
  readonly certificate: string;
  /** What stands between it and a root, in the order of signing; empty for a root and for a CA right below one. */
  readonly intermediates: readonly string[];
  /** What peers are to trust. A self-signed CA is its own. */
  readonly roots: readonly string[];
}

/** The same with its key. */
export interface NewCa extends IssuingCa {
  /** PKCS#8 PEM. Secret. */
  readonly keyPem: string;
}

/**
 * Where the mesh's issuing CAs come from: made here, plugged in as files, or signed by something that keeps the root's
 * key to itself. Leaves are signed in this process, so what is behind a source may be away for days.
 */
export interface CaSource {
  readonly kind: "self-signed" | "cacerts" | "pkcs11" | "vault";
  /**
   * True: every CA is a new key, below a name constraint for the trust domain unless it is itself the root. False: the CA
   * is what somebody put there, and the next one is what they put there next.
   */
  readonly makesKeys: boolean;
  /**
   * True when every leaf under these roots is ours, so that our revocation lists speak for all of them. A root that is
   * shared with another mesh has leaves that no list of ours covers, and peers that want a list would refuse those.
   */
  readonly ownsRoots: boolean;
  /**
   * The next CA to sign with. Throws `ca.unavailable` when what is behind it does not answer, and `config.invalid` when
   * what it gives cannot be used.
   */
  next(signal: AbortSignal): Promise<NewCa>;
}
