import type { AgentBinding } from "./agent-binding.ts";
import type { AgentRecord } from "./agent-records.ts";

/** How a host can prove who it is. `last-certificate`: an agent that was away for longer than its certificate held. */
export type AttestationMethod =
  | "join-token"
  | "last-certificate"
  | "nomad-jwt"
  | "consul-token"
  | "x509-pop"
  | "ssh-pop"
  | "aws-iid"
  | "gcp-iit"
  | "azure-imds";

/** What a method is worth, declared by itself. */
interface MethodProperties {
  readonly method: AttestationMethod;
  /** What the proof belongs to: for people and for the log. */
  readonly bindsTo: string;
  /** Whether the same host can prove itself again. */
  readonly reattestable: boolean;
  /**
   * Trust on first use: any process of the host could get the proof, so the first key that shows it is the host's, and
   * a second one is an alarm.
   */
  readonly tofu: boolean;
  /** `possession`: a key that never leaves the host; `bearer`: whoever has the text; `platform`: the host's platform says so. */
  readonly strength: "possession" | "bearer" | "platform";
  /** Whether the evidence answers a challenge of the server. */
  readonly challenged: boolean;
}

/** One attempt, with possession of the new key proven. Nothing else in it is believed. */
export interface AttestationAttempt {
  readonly evidence: string;
  /** That was fresh and for this key; empty for methods without one. */
  readonly challenge: Buffer;
  /** SubjectPublicKeyInfo of the agent's new key. */
  readonly publicKeyDer: Buffer;
  /** What the host calls itself. */
  readonly nodeName: string;
  /** The caller's address, without its port. */
  readonly peerAddress: string;
}

/** What a proof shows of a host. */
export interface AttestedHost {
  readonly kind: "host";
  /** What the proof belongs to, by a name that stays the same: an allocation, a fingerprint, an instance. */
  readonly subject: string;
  /** Left out: an id that follows from method and subject. */
  readonly agentId?: string;
  /** The host's name where the proof has it; left out: what the host calls itself. */
  readonly nodeName?: string;
  readonly binding: AgentBinding;
  /** The longest life of the agent's certificate; left out: what is usual. */
  readonly ttlMs?: number;
}

/** An agent that was attested before and shows that it is the same one. */
interface AttestedAgent {
  readonly kind: "agent";
  readonly agentId: string;
}

/** The reason of a refusal is for the log alone: callers hear one and the same. */
export type Attestation =
  | AttestedHost
  | AttestedAgent
  | { readonly kind: "refused"; readonly reason: string };

export type Verdict = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** One way to prove who a host is. */
export interface Attestor {
  readonly properties: MethodProperties;
  /**
   * Judges the evidence. Rejects with `registry.unavailable` when who decides cannot be asked now: nothing new is given
   * then. Anything else that is wrong is a value. The evidence may be a secret: it is not kept and in no reason.
   */
  attest(attempt: AttestationAttempt, signal: AbortSignal): Promise<Attestation>;
  /**
   * Whether what an agent was attested for is still so, asked when it renews its own certificate. Left out: it is.
   * Rejects like `attest`; the agent keeps what it has then.
   */
  stillHolds?(agent: AgentRecord, signal: AbortSignal): Promise<Verdict>;
}

export function refused(reason: string): Extract<Attestation, { kind: "refused" }> {
  return { kind: "refused", reason };
}
