import type { BanReply, CaReply } from "../../mesh/admin-api/ca-replies.ts";
import type { AuthzSimulationReply, ObservedReply } from "../../mesh/admin-api/observed-replies.ts";
import type {
  AccessGrant,
  AccessTokenReply,
  AnalysisMessage,
  AuditReply,
  AuthzReply,
  CreatedAccessTokenReply,
  CreatedTokenReply,
  DiffReply,
  EmbeddedInstance,
  ExplainReply,
  ProxyReply,
  ProxyResourceReply,
  ProxyResourceType,
  RegistryReply,
  ServiceReply,
  SyncReply,
  TokenBinding,
  TokenReply,
  VersionReply,
  WorkloadReply,
} from "../../mesh/admin-api/replies.ts";
import type { ObjectKey, ParsedObject } from "../../mesh/model/object.ts";
import type { FiledObject } from "../../mesh/model/parse-files.ts";
import type { LocatedViolation } from "../../mesh/model/violation.ts";
import type { NamedTarget } from "../banning.ts";
import type { RotationStep } from "../ca/rotation-step.ts";
import type { AuthzQuestion } from "../simulate/authz-call.ts";
import type { CallQuestion } from "../simulate/call-question.ts";
import type { PublishWarning } from "../snapshot/publish-report.ts";
import type { ConfigStore } from "../store/config-store.ts";

/** Text in, model objects and everything that is wrong with it out. Never throws for bad text. */
type ParseDocuments = (
  text: string,
  options: { readonly defaultNamespace: string },
) => { readonly objects: readonly ParsedObject[]; readonly violations: readonly LocatedViolation[] };

interface SyncPort {
  /**
   * Waits for the first published snapshot that has this store revision and returns its number; undefined when the
   * signal is aborted first.
   */
  snapshotWith(revision: number, signal: AbortSignal): Promise<number | undefined>;
  /**
   * Returns when every connected proxy has answered a snapshot at least this new, or when the signal is aborted: then
   * with how things stand. Does not throw.
   */
  waitForSync(snapshot: number, signal: AbortSignal): Promise<Omit<SyncReply, "snapshot">>;
}

interface ProxyPort {
  list(): readonly ProxyReply[];
  /** What the server has for a workload (`namespace/name`) now; undefined when it knows no such workload. */
  config(workload: string, types: readonly ProxyResourceType[]): readonly ProxyResourceReply[] | undefined;
}

/** How a workload's (`namespace/name`) call would fare; undefined when the server knows no such workload. */
type Explain = (workload: string, call: CallQuestion) => ExplainReply | undefined;

/** Who may call whom. Both throw `object.not-found` for a workload or a port that is not there. */
interface AuthzPort {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly check: (from: string, to: string, question: AuthzQuestion) => AuthzReply;
  readonly who: (to: string, question: AuthzQuestion) => readonly AuthzReply[];
  /** Calls that were seen since then to workloads of the namespaces that are asked for. */
  readonly observed: (sinceMs: number, isSeen: (namespace: string) => boolean) => ObservedReply;
}

/** What would be with other objects. Nothing of it is stored or published. */
interface WhatIfPort {
  /** What is wrong with the stored objects, with these over them. */
  readonly analyze: (
    over: readonly FiledObject[],
    signal: AbortSignal,
  ) => Promise<readonly AnalysisMessage[]>;
  /** What applying these would change. `verbose` tells the fields of changed resources too. */
  readonly diff: (
    over: readonly FiledObject[],
    options: { readonly verbose: boolean; readonly signal: AbortSignal },
  ) => Promise<DiffReply>;
  /** Which of the calls that were seen the policies would decide otherwise. */
  readonly simulate: (
    over: readonly FiledObject[],
    options: {
      readonly deleted: readonly ObjectKey[];
      readonly sinceMs: number;
      readonly isSeen: (namespace: string) => boolean;
      readonly signal: AbortSignal;
    },
  ) => Promise<AuthzSimulationReply>;
}

export interface TokenPort {
  create(binding: TokenBinding, ttlMs: number): CreatedTokenReply | Promise<CreatedTokenReply>;
  list(): readonly TokenReply[];
  /** False when there is no such token. */
  revoke(id: string): boolean;
}

export interface AccessTokenPort {
  create(name: string, grant: AccessGrant, ttlMs: number): CreatedAccessTokenReply;
  list(): readonly AccessTokenReply[];
  /** False when there is no such token. */
  revoke(id: string): boolean;
}

interface AuditPort {
  /** The newest records, oldest first. */
  tail(count: number): Promise<AuditReply>;
}

export interface CaPort {
  status(): CaReply;
  /** PEM of the roots that the mesh's certificates are verified against now. */
  roots(): readonly string[];
  /** Throws `ca.rotation`, `ca.unavailable` or `config.invalid`. */
  prepare(walk: boolean, signal: AbortSignal): Promise<void>;
  /** Throws `ca.rotation` when it is not its turn, or hosts are not ready for it and it is not forced. */
  step(step: RotationStep, force: boolean): Promise<void>;
}

export interface BanPort {
  list(): readonly BanReply[];
  /** Takes effect before it returns; peers are told right after. Throws for what names nobody. */
  ban(target: NamedTarget, reason: string): readonly BanReply[];
  /** How many were lifted. Throws `admin.not-found` when there are none. */
  unban(target: NamedTarget): number;
}

interface EmbeddedPort {
  put(instance: EmbeddedInstance): void;
  /** False when there is no such instance. */
  remove(id: string): boolean;
  list(): readonly EmbeddedInstance[];
}

/** What the admin REST works on; `app.ts` wires it. */
export interface AdminDeps {
  readonly store: ConfigStore;
  readonly parseDocuments: ParseDocuments;
  readonly sync: SyncPort;
  /** What is in force otherwise than it says, of the last published snapshot. */
  readonly warnings: () => readonly PublishWarning[];
  readonly proxies: ProxyPort;
  readonly whatIf: WhatIfPort;
  readonly explain: Explain;
  readonly authz: AuthzPort;
  readonly tokens: TokenPort;
  readonly accessTokens: AccessTokenPort;
  readonly audit: AuditPort;
  readonly ca: CaPort;
  readonly bans: BanPort;
  readonly embedded: EmbeddedPort;
  readonly services: () => readonly ServiceReply[];
  readonly workloads: () => readonly WorkloadReply[];
  readonly registries: () => readonly RegistryReply[];
  readonly version: VersionReply;
}
