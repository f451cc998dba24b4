import { MeshError } from "../../mesh/errors.ts";
import type { StoredObject } from "../../mesh/model/object.ts";
import type { WorkloadId } from "../../mesh/model/workload.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { LastBans } from "../ca/bans.ts";
import { ofKind } from "../offline/stored-objects.ts";
import type { CatalogInstance } from "../registry/registry.ts";
import type { StoreChange } from "../store/config-store.ts";
import { asAdded } from "./added-objects.ts";
import { keyOf } from "./config-index.ts";
import { Debounce, type DebounceOptions } from "./debounce.ts";
import { regrouped } from "./grouped-workload.ts";
import { keptBefore } from "./kept-virtual-services.ts";
import { emptySnapshot, type MeshSettings, type MeshSnapshot, type SnapshotKey } from "./mesh-snapshot.ts";
import { MeshState, type SnapshotChange, type WorkloadChange } from "./mesh-state.ts";
import type { PublishReport } from "./publish-report.ts";

/**
 * Brings a snapshot into force: translates what changed, checks references, serves it. It keeps the last good of what it
 * cannot translate and reports that; when it throws, nothing of the snapshot is in force.
 */
export type PublishStep = (snapshot: MeshSnapshot, changed: ReadonlySet<SnapshotKey>) => PublishReport;

export interface PublisherOptions extends DebounceOptions {
  readonly settings: MeshSettings;
  readonly publish: PublishStep;
  readonly logger: Logger;
}

export interface PublishStatus extends PublishReport {
  /** The snapshot in force; 0 before the first. */
  readonly snapshot: number;
  /** Store revision that it has. */
  readonly revision: number;
  /** Milliseconds since the epoch; undefined before the first. */
  readonly publishedAt: number | undefined;
  /** Why the newest snapshot is not in force, where that is so. */
  readonly error: { readonly code: string; readonly reason: string; readonly snapshot: number } | undefined;
}

