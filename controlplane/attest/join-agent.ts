import { randomUUID } from "node:crypto";
import { MeshError } from "../../mesh/errors.ts";
import { type ParsedCsr, parseCsr } from "../../mesh/identity/csr.ts";
import { agentSpiffeId } from "../../mesh/identity/spiffe-id.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { CertificateAuthority, IssuedCertificate } from "../ca/certificate-authority.ts";
import type { AgentRecords } from "./agent-records.ts";
import type { JoinTokenStore } from "./join-token-store.ts";
import { KeyedRateLimit, type RateLimitPolicy } from "./rate-limit.ts";

export interface JoinDeps {
  readonly ca: CertificateAuthority;
  readonly tokens: JoinTokenStore;
  readonly agents: AgentRecords;
  readonly clock: Clock;
  readonly log: Logger;
  /** Joins from one address. */
  readonly rate?: RateLimitPolicy;
  /** Hears how each join ended, for counting. */
  readonly onOutcome?: (outcome: "accepted" | "refused") => void;
}

/** A join request as it came in; nothing in it is believed. */
export interface JoinInput {
  readonly tokenSecret: string;
  readonly csr: string;
  readonly nodeName: string;
  readonly agentVersion: string;
  /** The caller's address, without its port. */
  readonly peerAddress: string;
}

export interface JoinedAgent {
  readonly agentId: string;
  readonly certificate: IssuedCertificate;
}

const DEFAULT_RATE: RateLimitPolicy = { perSecond: 1, burst: 10 };
/** Strangers do not fill the log: one line each ten seconds says that an address is slowed down. */
const TELLING_RATE: RateLimitPolicy = { perSecond: 0.1, burst: 1 };
const NODE_NAME = /^[A-Za-z0-9._-]{1,253}$/;
const VERSION = /^[\x21-\x7e]{0,64}$/;

/** Makes agents of hosts that show a join token. Cheap checks come first: address, form, proof of possession, token. */
export class AgentJoin {
  readonly #deps: JoinDeps;
  readonly #rate: KeyedRateLimit;
  readonly #telling = new KeyedRateLimit(TELLING_RATE);

  constructor(deps: JoinDeps) {
    this.#deps = deps;
    this.#rate = new KeyedRateLimit(deps.rate ?? DEFAULT_RATE);
  }

  /**
   * Throws `attest.throttled`; `identity.invalid` or `object.invalid` for a request that nobody could grant; and
   * `attest.refused`, the same whatever is wrong with the token. Each outcome but
   * the first is a line in the log.
   */
  async join(input: JoinInput): Promise<JoinedAgent> {
    try {
      const joined = await this.#admit(input);
      this.#deps.onOutcome?.("accepted");
      return joined;
    } catch (error) {
      this.#deps.onOutcome?.("refused");
      throw error;
    }
  }

  async #admit(input: JoinInput): Promise<JoinedAgent> {
    const { peerAddress } = input;
    const { clock, log } = this.#deps;
    const now = clock.monotonic();
    if (!this.#rate.take(peerAddress, now)) {
      if (this.#telling.take(peerAddress, now)) log.warn("joins throttled", { peerAddress });
      throw new MeshError("attest.throttled", "join", { hint: "wait a few seconds and try again" });
    }
    const csr = readRequest(input, log);
    return this.#redeem(input, csr);
  }

  async #redeem(input: JoinInput, csr: ParsedCsr): Promise<JoinedAgent> {
    const { ca, tokens, agents, log } = this.#deps;
    const { nodeName, peerAddress } = input;
    const redemption = tokens.redeem({
      secret: input.tokenSecret,
      publicKeyDer: csr.publicKeyDer,
      nodeName,
      agentId: randomUUID(),
    });
    if (!redemption.ok) {
      log.warn("join refused", { peerAddress, nodeName, reason: redemption.reason });
      throw new MeshError("attest.refused", "join with this token", {
        hint: "a token is good once and for a short time: make a new one with `lateen token create`",
      });
    }
    const { agentId, binding, tokenId, repeated } = redemption;
    agents.add({ id: agentId, nodeName, version: input.agentVersion, binding });
    const spiffeId = agentSpiffeId(ca.bundle.trustDomain, agentId);
    const certificate = await ca.issue({ spiffeId, publicKeyDer: csr.publicKeyDer, agentId });
    agents.recordCertificate(agentId, certificate.serial);
    const { serial, notAfterMs } = certificate;
    log.info("agent joined", { agentId, nodeName, peerAddress, tokenId, repeated, binding });
    log.info("certificate issued", {
      spiffeId,
      serial,
      notAfter: new Date(notAfterMs).toISOString(),
      agentId,
    });
    return { agentId, certificate };
  }
}

function readRequest(input: JoinInput, log: Logger): ParsedCsr {
  const { peerAddress } = input;
  try {
    if (!NODE_NAME.test(input.nodeName))
      throw malformed("nodeName", "1 to 253 of A-Z, a-z, 0-9, '.', '_', '-'");
    if (!VERSION.test(input.agentVersion)) throw malformed("agentVersion", "at most 64 printable characters");
    return parseCsr(input.csr);
  } catch (error) {
    log.warn("join refused", { peerAddress, reason: MeshError.from(error).message });
    throw error;
  }
}

function malformed(field: string, want: string): MeshError {
  return new MeshError("object.invalid", `read the join request: ${field} must be ${want}`);
}
