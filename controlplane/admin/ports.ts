import type {
  CreatedTokenReply,
  EmbeddedInstance,
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
import type { ParsedObject } from "../../mesh/model/object.ts";
import type { LocatedViolation } from "../../mesh/model/violation.ts";
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

export interface TokenPort {
  create(binding: TokenBinding, ttlMs: number): CreatedTokenReply | Promise<CreatedTokenReply>;
  list(): readonly TokenReply[];
  /** False when there is no such token. */
  revoke(id: string): boolean;
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
  readonly proxies: ProxyPort;
  readonly tokens: TokenPort;
  readonly embedded: EmbeddedPort;
  readonly services: () => readonly ServiceReply[];
  readonly workloads: () => readonly WorkloadReply[];
  readonly registries: () => readonly RegistryReply[];
  readonly version: VersionReply;
}
