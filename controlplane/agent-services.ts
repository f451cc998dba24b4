import { agentService, certificateService } from "../mesh/agent-api/services.ts";
import type { TrustDomain } from "../mesh/identity/trust-domain.ts";
import type { Clock } from "../mesh/lifecycle/clock.ts";
import type { Logger } from "../mesh/telemetry/logger.ts";
import { adsService } from "../mesh/xds/ads-service.ts";
import { parseNodeId } from "../mesh/xds/names.ts";
import type { ServerMetrics } from "./admin/metrics.ts";
import { statusTypeOf } from "./admin/proxy-view.ts";
import type { AgentBundles } from "./agents/agent-bundles.ts";
import { agentServiceHandlers } from "./agents/agent-service.ts";
import type { AgentStreams } from "./agents/agent-streams.ts";
import { certificateServiceHandlers } from "./agents/certificate-service.ts";
import { agentAuthenticator } from "./agents/peer.ts";
import type { Placements } from "./agents/placements.ts";
import type { AgentFacingService } from "./agents/server.ts";
import { storedGroups } from "./agents/stored-groups.ts";
import { storedProxySettings } from "./agents/stored-proxy-settings.ts";
import { admitWorkload } from "./attest/admit-workload.ts";
import type { AgentRecords } from "./attest/agent-records.ts";
import type { Attestor } from "./attest/attestor.ts";
import { AgentJoin } from "./attest/join-agent.ts";
import { standingOf } from "./attest/standing.ts";
import type { AuditLog } from "./audit/audit-log.ts";
import type { AuditEvent } from "./audit/audit-record.ts";
import type { Bans } from "./ca/bans.ts";
import type { CertificateAuthority } from "./ca/certificate-authority.ts";
import type { MeshAuthority } from "./ca/mesh-authority.ts";
import type { CallHistory } from "./observed/call-history.ts";
import type { ConfigStore } from "./store/config-store.ts";
import type { AdsCall, Authorization } from "./xds/ads-connection.ts";
import { type AdsServer, adsHandlers } from "./xds/ads-handlers.ts";
import type { ConfigSource } from "./xds/config-source.ts";

export interface AgentServicesOptions {
  readonly ca: CertificateAuthority;
  readonly authority: Pick<MeshAuthority, "issueJwt">;
  readonly attestors: readonly Attestor[];
  readonly agents: AgentRecords;
  readonly placements: Placements;
  readonly history: CallHistory;
  readonly store: Pick<ConfigStore, "get" | "list" | "onChange">;
  readonly audit: Pick<AuditLog, "note">;
  readonly bans: Bans;
  readonly bundles: AgentBundles;
  readonly streams: AgentStreams;
  readonly translator: ConfigSource;
  readonly rootNamespace: string;
  readonly metrics: ServerMetrics;
  readonly trustDomain: TrustDomain;
  readonly serverName: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

export interface AgentServices {
  readonly list: readonly AgentFacingService[];
  readonly ads: AdsServer;
}

/** What answers on the agents' port: join and registration, certificates, ADS. */
export function agentFacingServices(options: AgentServicesOptions): AgentServices {
  const { attestors, agents, placements, translator, metrics, trustDomain, clock, signal } = options;
  const { bans } = options;
  const ca = counted(options.ca, metrics);
  const authenticator = agentAuthenticator(trustDomain, agents, bans, clock);
  const log = options.logger.child("agents");
  const groups = storedGroups(options.store);
  const settings = storedProxySettings(options.store, options.rootNamespace, signal);

  /** A stream may ask for the workloads that are placed on its agent's host now, and for no others (DESIGN §6). */
  function authorize(call: AdsCall, nodeId: string): Authorization {
    const agent = authenticator.authenticate(call);
    const named = parseNodeId(nodeId);
    if (named === undefined) return { kind: "refused", reason: `${nodeId} is not a node id of this mesh` };
    const workload = `${named.namespace}/${named.name}`;
    const placed = placements.get(workload);
    if (placed === undefined) return { kind: "unknown" };
    if (placed.banned) return { kind: "refused", reason: `${workload} is banned` };
    if (placed.agentId !== agent.id) {
      return { kind: "refused", reason: `${workload} is not placed on the host of the agent ${agent.id}` };
    }
    // What an agent is bound to may be less than when it registered: it has proven itself anew since.
    const admission = admitWorkload(agent, placed);
    if (!admission.ok) return { kind: "refused", reason: admission.reason };
    return { kind: "allowed", node: { id: nodeId, workload } };
  }

  const ads = adsHandlers({
    source: translator,
    authenticate: (call) => void authenticator.authenticate(call),
    authorize,
    authorizationRevision: () => placements.revision + agents.revision + bans.revision,
    server: options.serverName,
    logger: options.logger.child("xds"),
    clock,
    onPush: (typeUrl) => metrics.pushed(statusTypeOf(typeUrl)),
    onNack: (typeUrl) => metrics.rejected(statusTypeOf(typeUrl)),
    onPropagation: ({ ms }) => metrics.converged(ms),
  });
  const note = (event: AuditEvent): void => options.audit.note(event);
  const standing = standingOf(attestors, log);
  const join = new AgentJoin({
    ca,
    attestors,
    agents,
    bans,
    standing,
    note,
    clock,
    log,
    onOutcome: (outcome) => metrics.joined(outcome),
  });
  return {
    ads,
    list: [
      {
        definition: agentService,
        handlers: {
          ...agentServiceHandlers({ ...options, ca, join, authenticator, groups, settings, note, log }),
        },
      },
      {
        definition: certificateService,
        handlers: {
          ...certificateServiceHandlers({
            ca,
            authenticator,
            agents,
            placements,
            standing,
            bans,
            note,
            clock,
            log,
            signal,
          }),
        },
      },
      { definition: adsService, handlers: { ...ads.handlers } },
    ],
  };
}

function counted(ca: CertificateAuthority, metrics: ServerMetrics): CertificateAuthority {
  return {
    get bundle() {
      return ca.bundle;
    },
    onBundleChange: (listener, signal) => ca.onBundleChange(listener, signal),
    async issue(request) {
      metrics.certificateRequested();
      try {
        const issued = await ca.issue(request);
        metrics.certificateIssued();
        return issued;
      } catch (error) {
        metrics.certificateRefused();
        throw error;
      }
    },
  };
}
