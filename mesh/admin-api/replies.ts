import type { ErrorCode } from "../errors.ts";
import type { Kind } from "../model/object.ts";
import type { SourceFile } from "../model/parse-files.ts";
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

/**
 * The body of a call about several files, beside plain YAML or JSON. Each is read by itself, so that lines are a file's
 * own and a mistake in one does not reach into the next.
 */
export interface FilesBody {
  readonly apiVersion: typeof ADMIN_API_VERSION;
  readonly kind: "Files";
  readonly files: readonly SourceFile[];
}

export function filesBody(files: readonly SourceFile[]): FilesBody {
  return { apiVersion: ADMIN_API_VERSION, kind: "Files", files };
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
  /** What of these objects is in force otherwise than it says; none while it is not published. */
  readonly notices: readonly Notice[];
}

/** What an object says and the proxies do not do. */
export interface Notice {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
  readonly message: string;
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
  readonly type: ProxyStatusType;
  readonly message: string;
  /** The objects that what was refused comes from, as `Kind/namespace/name`. */
  readonly causes: readonly string[];
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
/** The state of these is told as well; what is in them is not. */
export type ProxyStatusType = ProxyResourceType | "secret" | "extension" | "virtual-host" | "host-name";

export interface ProxyTypeStatus {
  /** `NOT SENT`: subscribed and nothing to send yet. `IGNORED`: never asked for. */
  readonly state: "SYNCED" | "STALE" | "NOT SENT" | "IGNORED" | "REJECTED";
  /** Resources that the proxy has of this type. */
  readonly resources: number;
  readonly sentAt: string | null;
  readonly ackedAt: string | null;
  /** Why the proxy last refused; it keeps what it had before. */
  readonly rejection: string | null;
  /** While it refuses: the objects that what it refused comes from, as `Kind/namespace/name`. */
  readonly causes: readonly string[];
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
  readonly types: Readonly<Record<ProxyStatusType, ProxyTypeStatus>>;
}

/** A resource as the server would send it to one proxy now, in ProtoJSON. */
export interface ProxyResourceReply {
  readonly type: ProxyResourceType;
  readonly name: string;
  readonly version: string;
  readonly resource: Readonly<Record<string, unknown>>;
}

export interface TokenBinding {
  /** Undefined fields bind nothing: any namespace, any service account, any node name, any address. */
  readonly namespace?: string;
  readonly serviceAccounts?: readonly string[];
  readonly node?: string;
  readonly cidrs?: readonly string[];
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

export const ACCESS_ROLES = ["admin", "operator", "editor", "viewer", "auditor"] as const;
export type AccessRole = (typeof ACCESS_ROLES)[number];

/** A role, for the whole mesh or in some namespaces. */
export interface AccessGrant {
  readonly role: AccessRole;
  readonly namespaces?: readonly string[] | undefined;
}

export interface CreatedAccessTokenReply {
  readonly id: string;
  /** The whole token. Told once, kept nowhere but as a hash. */
  readonly token: string;
  readonly expiresAt: string;
}

export interface AccessTokenReply extends AccessGrant {
  readonly id: string;
  /** Who it is for, as its maker called it. */
  readonly name: string;
  readonly state: "active" | "expired";
  readonly createdAt: string;
  readonly expiresAt: string;
  /** To the minute. */
  readonly lastUsedAt: string | null;
}

/** A record of the audit log, as it stands there. */
export interface AuditRecordReply {
  readonly seq: number;
  readonly at: string;
  readonly action: string;
  readonly outcome: string;
  readonly actor: string;
  readonly from?: string | undefined;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

export interface AuditReply {
  readonly records: readonly AuditRecordReply[];
  /** Number and hash of the newest record: noted elsewhere, they prove later that nothing was cut off. */
  readonly head: { readonly seq: number; readonly hash: string };
  /** Records that could not be written since the server started. */
  readonly lost: number;
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
  /** The WorkloadGroup that it is made from. */
  readonly group: string | null;
  readonly registeredAt: string;
}

export interface RegistryReply {
  readonly name: string;
  readonly state: "starting" | "current" | "stale";
  readonly since: string | null;
  readonly reason: string | null;
  /** Entries that cannot be used as they are, the first hundred: what was known of them stays. */
  readonly problems: readonly string[];
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

/** What `lateen analyze` finds. */
export interface AnalysisMessage {
  /** `IST0101`, with Istio's meaning, or `LAT0001`: docs/analysis.md. */
  readonly code: string;
  readonly severity: "Error" | "Warning" | "Info";
  /** `Kind namespace/name`. */
  readonly origin: string;
  /** Where the object is from a file. */
  readonly file?: string;
  readonly line?: number;
  readonly message: string;
  /** Istio's page on the code, where it is one of Istio's. */
  readonly documentationUrl?: string;
}

/** A field that is not as it was; a side without a value does not have it. */
export interface FieldChange {
  readonly path: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

export interface ObjectDiff {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly change: "created" | "changed" | "unchanged" | "deleted";
  readonly fields: readonly FieldChange[];
}

export interface ResourceDiff {
  readonly type: ProxyResourceType;
  readonly name: string;
  readonly change: "added" | "changed" | "removed";
  /** In ProtoJSON; only of changed resources, and only when asked for. */
  readonly fields?: readonly FieldChange[];
}

export interface WorkloadDiff {
  /** `namespace/name`. */
  readonly workload: string;
  readonly resources: readonly ResourceDiff[];
}

/** What applying objects would change: in the store, and for each proxy whose resources would not be the same. */
export interface DiffReply {
  readonly objects: readonly ObjectDiff[];
  readonly workloads: readonly WorkloadDiff[];
}

/** An Istio object, and the place in it, that decided something. */
export interface DecidingObject {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** `http[1] "canary"`, `subset "v1"`; empty: the object as a whole, or its place is not known. */
  readonly rule: string;
}

/** One step of a call's way, or one thing that is done to it there. */
export interface ExplainStep {
  readonly step:
    | "connect"
    | "listener"
    | "filter-chain"
    | "policy"
    | "virtual-host"
    | "route"
    | "edit"
    | "cluster"
    | "endpoint"
    | "answer";
  /** What was chosen. */
  readonly name: string;
  /** Why this one, or what it means. */
  readonly why: string;
  readonly object: DecidingObject | null;
  /** Part of the calls, in (0,1]; null where it makes no sense. */
  readonly share: number | null;
}

/** Whether a workload would let a caller in: foretold from its resources, nothing is sent. */
export interface AuthzReply {
  /** `namespace/name` of the workload that calls, a SPIFFE ID, or `outside`. */
  readonly from: string;
  /** Its SPIFFE ID; null: it has none. */
  readonly principal: string | null;
  readonly to: string;
  /** Service port. */
  readonly port: number;
  /** Null: an authorizer is asked, whose answer nobody knows here. */
  readonly allowed: boolean | null;
  /** What an HTTP caller is answered that is refused; null: nothing, or it is not refused. */
  readonly status: number | null;
  readonly reason: string;
  /** The policy and rule that decided; null: none did. */
  readonly decidedBy: DecidingObject | null;
  /** Policies that might decide, but ask for what is not known of the call: of one that was observed. */
  readonly undecided: readonly DecidingObject[];
  /** The policies in the order in which they are asked, up to one that refuses. */
  readonly steps: readonly ExplainStep[];
}

/** How a call would fare: foretold from the resources of one proxy, nothing is sent. */
export interface ExplainReply {
  /** `namespace/name` of the workload. */
  readonly from: string;
  /** `GET http://reviews:9080/api`. */
  readonly to: string;
  readonly steps: readonly ExplainStep[];
  readonly outcome: {
    /** Whether the call, or a part of such calls, gets to where it was to go. */
    readonly arrives: boolean;
    /** `forward`, `passthrough`, `redirect`, `respond`, or what failed: `no-route`, `no-cluster`, … */
    readonly kind: string;
    /** What an HTTP caller is answered; null: by whom it reaches, or there is no answer. */
    readonly status: number | null;
    readonly text: string;
  };
  /** What the deciding objects say and is not done, each with its object: why a call ends otherwise than they say. */
  readonly notes: readonly string[];
}
