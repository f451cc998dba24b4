import type { ServerWritableStream } from "@grpc/grpc-js";
import type { TrustBundle } from "../../mesh/identity/trust-bundle.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type {
  CallReport,
  CallReportResult,
  JoinRequest,
  JoinResponse,
  JwtSvidRequest,
  JwtSvidResponse,
  TrustBundleAck,
  TrustBundleAckResult,
  TrustBundleRequest,
  TrustBundleResponse,
} from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";
import type { AgentJoin } from "../attest/join-agent.ts";
import type { AuditEvent } from "../audit/audit-record.ts";
import type { Bans } from "../ca/bans.ts";
import type { CertificateAuthority } from "../ca/certificate-authority.ts";
import type { CallHistory } from "../observed/call-history.ts";
import { acceptCalls } from "./accept-calls.ts";
import type { AgentBundles } from "./agent-bundles.ts";
import type { AgentStreams } from "./agent-streams.ts";
import { peerAddress, send, streaming, unary } from "./calls.ts";
import { type JwtIssuer, jwtSvidIssuing } from "./jwt-svids.ts";
import type { AgentAuthenticator } from "./peer.ts";
import type { Placements } from "./placements.ts";
import { type RegisterCall, Registrations } from "./registrations.ts";
import type { WorkloadGroups } from "./stored-groups.ts";
import type { ProxySettings } from "./stored-proxy-settings.ts";

export interface AgentServiceDeps {
  readonly ca: CertificateAuthority;
  readonly authority: JwtIssuer;
  readonly join: Pick<AgentJoin, "join">;
  readonly authenticator: AgentAuthenticator;
  readonly placements: Placements;
  readonly bans: Pick<Bans, "has" | "onChange">;
  readonly bundles: AgentBundles;
  readonly streams: AgentStreams;
  readonly history: Pick<CallHistory, "add">;
  readonly clock: Pick<Clock, "now" | "monotonic">;
  readonly groups: WorkloadGroups;
  /** For the audit log. */
  readonly note: (event: AuditEvent) => void;
  readonly settings: ProxySettings;
  readonly log: Logger;
  /** Ends the streams when the server stops. */
  readonly signal: AbortSignal;
}

/** Whoever decides on a proof (Nomad, Consul, an issuer of keys) has answered by then. */
const JOIN_LIMIT_MS = 8_000;

type BundleCall = ServerWritableStream<TrustBundleRequest, TrustBundleResponse>;

/** The handlers of `agentService` (mesh/agent-api/services.ts). */
export function agentServiceHandlers(deps: AgentServiceDeps): AgentServiceHandlers {
  const { log, signal } = deps;
  const registrations = new Registrations(deps);
  const issueJwtSvid = jwtSvidIssuing(deps);
  deps.bans.onChange((target) => registrations.judgeBanned(target), signal);
  deps.groups.onChange((groups) => registrations.judgeMembers(groups), signal);
  deps.settings.onChange(() => registrations.judgeSettings(), signal);
  return {
    join: unary<JoinRequest, JoinResponse>(log, async (call) => {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(JOIN_LIMIT_MS)]);
      const answer = await deps.join.join({ ...call.request, peerAddress: peerAddress(call) }, limit);
      const { trustDomain } = deps.ca.bundle;
      if (answer.kind === "challenged") {
        return { certChain: [], agentId: "", trustDomain, challenge: answer.challenge };
      }
      const { agentId, certificate } = answer;
      return { certChain: [...certificate.chain], agentId, trustDomain, challenge: Buffer.alloc(0) };
    }),
    register: streaming<RegisterCall>(log, signal, (call, gone) => registrations.serve(call, gone)),
    reportCalls: unary<CallReport, CallReportResult>(log, async (call) =>
      acceptCalls(deps.authenticator.authenticate(call), call.request, deps),
    ),
    watchTrustBundle: streaming<BundleCall>(log, signal, async (call, gone) => {
      const { id } = deps.authenticator.authenticate(call);
      using stream = deps.streams.open(id);
      using _ = deps.bundles.connect(id);
      await sendBundles(call, deps.ca, AbortSignal.any([gone, stream.signal]));
    }),
    issueJwtSvid: unary<JwtSvidRequest, JwtSvidResponse>(log, async (call) =>
      issueJwtSvid(deps.authenticator.authenticate(call), call.request),
    ),
    acknowledgeTrustBundle: unary<TrustBundleAck, TrustBundleAckResult>(log, async (call) => {
      deps.bundles.acknowledge(deps.authenticator.authenticate(call).id, call.request);
      return {};
    }),
  };
}

export interface AgentServiceHandlers {
  readonly join: ReturnType<typeof unary<JoinRequest, JoinResponse>>;
  readonly register: (call: RegisterCall) => void;
  readonly reportCalls: ReturnType<typeof unary<CallReport, CallReportResult>>;
  readonly watchTrustBundle: (call: BundleCall) => void;
  readonly acknowledgeTrustBundle: ReturnType<typeof unary<TrustBundleAck, TrustBundleAckResult>>;
  readonly issueJwtSvid: ReturnType<typeof unary<JwtSvidRequest, JwtSvidResponse>>;
}

/** The bundle as it is, then each newer one; a caller that is slow gets the newest, not all. */
async function sendBundles(call: BundleCall, ca: CertificateAuthority, signal: AbortSignal): Promise<void> {
  let changed = Promise.withResolvers<void>();
  ca.onBundleChange(() => changed.resolve(), signal);
  signal.addEventListener("abort", () => changed.resolve(), { once: true });
  while (!signal.aborted) {
    await send(call, toResponse(ca.bundle), signal);
    await changed.promise;
    changed = Promise.withResolvers<void>();
  }
}

function toResponse({ roots, crls, retiring, ...bundle }: TrustBundle): TrustBundleResponse {
  return { ...bundle, roots: [...roots], crls: [...crls], retiringAuthorities: [...retiring] };
}
