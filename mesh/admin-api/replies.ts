import type { ErrorCode } from "../errors.ts";
import type { Kind } from "../model/object.ts";
import type { Protocol } from "../model/service.ts";
import type { LocatedViolation } from "../model/violation.ts";

/**
 * What the admin REST answers and what its clients read. Times are RFC 3339 strings. Lists are
 * `{ apiVersion, kind: "List", items }`.
 */
const ADMIN_API_VERSION = "lateen/v1";

/** Every answer that is not a success, with its HTTP status. */
export interface Problem {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
  /** Set when objects were refused: all that is wrong, at once. */
  readonly violations?: readonly LocatedViolation[];
}

export interface List<T> {
  readonly apiVersion: typeof ADMIN_API_VERSION;
  readonly kind: "List";
  readonly items: readonly T[];
}

export function listOf<T>(items: readonly T[]): List<T> {
  return { apiVersion: ADMIN_API_VERSION, kind: "List", items };
}

export interface ObjectReply {
  /** The document as its author wrote it, with its namespace filled in. */
  readonly object: Readonly<Record<string, unknown>>;
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
  readonly createdAt: string;
  readonly revision: number;
  /** `api`, or the path of the file in the watched directory that it comes from. */
  readonly origin: string;
}

interface AppliedReply {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
  readonly outcome: "created" | "configured" | "unchanged";
}

export interface ApplyReply {
  readonly dryRun: boolean;
  readonly objects: readonly AppliedReply[];
  /** The warnings: a violation that is an error makes a Problem instead. */
  readonly violations: readonly LocatedViolation[];
  /** The published snapshot that has the change: what to ask `/v1/sync` for. Absent after a dry run, and when it takes too long. */
  readonly snapshot?: number;
}

export interface DeleteReply {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
  /** As in ApplyReply. */
  readonly snapshot?: number;
}

interface RejectedPush {
  /** `namespace/name` of the workload. */
  readonly workload: string;
  /** `listener`, `route`, `cluster` or `endpoint`. */
  readonly type: string;
  readonly message: string;
}

/** How far a snapshot has come among the connected proxies. */
export interface SyncReply {
  readonly snapshot: number;
  readonly acked: number;
  readonly total: number;
  readonly rejected: readonly RejectedPush[];
}

export const PROXY_RESOURCE_TYPES = ["listener", "route", "cluster", "endpoint"] as const;
export type ProxyResourceType = (typeof PROXY_RESOURCE_TYPES)[number];

export interface ProxyTypeStatus {
  /** `NOT SENT`: subscribed and nothing to send yet. `IGNORED`: never asked for. */
  readonly state: "SYNCED" | "STALE" | "NOT SENT" | "IGNORED" | "REJECTED";
  /** Resources that the proxy has of this type. */
  readonly resources: number;
  readonly sentAt: string | null;
  readonly ackedAt: string | null;
  /** Why the proxy last refused; it keeps what it had before. */
  readonly rejection: string | null;
}

/** One connected proxy: one workload (DESIGN D6). */
export interface ProxyReply {
  /** `namespace/name`. */
  readonly workload: string;
  readonly nodeId: string;
  readonly agent: string;
  readonly dataPlane: string;
  readonly version: string;
  readonly connectedAt: string;
  readonly types: Readonly<Record<ProxyResourceType, ProxyTypeStatus>>;
}

/** A resource as the server would send it to one proxy now, in ProtoJSON. */
export interface ProxyResourceReply {
  readonly type: ProxyResourceType;
  readonly name: string;
  readonly version: string;
  readonly resource: Readonly<Record<string, unknown>>;
}

export interface TokenBinding {
  /** Undefined fields bind nothing: any namespace, any service account, any node name. */
  readonly namespace?: string;
  readonly serviceAccounts?: readonly string[];
  readonly node?: string;
}

export interface CreatedTokenReply {
  readonly id: string;
  /** The whole join token. Told once, kept nowhere but as a hash. */
  readonly token: string;
  readonly expiresAt: string;
}

export interface TokenReply {
  readonly id: string;
  readonly state: "active" | "used" | "expired";
  readonly createdAt: string;
  readonly expiresAt: string;
  readonly usedBy: string | null;
  readonly binding: TokenBinding;
}

export interface ServiceReply {
  readonly hostname: string;
  readonly name: string;
  readonly namespace: string;
  readonly ports: readonly { readonly name: string; readonly number: number; readonly protocol: Protocol }[];
  readonly source: string;
  readonly endpoints: number;
  readonly healthy: number;
  readonly meshed: number;
}

export interface WorkloadReply {
  readonly name: string;
  readonly namespace: string;
  readonly service: string;
  readonly spiffeId: string;
  readonly agent: string;
  readonly dataPlane: string;
  /** `address:port` of each inbound listener. */
  readonly inbound: readonly string[];
  readonly healthy: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly registeredAt: string;
}

export interface RegistryReply {
  readonly name: string;
  readonly state: "starting" | "current" | "stale";
  readonly since: string | null;
  readonly reason: string | null;
}

/** An instance of the server's own catalog, as it is put and as it is listed. */
export interface EmbeddedInstance {
  readonly id: string;
  readonly service: string;
  readonly namespace: string;
  readonly node: string;
  readonly address: string;
  readonly port: number;
  readonly servicePort: number | undefined;
  readonly protocol: Protocol | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly healthy: boolean;
  readonly weight: number;
  readonly locality: string;
}

export interface VersionReply {
  readonly version: string;
  readonly trustDomain: string;
  readonly node: string;
}
