import { parseAllDocuments } from "yaml";
import type { AdminDeps } from "../../controlplane/admin/ports.ts";
import type { PublishWarning } from "../../controlplane/snapshot/publish-report.ts";
import type { BanReply, CaReply } from "../../mesh/admin-api/ca-replies.ts";
import type { ObservedCallsReply, SimulatedCalls } from "../../mesh/admin-api/observed-replies.ts";
import {
  type AccessGrant,
  type AnalysisMessage,
  type AuditReply,
  type AuthzReply,
  type DiffReply,
  type EmbeddedInstance,
  type ExplainReply,
  listOf,
  type ProxyReply,
  type ProxyResourceReply,
  type SyncReply,
  type TokenBinding,
} from "../../mesh/admin-api/replies.ts";
import { MeshError } from "../../mesh/errors.ts";
import type { Kind, ParsedObject } from "../../mesh/model/object.ts";
import type { LocatedViolation } from "../../mesh/model/violation.ts";
import { MemoryConfigStore } from "./memory-config-store.ts";

/** 2026-01-02T03:04:05Z, in milliseconds. */
export const FAKE_NOW = Date.UTC(2026, 0, 2, 3, 4, 5);

/** What a test sets and looks at behind the admin API. */
export interface FakeServer {
  readonly deps: AdminDeps;
  readonly access: (AccessGrant & { readonly id: string; readonly name: string })[];
  audit: AuditReply;
  readonly created: { binding: TokenBinding; ttlMs: number }[];
  readonly instances: Map<string, EmbeddedInstance>;
  ca: CaReply;
  readonly caSteps: string[];
  readonly bans: BanReply[];
  readonly proxies: ProxyReply[];
  readonly resources: Map<string, readonly ProxyResourceReply[]>;
  /** What `waitForSync` answers; undefined: it waits until it is told to stop, then 1 of 2. */
  sync: Omit<SyncReply, "snapshot"> | undefined;
  /** What an analysis and a diff answer, and the objects (`file name`) that they were asked about. */
  messages: readonly AnalysisMessage[];
  difference: DiffReply;
  readonly overlays: (readonly string[])[];
  /** How objects are read: `wrong` and `odd` are what is to be found in them, unless told otherwise. */
  parse: AdminDeps["parseDocuments"];
  /** What the last translation warned about. */
  warnings: readonly PublishWarning[];
  /** What there is to explain, by workload, and the calls that were asked about. */
  readonly explanations: Map<string, ExplainReply>;
  readonly asked: Parameters<AdminDeps["explain"]>[1][];
  /** What there is to say of callers, by the workload that is called, and what was asked. */
  readonly callers: Map<string, readonly AuthzReply[]>;
  /** Calls that were seen, and those that a draft changes; what of them was asked for. */
  readonly observed: ObservedCallsReply[];
  readonly changes: SimulatedCalls[];
  readonly simulated: {
    readonly objects: readonly string[];
    readonly deleted: readonly string[];
    readonly sinceMs: number;
  }[];
  readonly authzAsked: Parameters<AdminDeps["authz"]["who"]>[1][];
  /** Thrown by `services()` when set. */
  failure: Error | undefined;
}

const FAKE_CA: CaReply = {
  source: "self-signed",
  bundle: 3,
  authorities: [
    {
      id: "0badcafe",
      state: "active",
      subject: "O=cluster.local, CN=Lateen root 0badcafe",
      key: "P-256",
      isRoot: true,
      crossSigned: false,
      notBefore: new Date(FAKE_NOW - 86_400_000).toISOString(),
      notAfter: new Date(FAKE_NOW + 3650 * 86_400_000).toISOString(),
      since: new Date(FAKE_NOW - 86_400_000).toISOString(),
    },
  ],
  next: null,
  walks: false,
  away: [],
  bansReachPeers: true,
};