/** Gathers changes and publishes snapshots of them. Changes that come in one after the other are published together. */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #state: MeshState;
  readonly #debounce: Debounce;
  readonly #listeners = new Set<(snapshot: MeshSnapshot) => void>();
  /** Changed since the snapshot in force: what a failed publication leaves to the next. */
  #changed: ReadonlySet<SnapshotKey> = new Set();
  #current: MeshSnapshot;
  #status: PublishStatus;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#state = new MeshState(options.settings);
    this.#debounce = new Debounce(options, () => this.#publish());
    this.#current = emptySnapshot(options.settings);
    this.#status = {
      snapshot: 0,
      revision: 0,
      publishedAt: undefined,
      error: undefined,
      failures: [],
      warnings: [],
    };
  }

  /** The snapshot in force; an empty one of version 0 before the first. */
  get current(): MeshSnapshot {
    return this.#current;
  }

  get status(): PublishStatus {
    return this.#status;
  }

  /**
   * What would be with these objects and the catalogs and workloads of now. Nothing of it comes into force. Throws
   * `mesh.too-large`.
   */
  whatIf(objects: readonly StoredObject[]): MeshSnapshot {
    const state = new MeshState(this.#options.settings);
    const groups = new Map(
      ofKind(objects, "WorkloadGroup").map(({ metadata, spec }) => [
        `${metadata.namespace}/${metadata.name}`,
        spec,
      ]),
    );
    this.#state.copySources(state, (workload) => regrouped(workload, groups));
    const changes = asAdded(objects, (one) => keptBefore(this.#current, one));
    state.admit(changes);
    state.setConfig(changes, this.#current.revision);
    return state.next().snapshot;
  }

  /** All instances that a registry has of a service; none: it has the service no longer. */
  setCatalog(
    registry: string,
    namespace: string,
    service: string,
    instances: readonly CatalogInstance[],
  ): void {
    this.#state.setCatalog(registry, namespace, service, instances);
    this.#debounce.trigger();
  }

  setWorkloads(changes: readonly WorkloadChange[]): void {
    this.#state.setWorkloads(changes);
    this.#debounce.trigger();
  }

  /** Virtual hosts and clusters that a workload has asked for so far. */
  setObserved(id: WorkloadId, names: readonly string[]): void {
    this.#state.setObserved(id, names);
    this.#debounce.trigger();
  }

  /** The keys of a token issuer, by `keySource`; undefined: they are asked for no longer. */
  setKeySet(source: string, text: string | undefined): void {
    this.#state.keySets.set(source, text);
    this.#debounce.trigger();
  }

  /** When who was banned last: proxies end the connections that are open from before. */
  setLastBans(last: LastBans): void {
    this.#state.setLastBans(last);
    this.#debounce.trigger();
  }

  /** Throws `mesh.too-large` when with these changes the mesh would be more than a server holds. Changes nothing. */
  admit(changes: readonly StoreChange[]): void {
    this.#state.admit(changes);
  }

  /** `revision` is that of the store after these changes. */
  setConfig(changes: readonly StoreChange[], revision: number): void {
    this.#state.setConfig(changes, revision);
    this.#debounce.trigger();
  }

  /** Of these objects the newest revision is in force: what was kept is not in the next snapshot, which this does not ask for. */
  settle(objects: readonly StoredObject[]): void {
    for (const object of objects) this.#state.setKept(keyOf(object), undefined);
  }

  /**
   * Publishes until the signal is aborted; before that changes are only gathered. Start it when every source has told
   * what it has, so that a restarted server does not publish a half of the mesh.
   */
  async run(signal: AbortSignal): Promise<void> {
    await this.#debounce.run(signal);
  }

  /** Calls back with each snapshot that has come into force, until the signal is aborted. */
  onPublish(listener: (snapshot: MeshSnapshot) => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => this.#listeners.delete(listener), { once: true });
  }

  /** Waits for a snapshot in force that has this store revision; undefined when the signal is aborted first. */
  async snapshotWith(revision: number, signal: AbortSignal): Promise<number | undefined> {
    if (this.#current.version > 0 && this.#current.revision >= revision) return this.#current.version;
    const { promise, resolve } = Promise.withResolvers<number | undefined>();
    const done = new AbortController();
    this.onPublish(
      (snapshot) => {
        if (snapshot.revision >= revision) resolve(snapshot.version);
      },
      AbortSignal.any([signal, done.signal]),
    );
    if (signal.aborted) return undefined;
    const aborted = (): void => resolve(undefined);
    signal.addEventListener("abort", aborted, { once: true });
    try {
      return await promise;
    } finally {
      done.abort();
      signal.removeEventListener("abort", aborted);
    }
  }

  #publish(): void {
    let next: SnapshotChange;
    try {
      next = this.#state.next();
    } catch (thrown) {
      this.#fail(this.#current.version + 1, MeshError.from(thrown));
      return;
    }
    const { snapshot, changed } = next;
    this.#changed = this.#changed.union(changed);
    const first = this.#current.version === 0;
    // Nothing new for any proxy; but who waits for a revision of the store must learn of it, and status is of now.
    const unchanged = this.#changed.size === 0 && snapshot.revision === this.#current.revision;
    if (unchanged && !first && snapshot.workloads === this.#current.workloads) return;
    let report: PublishReport;
    try {
      report = this.#options.publish(snapshot, this.#changed);
    } catch (thrown) {
      this.#fail(snapshot.version, MeshError.from(thrown));
      return;
    }
    this.#changed = new Set();
    this.#current = snapshot;
    this.#report(snapshot, report);
    for (const listener of this.#listeners) listener(snapshot);
  }

  #fail(snapshot: number, error: MeshError): void {
    this.#status = { ...this.#status, error: { code: error.code, reason: error.message, snapshot } };
    this.#options.logger.error("a snapshot could not be published: the last good one stays in force", {
      snapshot,
      code: error.code,
      reason: error.message,
    });
  }

  #report(snapshot: MeshSnapshot, report: PublishReport): void {
    const { logger, clock } = this.#options;
    const failed = new Set(this.#status.failures.map(({ workload, reason }) => `${workload} ${reason}`));
    for (const failure of report.failures) {
      if (failed.has(`${failure.workload} ${failure.reason}`)) continue;
      logger.error("a workload keeps its last good configuration", { ...failure });
    }
    const warned = new Set(this.#status.warnings.map(({ subject, message }) => `${subject} ${message}`));
    for (const warning of report.warnings) {
      if (warned.has(`${warning.subject} ${warning.message}`)) continue;
      logger.warn("something is in force otherwise than it says", { ...warning });
    }
    this.#status = {
      snapshot: snapshot.version,
      revision: snapshot.revision,
      publishedAt: clock.now(),
      error: undefined,
      ...report,
    };
  }
}
