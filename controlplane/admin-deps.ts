import { X509Certificate } from "node:crypto";
import { certificatePin } from "../mesh/identity/spki-pin.ts";
import type { TrustDomain } from "../mesh/identity/trust-domain.ts";
import type { Clock } from "../mesh/lifecycle/clock.ts";
import type { Logger } from "../mesh/telemetry/logger.ts";
import { VERSION } from "../mesh/version.ts";
import { createXdsJson } from "../mesh/xds/json.ts";
import type { AccessTokenStore } from "./admin/access/access-token-store.ts";
import { accessTokenPort } from "./admin/access-token-view.ts";
import { banPort, caPort } from "./admin/ca-view.ts";
import { toRegistryReply, toServiceReply, toWorkloadReply } from "./admin/catalog-view.ts";
import type { AdminDeps } from "./admin/ports.ts";
import { type CausesOf, toProxyReply, toProxyResources, toSyncReply } from "./admin/proxy-view.ts";
import { tokenPort } from "./admin/token-view.ts";
import type { AgentBundles } from "./agents/agent-bundles.ts";
import type { AgentStreams } from "./agents/agent-streams.ts";
import type { Placements } from "./agents/placements.ts";
import type { AgentRecords } from "./attest/agent-records.ts";
import type { JoinTokenStore } from "./attest/join-token-store.ts";
import type { FileAuditLog } from "./audit/audit-log.ts";
import { Banning } from "./banning.ts";
import type { Bans } from "./ca/bans.ts";
import type { CertificateAuthority } from "./ca/certificate-authority.ts";
import type { MeshAuthority } from "./ca/mesh-authority.ts";
import type { CaRotation } from "./ca/rotation.ts";
import { messageTypes } from "./message-types.ts";
import type { CallHistory } from "./observed/call-history.ts";
import { toObservedReply } from "./observed/observed-view.ts";
import { parseConfig } from "./parse-config.ts";
import type { EmbeddedRegistry } from "./registry/embedded/embedded-registry.ts";
import type { Registry } from "./registry/registry.ts";
import { checkAuthz, whoMayCall } from "./simulate/authz.ts";
import { explainWith } from "./simulate/explain-workload.ts";
import type { Publisher } from "./snapshot/publisher.ts";
import type { ConfigStore } from "./store/config-store.ts";
import type { Translator } from "./translate/translator.ts";
import { whatIf } from "./what-if.ts";
import type { AdsServer } from "./xds/ads-handlers.ts";

export interface AdminParts {
  readonly store: ConfigStore;
  readonly publisher: Publisher;
  readonly translator: Translator;
  readonly ads: AdsServer;
  readonly embedded: EmbeddedRegistry;
  readonly registries: readonly Registry[];
  readonly tokens: JoinTokenStore;
  readonly accessTokens: AccessTokenStore;
  readonly audit: FileAuditLog;
  readonly placements: Placements;
  readonly agents: AgentRecords;
  readonly ca: CertificateAuthority;
  readonly authority: MeshAuthority;
  readonly rotation: CaRotation;
  readonly bundles: AgentBundles;
  readonly bans: Bans;
  readonly streams: AgentStreams;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly trustDomain: TrustDomain;
  readonly rootNamespace: string;
  readonly history: CallHistory;
  readonly clock: Clock;
  /** `host:port` for join tokens. */
  readonly addresses: () => readonly string[];
}

/** The server's parts as the admin REST sees them. */
export function adminDeps(parts: AdminParts): AdminDeps {
  const { store, publisher, translator, ads, embedded, registries, placements, agents, ca, trustDomain } =
    parts;
  const { rootNamespace, audit, clock, history } = parts;
  const nodeNameOf = (workload: string): string => {
    const agentId = placements.get(workload)?.agentId ?? "";
    return agents.get(agentId)?.nodeName ?? agentId;
  };
  const causesOf: CausesOf = (workload, type, names) => translator.causes(workload, { type, names });
  const xdsJson = createXdsJson(messageTypes);
  return {
    store,
    parseDocuments: (text, options) => parseConfig(text, { ...options, rootNamespace }),
    embedded,
    sync: {
      snapshotWith: (revision, signal) => publisher.snapshotWith(revision, signal),
      waitForSync: async (snapshot, signal) =>
        toSyncReply(await ads.status.waitForSync(snapshot, signal), causesOf),
    },
    warnings: () => translator.report().warnings,
    proxies: {
      list: () => ads.status.list().map((proxy) => toProxyReply(proxy, nodeNameOf(proxy.workload), causesOf)),
      config(workload, types) {
        const resources = translator.preview(workload);
        return resources && toProxyResources(xdsJson, resources, types);
      },
    },
    whatIf: whatIf(parts),
    authz: {
      now: () => clock.now(),
      check: (from, to, question) =>
        checkAuthz({ snapshot: publisher.current, translator }, from, to, question),
      who: (to, question) => whoMayCall({ snapshot: publisher.current, translator }, to, question),
      observed: (sinceMs, isSeen) =>
        toObservedReply(
          history.since(sinceMs).filter(({ workload }) => isSeen(workload.namespace)),
          sinceMs,
        ),
    },
    explain: (workload, call) =>
      explainWith(publisher.current, translator, workload, call, () => translator.report().warnings),
    tokens: tokenPort(parts.tokens, () => ({
      addresses: parts.addresses(),
      trustDomain,
      pin: certificatePin(new X509Certificate(ca.bundle.roots[0] ?? "")),
    })),
    accessTokens: accessTokenPort(parts.accessTokens, () => parts.clock.now()),
    audit: {
      tail: async (count) => ({ records: await audit.newest(count), head: audit.head, lost: audit.lost }),
    },
    ca: caPort({ ...parts, readiness: parts.bundles }),
    bans: banPort(parts.bans, new Banning({ ...parts, logger: parts.logger.child("ca") }), agents),
    services: () =>
      [...publisher.current.services.values()]
        .flat()
        .map((service) => toServiceReply(service, publisher.current.endpoints.get(service.key) ?? [])),
    workloads: () => placements.list().map((workload) => toWorkloadReply(workload, trustDomain)),
    registries: () => registries.map(toRegistryReply),
    version: { version: VERSION, trustDomain, node: process.version },
  };
}
