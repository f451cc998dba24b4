import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type {
  ProxyReply,
  ProxyResourceType,
  ProxyTypeStatus,
  RegistryReply,
} from "../mesh/admin-api/replies.ts";
import { formatJoinToken } from "../mesh/identity/join-token.ts";
import { workloadSpiffeId } from "../mesh/identity/spiffe-id.ts";
import { certificatePin } from "../mesh/identity/spki-pin.ts";
import type { TrustDomain } from "../mesh/identity/trust-domain.ts";
import type { Clock } from "../mesh/lifecycle/clock.ts";
import { parseDocuments } from "../mesh/model/parse-documents.ts";
import { createXdsJson, DESCRIPTORS_URL } from "../mesh/xds/json.ts";
import { TYPE_URL, type TypeUrl } from "../mesh/xds/type-urls.ts";
import type { AdminDeps } from "./admin/ports.ts";
import type { Placements } from "./agents/placements.ts";
import type { JoinTokenStore } from "./attest/join-token-store.ts";
import type { CertificateAuthority } from "./ca/certificate-authority.ts";
import type { EmbeddedRegistry } from "./registry/embedded/embedded-registry.ts";
import type { Registry } from "./registry/registry.ts";
import type { Publisher } from "./snapshot/publisher.ts";
import type { ConfigStore } from "./store/config-store.ts";
import type { Translator } from "./translate/translator.ts";
import type { AdsServer } from "./xds/ads-handlers.ts";
import type { ProxyStatus, TypeStatus } from "./xds/proxy-status.ts";

export interface AdminParts {
  readonly store: ConfigStore;
  readonly publisher: Publisher;
  readonly translator: Translator;
  readonly ads: AdsServer;
  readonly embedded: EmbeddedRegistry;
  readonly registries: readonly Registry[];
  readonly tokens: JoinTokenStore;
  readonly placements: Placements;
  readonly ca: CertificateAuthority;
  readonly trustDomain: TrustDomain;
  /** `host:port` for join tokens. */
  readonly addresses: () => readonly string[];
  readonly version: string;
  readonly clock: Clock;
}

/** The server's parts as the admin REST sees them. */
export function adminDeps(parts: AdminParts): AdminDeps {
  const { store, publisher, ads, embedded, placements, trustDomain } = parts;
  const xdsJson = createXdsJson(() => readFileSync(DESCRIPTORS_URL));
  return {
    store,
    parseDocuments,
    embedded,
    sync: {
      snapshotWith: (revision, signal) => publisher.snapshotWith(revision, signal),
      async waitForSync(snapshot, signal) {
        const { acked, pending, rejected } = await ads.status.waitForSync(snapshot, signal);
        return {
          acked: acked.length,
          total: acked.length + pending.length + rejected.length,
          rejected: rejected.map(({ workload, typeUrl, nack }) => ({
            workload,
            type: SHORT_TYPE[typeUrl],
            message: nack.message,
          })),
        };
      },
    },
    proxies: {
      list: () => ads.status.list().map((proxy) => proxyReply(proxy, placements)),
      config(workload, types) {
        const resources = parts.translator.preview(workload);
        return (
          resources &&
          types.flatMap((type) =>
            [...(resources.types.get(TYPE_URL[RESOURCE_KEY[type]]) ?? new Map()).values()].map(
              (resource) => ({
                type,
                name: resource.name,
                version: resource.version,
                resource: xdsJson.resourceToJson(TYPE_URL[RESOURCE_KEY[type]], resource.bytes) as Record<
                  string,
                  unknown
                >,
              }),
            ),
          )
        );
      },
    },
    tokens: tokenPort(parts),
    services: () =>
      [...publisher.current.services.values()].map((service) => {
        const endpoints = publisher.current.endpoints.get(service.hostname) ?? [];
        return {
          hostname: service.hostname,
          name: service.name,
          namespace: service.namespace,
          ports: service.ports,
          source: service.source,
          endpoints: endpoints.length,
          healthy: endpoints.filter(({ healthy }) => healthy).length,
          meshed: endpoints.filter(({ meshed }) => meshed).length,
        };
      }),
    workloads: () =>
      placements.list().map((workload) => ({
        name: workload.name,
        namespace: workload.namespace,
        service: workload.service,
        spiffeId: workloadSpiffeId(trustDomain, workload.namespace, workload.serviceAccount),
        agent: workload.agentId,
        dataPlane: workload.dataPlane,
        inbound: workload.ports.map(({ inbound }) => `${inbound.address}:${inbound.port}`),
        healthy: workload.healthy,
        labels: workload.labels,
        registeredAt: iso(workload.registeredAt),
      })),
    registries: () => parts.registries.map(registryReply),
    version: { version: parts.version, trustDomain, node: process.version },
  };
}

