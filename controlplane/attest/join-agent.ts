import { createHash } from "node:crypto";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import { type ParsedCsr, parseCsr } from "../../mesh/identity/csr.ts";
import { agentSpiffeId } from "../../mesh/identity/spiffe-id.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { AuditEvent } from "../audit/audit-record.ts";
import type { Bans } from "../ca/bans.ts";
import type { CertificateAuthority, IssuedCertificate } from "../ca/certificate-authority.ts";
import { agentIdFor } from "./agent-id.ts";
import type { AgentRecord, AgentRecords } from "./agent-records.ts";
import type { AttestedHost, Attestor } from "./attestor.ts";
import { Challenges } from "./challenges.ts";
import { KeyedRateLimit, type RateLimitPolicy } from "./rate-limit.ts";
import type { StandingOf } from "./standing.ts";

export interface JoinDeps {
  readonly ca: CertificateAuthority;
  /** The methods that are allowed; there is no other, and none stands in for another. */
  readonly attestors: readonly Attestor[];
  readonly agents: AgentRecords;
  readonly bans: Pick<Bans, "has">;
  readonly standing: StandingOf;
  readonly clock: Clock;
  readonly log: Logger;
  /** Joins from one address. */
  readonly rate?: RateLimitPolicy;
  /** Joins of one host, once it has proven which it is. */
  readonly hostRate?: RateLimitPolicy;
  /** Hears how each join ended, for counting. `alarm`, beside `refused`: a host's second first use. */
  readonly onOutcome?: (outcome: JoinOutcome) => void;
  /** For the audit log. */
  readonly note?: (event: AuditEvent) => void;
}

export type JoinOutcome = "accepted" | "refused" | "alarm";

/** A join request as it came in; nothing in it is believed. */
export interface JoinInput {
  readonly method: string;
  readonly evidence: string;
  readonly challenge: Uint8Array;
  readonly csr: string;
  readonly nodeName: string;
  readonly agentVersion: string;
  /** The caller's address, without its port. */
  readonly peerAddress: string;
}

export interface JoinedAgent {
  readonly kind: "joined";
  readonly agentId: string;
  readonly certificate: IssuedCertificate;
}

/** The evidence has to answer this. */
interface Challenged {
  readonly kind: "challenged";
  readonly challenge: Buffer;
}

const DEFAULT_RATE: RateLimitPolicy = { perSecond: 1, burst: 10 };
/** A host joins once; an allocation's agent that crashes in a loop joins each time. */
const DEFAULT_HOST_RATE: RateLimitPolicy = { perSecond: 0.1, burst: 10 };
/** Strangers do not fill the log: one line each ten seconds says that an address is slowed down. */
const TELLING_RATE: RateLimitPolicy = { perSecond: 0.1, burst: 1 };
/** An answer of a method without a second time may get lost: the same key may ask again for this long. */
const REPEAT_MS = 60_000;
const LONGEST_EVIDENCE = 64 * 1024;
const NODE_NAME = /^[A-Za-z0-9._-]{1,253}$/;
const VERSION = /^[\x21-\x7e]{0,64}$/;

/**
 * Makes agents of hosts that prove who they are. Cheap checks come first: address, form, proof of possession, the
 * method's own. A request names one method, and is judged by that one or refused.
 */
export class AgentJoin {
  readonly #deps: JoinDeps;
  readonly #attestors: ReadonlyMap<string, Attestor>;
  readonly #challenges: Challenges;
  readonly #rate: KeyedRateLimit;
  readonly #hostRate: KeyedRateLimit;
  readonly #telling = new KeyedRateLimit(TELLING_RATE);

  constructor(deps: JoinDeps) {
    this.#deps = deps;
    this.#attestors = new Map(deps.attestors.map((attestor) => [attestor.properties.method, attestor]));
    this.#challenges = new Challenges(deps.clock);
    this.#rate = new KeyedRateLimit(deps.rate ?? DEFAULT_RATE);
    this.#hostRate = new KeyedRateLimit(deps.hostRate ?? DEFAULT_HOST_RATE);
  }

