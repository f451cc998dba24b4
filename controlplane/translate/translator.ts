import { SharedMap } from "../../mesh/collections/shared-map.ts";
import { MeshError } from "../../mesh/errors.ts";
import { type WorkloadId, workloadId } from "../../mesh/model/workload.ts";
import type { EncodedResource } from "../../mesh/xds/encoded-resource.ts";
import type { MessageTypes } from "../../mesh/xds/message-types.ts";
import { parseNodeId } from "../../mesh/xds/names.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import { clientOf } from "../policy/client.ts";
import type { MeshSnapshot, SnapshotKey } from "../snapshot/mesh-snapshot.ts";
import type { NodeFailure, PublishReport } from "../snapshot/publish-report.ts";
import { viewOf } from "../snapshot/snapshot-view.ts";
import { by, byText } from "../snapshot/text-order.ts";
import type { ConfigSource, NodeResources, XdsNode } from "../xds/config-source.ts";
import { causesOf, type NamedResources } from "./causes.ts";
import { Memo } from "./memo.ts";
import {
  classEndpoints,
  classKey,
  type NodeTranslation,
  nodeKey,
  nodeResources,
  type ResourceTypes,
} from "./node-resources.ts";
import { calledService, parseAsked } from "./outbound/called-hosts.ts";
import type { EgressClass } from "./outbound/egress-class.ts";

export interface TranslatorOptions {
  /** What EnvoyFilters are read and merged with; without it there must be none. */
  readonly messageTypes?: MessageTypes;
  /** Told the key of each memo entry that is built: for tests and metrics. */
  readonly onBuild?: (key: string) => void;
  /** Told all virtual hosts and clusters that a workload has asked for, when there are new ones. */
  readonly onAsked?: (id: WorkloadId, names: readonly string[]) => void;
}

export interface Translator extends ConfigSource {
  /**
   * Goes on to the next snapshot: translates what changed for the nodes that are served, then tells the listeners. A node
   * whose translation fails keeps its last good resources and is named in the report.
   */
  publish(snapshot: MeshSnapshot, changed: ReadonlySet<SnapshotKey>): PublishReport;
  /** The same for what has been translated by now: nodes that came since the publication are in it. */
  report(): PublishReport;
  /** What there would be for a workload, served or not: for `proxy-config` and status. */
  preview(id: WorkloadId): NodeResources | undefined;
  /** The same if a workload with `discovery: on-demand` had asked for these virtual hosts and clusters as well. */
  previewAsked(id: WorkloadId, names: readonly string[]): NodeResources | undefined;
  /** The objects that resources of a workload come from: see `causesOf`. */
  causes(id: WorkloadId, resources: NamedResources): readonly string[];
}

/** Virtual hosts and clusters that one workload may have asked for; what goes beyond is answered as unknown by its proxy. */
const MOST_ASKED = 2_000;

/** What the workloads of one class have in common. */
interface SharedByClass {
  readonly of: EgressClass;
  readonly nodes: Set<WorkloadId>;
  /** The last good ones. */
  endpoints: SharedMap<EncodedResource>;
  /** Why the newest are not in force, as tried for this snapshot. */
  failure: { readonly error: MeshError; readonly snapshot: number } | undefined;
}

/** What a node has now, and the snapshot that it was last translated for. */
interface Served {
  readonly node: NodeTranslation;
  readonly shared: SharedByClass;
  readonly snapshot: number;
  composed: { readonly endpoints: SharedMap<EncodedResource>; readonly types: ResourceTypes } | undefined;
}

export function createTranslator(options: TranslatorOptions = {}): Translator {
  return new MemoTranslator(options);
}

class MemoTranslator implements Translator {
  readonly #options: TranslatorOptions;
  readonly #asked = new Map<WorkloadId, Set<string>>();
  readonly #listeners = new Set<(snapshot: number) => void>();
  readonly #served = new Map<WorkloadId, Served>();
  readonly #failures = new Map<WorkloadId, NodeFailure>();
  readonly #classes = new Map<string, SharedByClass>();
  /** To be looked at again although nothing of their own has changed. */
  readonly #stale = new Set<WorkloadId>();
  /** Of streams: those whose id names their workload. A stream asks after each publication, its node never changes. */
  readonly #consistent = new WeakSet<XdsNode>();
  #memo: Memo | undefined;
  #snapshot: MeshSnapshot | undefined;