export function fakeServer(): FakeServer {
  const store = new MemoryConfigStore({ now: () => FAKE_NOW });
  const server: FakeServer = {
    access: [],
    audit: { records: [], head: { seq: 0, hash: "0".repeat(64) }, lost: 0 },
    created: [],
    instances: new Map(),
    ca: FAKE_CA,
    caSteps: [],
    bans: [],
    proxies: [],
    resources: new Map(),
    sync: { acked: 2, total: 2, rejected: [] },
    messages: [],
    difference: { objects: [], workloads: [] },
    overlays: [],
    parse: fakeParse,
    warnings: [],
    explanations: new Map(),
    asked: [],
    callers: new Map(),
    authzAsked: [],
    observed: [],
    changes: [],
    simulated: [],
    failure: undefined,
    deps: {
      store,
      parseDocuments: (text, options) => server.parse(text, options),
      sync: {
        snapshotWith: async (revision) => revision + 100,
        waitForSync: async (_snapshot, signal) => {
          if (server.sync !== undefined) return server.sync;
          await aborted(signal);
          return { acked: 1, total: 2, rejected: [] };
        },
      },
      warnings: () => server.warnings,
      proxies: {
        list: () => server.proxies,
        config: (workload, types) =>
          server.resources.get(workload)?.filter(({ type }) => types.includes(type)),
      },
      whatIf: {
        analyze: async (over) => {
          server.overlays.push(over.map(({ file, object }) => `${file} ${object.metadata.name}`));
          return server.messages;
        },
        diff: async (over) => {
          server.overlays.push(over.map(({ file, object }) => `${file} ${object.metadata.name}`));
          return server.difference;
        },
        simulate: async (over, { deleted, sinceMs, isSeen }) => {
          server.simulated.push({
            objects: over.map(({ object }) => object.metadata.name),
            deleted,
            sinceMs,
          });
          const changes = server.changes.filter(({ calls }) => isSeen(calls.to.split("/", 1)[0] ?? ""));
          const undecided = changes.filter(({ after }) => after.allowed === null);
          return {
            since: new Date(sinceMs).toISOString(),
            changes: changes.filter(({ after }) => after.allowed !== null),
            undecided,
            untold: 0,
            compared: { kinds: 7, calls: 1234, leftOut: 0 },
          };
        },
      },
      authz: {
        now: () => FAKE_NOW,
        observed: (sinceMs, isSeen) => ({
          ...listOf(server.observed.filter(({ to }) => isSeen(to.split("/", 1)[0] ?? ""))),
          since: new Date(sinceMs).toISOString(),
          leftOut: 0,
        }),
        check: (from, to, question) => {
          server.authzAsked.push(question);
          const found = server.callers.get(to)?.find((one) => one.from === from);
          if (found !== undefined) return found;
          throw new MeshError("object.not-found", `there is no workload ${from} or ${to}`);
        },
        who: (to, question) => {
          server.authzAsked.push(question);
          const found = server.callers.get(to);
          if (found !== undefined) return found;
          throw new MeshError("object.not-found", `there is no workload ${to}`);
        },
      },
      explain: (workload, call) => {
        server.asked.push(call);
        return server.explanations.get(workload);
      },
      tokens: {
        create: (binding, ttlMs) => {
          server.created.push({ binding, ttlMs });
          const expiresAt = new Date(FAKE_NOW + ttlMs).toISOString();
          return { id: `t${server.created.length}`, token: "lateen1.e30.pin.hush", expiresAt };
        },
        list: () =>
          server.created.map(({ binding, ttlMs }, index) => ({
            id: `t${index + 1}`,
            state: "active",
            createdAt: new Date(FAKE_NOW).toISOString(),
            expiresAt: new Date(FAKE_NOW + ttlMs).toISOString(),
            usedBy: null,
            binding,
          })),
        revoke: (id) => server.created.length >= Number(id.slice(1)) && server.created.pop() !== undefined,
      },
      accessTokens: {
        create: (name, grant, ttlMs) => {
          const id = `a${server.access.length + 1}`;
          server.access.push({ id, name, ...grant });
          return {
            id,
            token: `lateen-access.${id}.hush`,
            expiresAt: new Date(FAKE_NOW + ttlMs).toISOString(),
          };
        },
        list: () =>
          server.access.map((token) => ({
            ...token,
            state: "active",
            createdAt: new Date(FAKE_NOW).toISOString(),
            expiresAt: new Date(FAKE_NOW + 86_400_000).toISOString(),
            lastUsedAt: null,
          })),
        revoke: (id) => {
          const at = server.access.findIndex((token) => token.id === id);
          return at >= 0 && server.access.splice(at, 1).length === 1;
        },
      },
      audit: { tail: async (count) => ({ ...server.audit, records: server.audit.records.slice(-count) }) },
      ca: {
        status: () => server.ca,
        roots: () => ["-----BEGIN CERTIFICATE-----\nroot\n-----END CERTIFICATE-----\n"],
        prepare: async (walk) => void server.caSteps.push(walk ? "prepare --walk" : "prepare"),
        step: async (step, force) => {
          if (!force && (server.ca.next?.waitsFor.length ?? 0) > 0) {
            throw new MeshError("ca.rotation", `${step} a CA: 1 hosts are not ready: web-3`);
          }
          server.caSteps.push(step);
        },
      },
      bans: {
        list: () => server.bans,
        ban: ({ kind, value }, reason) => {
          const certificates = kind === "serial" ? 0 : 1;
          const ban = { kind, value, certificates, reason, since: new Date(FAKE_NOW).toISOString() };
          server.bans.push(ban);
          return [ban];
        },
        unban: ({ value }) => {
          const at = server.bans.findIndex((ban) => ban.value === value);
          if (at === -1) throw new MeshError("admin.not-found", `${value} is not banned`);
          return server.bans.splice(at, 1).length;
        },
      },
      embedded: {
        put: (instance) => void server.instances.set(instance.id, instance),
        remove: (id) => server.instances.delete(id),
        list: () => [...server.instances.values()],
      },
      services: () => {
        if (server.failure !== undefined) throw server.failure;
        return [
          {
            hostname: "reviews.default.svc.cluster.local",
            name: "reviews",
            namespace: "default",
            ports: [{ name: "http-9080", number: 9080, protocol: "http" }],
            source: "embedded",
            endpoints: 3,
            healthy: 2,
            meshed: 3,
          },
        ];
      },
      workloads: () => [
        {
          name: "reviews-v1",
          namespace: "default",
          service: "reviews",
          spiffeId: "spiffe://cluster.local/ns/default/sa/reviews",
          agent: "host-1",
          dataPlane: "builtin",
          inbound: ["10.0.0.3:9080"],
          healthy: true,
          group: null,
          labels: { version: "v1" },
          registeredAt: new Date(FAKE_NOW).toISOString(),
        },
      ],
      registries: () => [
        {
          name: "consul",
          state: "stale",
          since: new Date(FAKE_NOW).toISOString(),
          reason: "connect ECONNREFUSED",
          problems: ["web: dc1/vm-1/web-1: tag lateen.port is given as both 80 and 81"],
        },
      ],
      version: { version: "0.1.0", trustDomain: "cluster.local", node: "v24.14.1" },
    },
  };
  return server;
}

