import type { handleUnaryCall } from "@grpc/grpc-js";
import { MeshError } from "../../mesh/errors.ts";
import { parseCsr } from "../../mesh/identity/csr.ts";
import { agentSpiffeId, isSpiffeId, type SpiffeId, workloadSpiffeId } from "../../mesh/identity/spiffe-id.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { PlacedWorkload } from "../../mesh/model/workload.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type {
  IstioCertificateRequest,
  IstioCertificateResponse,
} from "../../mesh/xds/gen/istio/v1/auth/ca.ts";
import { admitWorkload } from "../attest/admit-workload.ts";
import type { AgentRecord, AgentRecords } from "../attest/agent-records.ts";
import { KeyedRateLimit, type RateLimitPolicy } from "../attest/rate-limit.ts";
import type { StandingOf } from "../attest/standing.ts";
import type { AuditEvent } from "../audit/audit-record.ts";
import type { Bans } from "../ca/bans.ts";
import type { CertificateAuthority } from "../ca/certificate-authority.ts";
import { unary } from "./calls.ts";
import type { AgentAuthenticator } from "./peer.ts";
import type { Placements } from "./placements.ts";

export interface CertificateServiceDeps {
  readonly ca: CertificateAuthority;
  readonly authenticator: AgentAuthenticator;
  readonly agents: Pick<AgentRecords, "recordCertificate">;
  readonly placements: Pick<Placements, "ofAgent">;
  readonly standing: StandingOf;
  readonly bans: Pick<Bans, "has">;
  readonly clock: Clock;
  readonly log: Logger;
  /** Ends what is still asked of others when the server stops. */
  readonly signal: AbortSignal;
  /** For the audit log. */
  readonly note?: (event: AuditEvent) => void;
  /** Certificates for one agent. */
  readonly rate?: RateLimitPolicy;
}

export interface CertificateServiceHandlers {
  readonly createCertificate: handleUnaryCall<IstioCertificateRequest, IstioCertificateResponse>;
}

const STANDING_LIMIT_MS = 5_000;
/**
 * A host with a thousand workloads starts; then it renews a thousand in a day. Each certificate is in the audit log, out of
 * which nobody is to push what others did.
 */
const DEFAULT_RATE: RateLimitPolicy = { perSecond: 5, burst: 2000 };

/** The handler of Istio's certificate service. */
export function certificateServiceHandlers(deps: CertificateServiceDeps): CertificateServiceHandlers {
  const rate = new KeyedRateLimit(deps.rate ?? DEFAULT_RATE);
  return {
    createCertificate: unary(deps.log, async (call) => {
      const agent = deps.authenticator.authenticate(call);
      if (!rate.take(agent.id, deps.clock.monotonic())) {
        throw new MeshError("attest.throttled", `certify for the agent ${agent.id}`, {
          hint: "it asks for certificates faster than it can need them: wait and try again",
        });
      }
      try {
        return await certify(agent, call.request, deps);
      } catch (error) {
        const { code, message: reason } = MeshError.from(error);
        deps.log.warn("certificate refused", { agentId: agent.id, code, reason });
        throw error;
      }
    }),
  };
}

/**
 * The identity that an agent may be certified for: its own when it names none; the one that it names when a workload
 * with that identity is placed on it now and within its binding. Throws `attest.refused`.
 */
export function decideIdentity(
  agent: AgentRecord,
  wanted: string | undefined,
  placed: readonly PlacedWorkload[],
  trustDomain: string,
): SpiffeId {
  if (wanted === undefined) return agentSpiffeId(trustDomain, agent.id);
  const holder = placed.find(
    (workload) =>
      workload.agentId === agent.id &&
      !workload.banned &&
      workloadSpiffeId(trustDomain, workload.namespace, workload.serviceAccount) === wanted,
  );
  if (holder !== undefined && isSpiffeId(wanted) && admitWorkload(agent, holder).ok) return wanted;
  throw new MeshError(
    "attest.refused",
    `certify ${JSON.stringify(wanted.slice(0, 200))} for the agent ${agent.id}`,
    {
      hint: "an agent gets the identities of workloads that are registered by it now",
    },
  );
}

async function certify(
  agent: AgentRecord,
  request: IstioCertificateRequest,
  deps: CertificateServiceDeps,
): Promise<IstioCertificateResponse> {
  const { ca, agents, placements, log } = deps;
  const wanted = impersonated(request.metadata);
  const spiffeId = decideIdentity(agent, wanted, placements.ofAgent(agent.id), ca.bundle.trustDomain);
  if (deps.bans.has({ kind: "identity", value: spiffeId })) {
    throw new MeshError("attest.refused", `certify ${spiffeId}: it is banned`);
  }
  if (wanted === undefined) await assertStanding(agent, deps);
  const { publicKeyDer, sans } = parseCsr(request.csr);
  if (sans.length > 1 || sans.some((name) => name !== spiffeId)) {
    throw new MeshError("ca.refused", `certify ${spiffeId}: the request asks for other names`, {
      hint: "leave the names out of the request: they are not taken from it",
    });
  }
  const ttlMs = wanted === undefined ? agent.attested.ttlMs : request.validityDuration * 1000;
  const wish = ttlMs === undefined ? {} : { ttlMs };
  const { chain, serial, notAfterMs } = await ca.issue({
    spiffeId,
    publicKeyDer,
    agentId: agent.id,
    ...wish,
  });
  if (wanted === undefined) agents.recordCertificate(agent.id, serial);
  const notAfter = new Date(notAfterMs).toISOString();
  log.info("certificate issued", { spiffeId, serial, notAfter, agentId: agent.id });
  const details = { spiffeId, serial, notAfter };
  deps.note?.({ action: "certificate", outcome: "done", actor: `agent:${agent.id}`, details });
  return { certChain: [...chain] };
}

/** An agent's own certificate says that the host is still what it was attested for. */
async function assertStanding(
  agent: AgentRecord,
  { standing, signal }: CertificateServiceDeps,
): Promise<void> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(STANDING_LIMIT_MS)]);
  const verdict = await standing(agent, limit);
  if (verdict.ok) return;
  throw new MeshError("attest.refused", `renew the certificate of the agent ${agent.id}: ${verdict.reason}`);
}

/** Istio's name for it. Present but not a text is a malformed request, not an absent one. */
function impersonated(metadata: IstioCertificateRequest["metadata"]): string | undefined {
  const value: unknown = metadata?.["ImpersonatedIdentity"];
  if (value === undefined || typeof value === "string") return value;
  throw new MeshError("object.invalid", "read the certificate request: ImpersonatedIdentity must be a text");
}
