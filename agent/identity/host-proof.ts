/** How this host proves to a server who it is, by one method. */
export interface HostProof {
  readonly method: string;
  /** Whether the evidence answers a challenge of the server. */
  readonly challenged: boolean;
  /** Whether it can be given again, without an operator. */
  readonly repeatable: boolean;
  /** Attempts to join of one purpose are made with one key, until one succeeds. May be a secret: it is hashed. */
  readonly purpose: string;
  /** The file that the evidence is read from, which somebody else keeps fresh; left out: there is none. */
  readonly file?: string;
  /**
   * The evidence, in the method's form, read or made anew each time. It may be a secret: it is in no log and no error.
   * Throws `agent.join` when it cannot be had.
   */
  evidence(challenge: Uint8Array, newPublicKeyDer: Uint8Array, signal: AbortSignal): Promise<string>;
}

/** A join token's secret. */
export function tokenProof(secret: string): HostProof {
  const method = "join-token";
  const purpose = `${method} ${secret}`;
  return { method, challenged: false, repeatable: false, purpose, evidence: async () => secret };
}