  constructor(options: TranslatorOptions) {
    this.#options = options;
  }

  publish(snapshot: MeshSnapshot, changed: ReadonlySet<SnapshotKey>): PublishReport {
    if (this.#memo === undefined) this.#memo = new Memo(snapshot, this.#options.onBuild);
    else this.#memo.advance(snapshot, changed);
    this.#snapshot = snapshot;
    for (const [key, shared] of this.#classes) {
      // It failed before anybody was served: who waits for it tries again below.
      if (shared.nodes.size === 0) this.#drop(key);
      if (shared.nodes.size === 0 || this.#memo.isFresh(key)) continue;
      const failed = shared.failure !== undefined;
      this.#refresh(this.#memo, snapshot, key, shared);
      // Its workloads may be as they were; whether they may go on follows from what they share.
      if (failed || shared.failure !== undefined) for (const id of shared.nodes) this.#stale.add(id);
    }
    for (const id of new Set([...this.#served.keys(), ...this.#failures.keys()])) {
      const isGood = this.#memo.isFresh(nodeKey(id)) && !this.#stale.has(id) && !this.#failures.has(id);
      if (!isGood) this.#translate(this.#memo, snapshot, id);
    }
    this.#stale.clear();
    for (const listener of this.#listeners) listener(snapshot.version);
    return this.report();
  }

  report(): PublishReport {
    const warnings = this.#memo === undefined ? [] : this.#warnings(this.#memo);
    return { failures: this.#sortedFailures(), warnings };
  }

  resourcesFor(node: XdsNode): NodeResources | undefined {
    if (!this.#consistent.has(node)) {
      const named = parseNodeId(node.id);
      if (named === undefined || workloadId(named) !== node.workload) return undefined;
      this.#consistent.add(node);
    }
    return this.preview(node.workload);
  }

  preview(id: WorkloadId): NodeResources | undefined {
    const snapshot = this.#snapshot;
    if (snapshot === undefined || this.#memo === undefined || !snapshot.workloads.has(id)) return undefined;
    if (!this.#served.has(id) && !this.#failures.has(id)) this.#translate(this.#memo, snapshot, id);
    const served = this.#served.get(id);
    if (served === undefined) return undefined;
    // What no change has touched is also what this snapshot asks for; only a node that failed is behind.
    if (this.#failures.has(id)) {
      return { snapshot: served.snapshot, types: served.composed?.types ?? this.#composed(served) };
    }
    return { snapshot: snapshot.version, types: this.#composed(served) };
  }

  previewAsked(id: WorkloadId, names: readonly string[]): NodeResources | undefined {
    const [memo, snapshot] = [this.#memo, this.#snapshot];
    const workload = snapshot?.workloads.get(id);
    if (memo === undefined || snapshot === undefined || workload?.discovery !== "on-demand")
      return this.preview(id);
    // A workload like this one, under a name that no other can have, so that what is in force stays untouched.
    const double = { ...workload, name: `${workload.name}?` };
    const doubleId = workloadId(double);
    const asked = new Set([...(snapshot.observed.get(id) ?? []), ...names]);
    const supposed: MeshSnapshot = {
      ...snapshot,
      workloads: snapshot.workloads.edited([[doubleId, double]]),
      observed: snapshot.observed.edited([[doubleId, [...asked].sort(byText)]]),
    };
    const keys = new Set<SnapshotKey>([`workload/${doubleId}`, `observed/${doubleId}`]);
    memo.advance(supposed, keys);
    try {
      this.#translate(memo, supposed, doubleId);
      const served = this.#served.get(doubleId);
      return served && { snapshot: snapshot.version, types: this.#composed(served) };
    } finally {
      this.#forget(doubleId);
      memo.advance(snapshot, keys);
    }
  }

  causes(id: WorkloadId, resources: NamedResources): readonly string[] {
    const memo = this.#memo;
    if (memo === undefined) return [];
    const key = `causes/${id}`;
    try {
      return memo.root(key, (scope) => causesOf(scope, id, resources, this.#options.messageTypes));
    } finally {
      memo.release(key);
    }
  }

  asked({ workload }: XdsNode, names: readonly string[]): readonly string[] {
    const asking = this.#snapshot?.workloads.get(workload);
    if (this.#snapshot === undefined || asking?.discovery !== "on-demand") return [];
    const view = viewOf(this.#snapshot);
    const client = clientOf(view, asking);
    const known = this.#asked.get(workload) ?? new Set();
    const before = known.size;
    for (const name of names) if (known.size < MOST_ASKED && parseAsked(name) !== undefined) known.add(name);
    if (known.size > before) {
      this.#asked.set(workload, known);
      this.#options.onAsked?.(workload, [...known].sort(byText));
    }
    return names.filter((name) => {
      const called = known.has(name) ? parseAsked(name) : undefined;
      return called !== undefined && calledService(view, called.host, client) !== undefined;
    });
  }

  onPublish(listener: (snapshot: number) => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => this.#listeners.delete(listener), { once: true });
  }

  #translate(memo: Memo, snapshot: MeshSnapshot, id: WorkloadId): void {
    if (!snapshot.workloads.has(id)) {
      this.#forget(id);
      return;
    }
    try {
      const node = memo.root(nodeKey(id), (scope) => nodeResources(scope, id, this.#options.messageTypes));
      if (node === undefined) return;
      const shared = this.#share(memo, snapshot, node.of);
      if (shared.failure !== undefined) throw shared.failure.error;
      const before = this.#served.get(id);
      shared.nodes.add(id);
      this.#served.set(id, { node, shared, snapshot: snapshot.version, composed: undefined });
      if (before !== undefined && before.shared !== shared) this.#leave(before.shared, id);
      this.#failures.delete(id);
    } catch (thrown) {
      const error = MeshError.from(thrown);
      this.#failures.set(id, {
        workload: id,
        code: error.code,
        reason: error.message,
        hint: error.hint,
        snapshot: snapshot.version,
      });
    }
  }

  /** What the workloads of a class share, made when the first of them comes. */
  #share(memo: Memo, snapshot: MeshSnapshot, of: EgressClass): SharedByClass {
    const key = classKey(of);
    const known = this.#classes.get(key);
    // What fails is tried once for a snapshot, not once for each of a thousand workloads.
    if (known?.failure?.snapshot === snapshot.version) return known;
    if (known !== undefined && memo.isFresh(key)) return known;
    const shared = known ?? { of, nodes: new Set(), endpoints: SharedMap.empty(), failure: undefined };
    this.#classes.set(key, shared);
    this.#refresh(memo, snapshot, key, shared);
    return shared;
  }

  #refresh(memo: Memo, snapshot: MeshSnapshot, key: string, shared: SharedByClass): void {
    try {
      shared.endpoints = memo.root(key, (scope) => classEndpoints(scope, shared.of));
      shared.failure = undefined;
    } catch (thrown) {
      shared.failure = { error: MeshError.from(thrown), snapshot: snapshot.version };
    }
  }

  #leave(shared: SharedByClass, id: WorkloadId): void {
    shared.nodes.delete(id);
    if (shared.nodes.size === 0) this.#drop(classKey(shared.of));
  }

  #drop(key: string): void {
    this.#classes.delete(key);
    this.#memo?.release(key);
  }

  /** The same object as long as nothing in it is another. */
  #composed(served: Served): ResourceTypes {
    const { node, shared, composed } = served;
    const { endpoints } = shared;
    if (composed?.endpoints === endpoints) return composed.types;
    const own = node.ownEndpoints.map((one) => [one.name, one] as const);
    const types = new Map(node.types).set(
      TYPE_URL.endpoints,
      own.length === 0 ? endpoints : endpoints.edited(own),
    );
    served.composed = { endpoints, types };
    return types;
  }

  #forget(id: WorkloadId): void {
    this.#memo?.release(nodeKey(id));
    const served = this.#served.get(id);
    if (served !== undefined) this.#leave(served.shared, id);
    this.#served.delete(id);
    this.#failures.delete(id);
    this.#asked.delete(id);
  }

  #sortedFailures(): readonly NodeFailure[] {
    return [...this.#failures.values()].sort(by(({ workload }) => workload));
  }

  #warnings(memo: Memo): PublishReport["warnings"] {
    const unique = new Map(memo.warnings().map((one) => [`${one.subject} ${one.message}`, one]));
    return [...unique].sort(by(([text]) => text)).map(([, one]) => one);
  }
}
