import { createHash } from "node:crypto";
import { MeshError } from "../../mesh/errors.ts";
import type { TrustDomain } from "../../mesh/identity/trust-domain.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { JwtSvidRequest, JwtSvidResponse } from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";
import type { AgentRecord } from "../attest/agent-records.ts";
import { KeyedRateLimit, type RateLimitPolicy } from "../attest/rate-limit.ts";
import type { AuditEvent } from "../audit/audit-record.ts";
import type { Bans } from "../ca/bans.ts";
import type { MeshAuthority } from "../ca/mesh-authority.ts";
import { decideIdentity } from "./certificate-service.ts";
import type { Placements } from "./placements.ts";

export type JwtIssuer = Pick<MeshAuthority, "issueJwt">;

export interface JwtSvidDeps {
  readonly authority: JwtIssuer;
  readonly ca: { readonly bundle: { readonly trustDomain: TrustDomain } };
  readonly placements: Pick<Placements, "ofAgent">;
  readonly bans: Pick<Bans, "has">;
  readonly clock: Pick<Clock, "monotonic">;
  readonly log: Logger;
  /** For the audit log. */
  readonly note: (event: AuditEvent) => void;
}

/**
 * Of one agent, which keeps a thousand tokens at most, each for half of its life. Each is in the audit log, out of which
 * nobody is to push what others did.
 */
const RATE: RateLimitPolicy = { perSecond: 10, burst: 500 };
const MOST_AUDIENCES = 16;
const LONGEST_AUDIENCE = 512;

/**
 * Signs JWT-SVIDs for the workloads that are placed on an agent's host now, by the rule that holds for certificates, and
 * for nobody else: an agent has none of its own. The answer throws `attest.refused`, `attest.throttled`, `object.invalid`.
 */
export function jwtSvidIssuing(
  deps: JwtSvidDeps,
): (agent: AgentRecord, request: JwtSvidRequest) => JwtSvidResponse {
  const rate = new KeyedRateLimit(RATE);
  return (agent, request) => {
    if (!rate.take(agent.id, deps.clock.monotonic())) {
      throw new MeshError("attest.throttled", `sign tokens for the agent ${agent.id}`, {
        hint: "it asks for tokens faster than it can need them: wait and try again",
      });
    }
    try {
      return { token: issue(agent, request, deps) };
    } catch (error) {
      const { code, message: reason } = MeshError.from(error);
      deps.log.warn("token refused", { agentId: agent.id, code, reason });
      throw error;
    }
  };
}

function issue(
  agent: AgentRecord,
  { spiffeId: wanted, audiences }: JwtSvidRequest,
  deps: JwtSvidDeps,
): string {
  const { authority, ca, placements, bans, log, note } = deps;
  const spiffeId = decideIdentity(agent, wanted, placements.ofAgent(agent.id), ca.bundle.trustDomain);
  if (bans.has({ kind: "identity", value: spiffeId }))
    throw new MeshError("attest.refused", `sign a token for ${spiffeId}: it is banned`);
  const isFit = (audience: string): boolean => audience !== "" && audience.length <= LONGEST_AUDIENCE;
  if (audiences.length === 0 || audiences.length > MOST_AUDIENCES || !audiences.every(isFit)) {
    throw new MeshError("object.invalid", `sign a token for ${spiffeId}: its audiences cannot be`, {
      hint: `1 to ${MOST_AUDIENCES} texts of 1 to ${LONGEST_AUDIENCE} characters`,
    });
  }
  const { token, notAfterMs } = authority.issueJwt({ spiffeId, audiences });
  // By its hash a token that turns up somewhere can be found here, and nobody gets it from here.
  const sha256 = createHash("sha256").update(token).digest("hex");
  const notAfter = new Date(notAfterMs).toISOString();
  log.debug("token issued", { spiffeId, audiences, agentId: agent.id });
  const details = { spiffeId, audiences, notAfter, sha256 };
  note({ action: "token", outcome: "done", actor: `agent:${agent.id}`, details });
  return token;
}