/** Objects from YAML; `spec.wrong` is an error on its line, `spec.odd` a warning. */
function fakeParse(
  text: string,
  { defaultNamespace }: { readonly defaultNamespace: string },
): { objects: readonly ParsedObject[]; violations: readonly LocatedViolation[] } {
  const objects: ParsedObject[] = [];
  const violations: LocatedViolation[] = [];
  for (const [document, node] of parseAllDocuments(text).entries()) {
    const written = node.toJS() as Record<string, unknown> | null;
    if (written === null) continue;
    const {
      kind,
      metadata,
      spec = {},
    } = written as { kind: Kind; metadata: { name: string; namespace?: string }; spec?: object };
    const { name, namespace = defaultNamespace } = metadata;
    for (const [field, severity] of [
      ["wrong", "error"],
      ["odd", "warning"],
    ] as const) {
      if (!(field in spec)) continue;
      const offset = (node.getIn(["spec", field], true) as { range: [number, number, number] }).range[0];
      const line = text.slice(0, offset).split("\n").length;
      violations.push({
        document,
        kind,
        namespace,
        name,
        line,
        path: `spec.${field}`,
        message: `is ${field}`,
        severity,
      });
    }
    objects.push({
      apiVersion: String(written["apiVersion"]),
      kind,
      metadata: { name, namespace, labels: {}, annotations: {} },
      spec: spec as ParsedObject["spec"],
      written,
    });
  }
  return { objects, violations };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