  /**
   * Throws `attest.throttled`; `identity.invalid` or `object.invalid` for a request that nobody could grant;
   * `registry.unavailable` when who decides cannot be asked; and `attest.refused`, the same whatever is wrong with the
   * proof. Each outcome but the first is a line in the log.
   */
  async join(input: JoinInput, signal: AbortSignal): Promise<JoinedAgent | Challenged> {
    try {
      const answer = await this.#admit(input, signal);
      if (answer.kind === "joined") {
        this.#deps.onOutcome?.("accepted");
        this.#note(input, "done", answer.agentId);
      }
      return answer;
    } catch (error) {
      this.#deps.onOutcome?.("refused");
      // A flood is not worth a record each.
      if (MeshError.from(error).code !== "attest.throttled") this.#note(input, "refused", undefined);
      throw error;
    }
  }

  #note(input: JoinInput, outcome: AuditEvent["outcome"], agentId: string | undefined): void {
    const { method, nodeName, peerAddress } = input;
    const actor = agentId === undefined ? `host:${nodeName.slice(0, 253)}` : `agent:${agentId}`;
    const details = { method: method.slice(0, 40), nodeName: nodeName.slice(0, 253) };
    this.#deps.note?.({ action: "join", outcome, actor, from: peerAddress, details });
  }

  async #admit(input: JoinInput, signal: AbortSignal): Promise<JoinedAgent | Challenged> {
    const { peerAddress } = input;
    const { clock, log } = this.#deps;
    const now = clock.monotonic();
    if (!this.#rate.take(peerAddress, now)) {
      if (this.#telling.take(peerAddress, now)) log.warn("joins throttled", { peerAddress });
      throw throttled();
    }
    const csr = readRequest(input, log);
    const attestor = this.#attestors.get(input.method);
    if (attestor === undefined)
      throw this.#refuse(input, `the method ${JSON.stringify(input.method)} is not allowed`);
    if (!attestor.properties.challenged) return this.#attest(input, attestor, csr, signal);
    if (input.evidence === "")
      return { kind: "challenged", challenge: this.#challenges.make(csr.publicKeyDer) };
    if (!this.#challenges.isFresh(input.challenge, csr.publicKeyDer)) {
      throw this.#refuse(input, "the challenge is not a fresh one of this server for this key");
    }
    return this.#attest(input, attestor, csr, signal);
  }

  async #attest(
    input: JoinInput,
    attestor: Attestor,
    { publicKeyDer }: ParsedCsr,
    signal: AbortSignal,
  ): Promise<JoinedAgent> {
    const { evidence, nodeName, peerAddress } = input;
    const challenge = Buffer.from(input.challenge);
    const attempt = { evidence, challenge, publicKeyDer, nodeName, peerAddress };
    const attested = await attestor.attest(attempt, signal);
    switch (attested.kind) {
      case "refused":
        throw this.#refuse(input, attested.reason);
      case "agent":
        return this.#certify(input, await this.#returning(input, attested.agentId, signal), publicKeyDer);
      case "host":
        return this.#certify(input, this.#record(input, attestor, attested, publicKeyDer), publicKeyDer);
      default:
        return attested satisfies never;
    }
  }

  /** An agent that comes back is what it was, as long as what it was attested for still holds. */
  async #returning(input: JoinInput, agentId: string, signal: AbortSignal): Promise<AgentRecord> {
    const record = this.#deps.agents.get(agentId);
    if (record === undefined || record.banned)
      throw this.#refuse(input, `the agent ${agentId} is banned or gone`);
    const verdict = await this.#deps.standing(record, signal);
    if (!verdict.ok) throw this.#refuse(input, verdict.reason);
    this.#takeTurn(agentId);
    this.#deps.log.info("agent came back", { agentId, peerAddress: input.peerAddress });
    return record;
  }

  #record(input: JoinInput, attestor: Attestor, host: AttestedHost, publicKeyDer: Buffer): AgentRecord {
    const { agents, log } = this.#deps;
    const { method, tofu } = attestor.properties;
    const { subject, binding } = host;
    const id = host.agentId ?? agentIdFor(method, subject);
    const keyHash = createHash("sha256").update(publicKeyDer).digest("hex");
    const known = agents.get(id);
    if (tofu && known !== undefined) this.#assertFirstUse(input, known, keyHash);
    this.#takeTurn(id);
    const nodeName = host.nodeName ?? input.nodeName;
    const attested = { method, subject, keyHash, ttlMs: host.ttlMs };
    if (!agents.put({ id, nodeName, version: input.agentVersion, binding, attested })) {
      throw this.#refuse(input, `the agent ${id} is banned`);
    }
    const again = known !== undefined;
    log.info("agent joined", {
      agentId: id,
      nodeName,
      peerAddress: input.peerAddress,
      method,
      subject,
      again,
      binding,
    });
    const record = agents.get(id);
    if (record === undefined) throw new MeshError("internal", `read back the agent ${id}`);
    return record;
  }

  /** Any process of the host could show such a proof: whoever comes second may be an intruder, or the first was. */
  #assertFirstUse(input: JoinInput, known: AgentRecord, keyHash: string): void {
    const { at, subject } = known.attested;
    if (known.attested.keyHash === keyHash && this.#deps.clock.now() - at <= REPEAT_MS) return;
    this.#deps.onOutcome?.("alarm");
    this.#deps.log.error("second attestation of one host: look whether it has been broken into", {
      agentId: known.id,
      subject,
      peerAddress: input.peerAddress,
      firstAt: new Date(at).toISOString(),
    });
    throw this.#refuse(input, `${subject} was attested before`);
  }

  #takeTurn(agentId: string): void {
    if (!this.#hostRate.take(agentId, this.#deps.clock.monotonic())) throw throttled();
  }

  async #certify(input: JoinInput, agent: AgentRecord, publicKeyDer: Buffer): Promise<JoinedAgent> {
    const { ca, agents, bans, log } = this.#deps;
    const spiffeId = agentSpiffeId(ca.bundle.trustDomain, agent.id);
    if (bans.has({ kind: "identity", value: spiffeId }))
      throw this.#refuse(input, `the identity ${spiffeId} is banned`);
    const { ttlMs } = agent.attested;
    const wish = ttlMs === undefined ? {} : { ttlMs };
    const certificate = await ca.issue({ spiffeId, publicKeyDer, agentId: agent.id, ...wish });
    agents.recordCertificate(agent.id, certificate.serial);
    const { serial, notAfterMs } = certificate;
    const notAfter = new Date(notAfterMs).toISOString();
    log.info("certificate issued", { spiffeId, serial, notAfter, agentId: agent.id });
    return { kind: "joined", agentId: agent.id, certificate };
  }

  /** The one refusal: what is wrong with the proof is for the log. */
  #refuse({ method, peerAddress, nodeName }: JoinInput, reason: string): MeshError {
    this.#deps.log.warn("join refused", { method: method.slice(0, 40), peerAddress, nodeName, reason });
    return new MeshError("attest.refused", "join with this proof", {
      hint: "the server's log says why; a join token is good once and for a short time",
    });
  }
}

function throttled(): MeshError {
  return new MeshError("attest.throttled", "join", { hint: "wait a few seconds and try again" });
}

function readRequest(input: JoinInput, log: Logger): ParsedCsr {
  const { peerAddress } = input;
  try {
    if (!NODE_NAME.test(input.nodeName))
      throw malformed("nodeName", "1 to 253 of A-Z, a-z, 0-9, '.', '_', '-'");
    if (!VERSION.test(input.agentVersion)) throw malformed("agentVersion", "at most 64 printable characters");
    if (input.evidence.length > LONGEST_EVIDENCE) throw malformed("evidence", "at most 64 KiB");
    return parseCsr(input.csr);
  } catch (error) {
    log.warn("join refused", { peerAddress, reason: messageOf(error) });
    throw error;
  }
}

function malformed(field: string, want: string): MeshError {
  return new MeshError("object.invalid", `read the join request: ${field} must be ${want}`);
}