function tokenPort({ tokens, ca, trustDomain, addresses }: AdminParts): AdminDeps["tokens"] {
  return {
    create({ namespace, serviceAccounts, node }, ttlMs) {
      const [root] = ca.bundle.roots;
      const pin = certificatePin(new X509Certificate(root ?? ""));
      const { id, secret, expiresAt } = tokens.create({
        binding: { namespace, serviceAccounts, nodeName: node },
        ttlMs,
      });
      const token = formatJoinToken({ addresses: addresses(), trustDomain, pin, secret });
      return { id, token, expiresAt: iso(expiresAt) };
    },
    list: () =>
      tokens.list().map(({ id, state, createdAt, expiresAt, usedBy, binding }) => ({
        id,
        state,
        createdAt: iso(createdAt),
        expiresAt: iso(expiresAt),
        usedBy: usedBy ?? null,
        binding: {
          ...(binding.namespace === undefined ? {} : { namespace: binding.namespace }),
          ...(binding.serviceAccounts === undefined ? {} : { serviceAccounts: binding.serviceAccounts }),
          ...(binding.nodeName === undefined ? {} : { node: binding.nodeName }),
        },
      })),
    revoke: (id) => tokens.revoke(id),
  };
}

const RESOURCE_KEY = {
  listener: "listener",
  route: "route",
  cluster: "cluster",
  endpoint: "endpoints",
} as const satisfies Record<ProxyResourceType, keyof typeof TYPE_URL>;

const SHORT_TYPE: Readonly<Record<TypeUrl, string>> = {
  [TYPE_URL.listener]: "listener",
  [TYPE_URL.route]: "route",
  [TYPE_URL.cluster]: "cluster",
  [TYPE_URL.endpoints]: "endpoint",
  [TYPE_URL.secret]: "secret",
};

function proxyReply(proxy: ProxyStatus, placements: Placements): ProxyReply {
  const type = (key: ProxyResourceType): ProxyTypeStatus =>
    typeReply(proxy.types.get(TYPE_URL[RESOURCE_KEY[key]]));
  return {
    workload: proxy.workload,
    nodeId: proxy.nodeId,
    agent: placements.get(proxy.workload)?.agentId ?? "",
    dataPlane: proxy.dataPlane,
    version: proxy.dataPlaneVersion,
    connectedAt: iso(proxy.connectedAt),
    types: {
      listener: type("listener"),
      route: type("route"),
      cluster: type("cluster"),
      endpoint: type("endpoint"),
    },
  };
}

function typeReply(status: TypeStatus | undefined): ProxyTypeStatus {
  return {
    state: status?.state ?? "IGNORED",
    resources: status?.resources ?? 0,
    sentAt: status?.sentAt === undefined ? null : iso(status.sentAt),
    ackedAt: status?.ackedAt === undefined ? null : iso(status.ackedAt),
    rejection: status?.lastNack?.message ?? null,
  };
}

function registryReply({ name, status }: Registry): RegistryReply {
  return {
    name,
    state: status.state,
    since: status.state === "starting" ? null : iso(status.since),
    reason: status.state === "stale" ? status.reason : null,
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
