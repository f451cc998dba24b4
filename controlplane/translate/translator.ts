import { MeshError } from "../../mesh/errors.ts";
import { type WorkloadId, workloadId } from "../../mesh/model/workload.ts";
import type { MessageTypes } from "../../mesh/xds/message-types.ts";
import { parseNodeId } from "../../mesh/xds/names.ts";
import type { MeshSnapshot, SnapshotKey } from "../snapshot/mesh-snapshot.ts";
import type { NodeFailure, PublishReport } from "../snapshot/publish-report.ts";
import { by, byText } from "../snapshot/text-order.ts";
import type { ConfigSource, NodeResources, XdsNode } from "../xds/config-source.ts";
import { Memo } from "./memo.ts";
import { nodeKey, nodeResources, type ResourceTypes } from "./node-resources.ts";
import { parseAskedHost } from "./outbound/called-hosts.ts";

export interface TranslatorOptions {
  /** What EnvoyFilters are read and merged with; without it there must be none. */
  readonly messageTypes?: MessageTypes;
  /** Told the key of each memo entry that is built: for tests and metrics. */
  readonly onBuild?: (key: string) => void;
  /** Told all virtual hosts that a workload has asked for, when there are new ones. */
  readonly onAsked?: (id: WorkloadId, names: readonly string[]) => void;
}

export interface Translator extends ConfigSource {
  /**
   * Goes on to the next snapshot: translates what changed for the nodes that are served, then tells the listeners. A node
   * whose translation fails keeps its last good resources and is named in the report.
   */
  publish(snapshot: MeshSnapshot, changed: ReadonlySet<SnapshotKey>): PublishReport;
  /** What there would be for a workload, served or not: for `proxy-config` and status. */
  preview(id: WorkloadId): NodeResources | undefined;
}

/** Hosts that one workload may have asked for; what goes beyond is answered as unknown by its proxy. */
const MOST_ASKED = 2_000;

/** What a node has now, and the snapshot that it was last translated for. */
interface Served {
  readonly resources: ResourceTypes;
  readonly snapshot: number;
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
  #memo: Memo | undefined;
  #snapshot: MeshSnapshot | undefined;

  constructor(options: TranslatorOptions) {
    this.#options = options;
  }

  publish(snapshot: MeshSnapshot, changed: ReadonlySet<SnapshotKey>): PublishReport {
    if (this.#memo === undefined) this.#memo = new Memo(snapshot, this.#options.onBuild);
    else this.#memo.advance(snapshot, changed);
    this.#snapshot = snapshot;
    for (const id of new Set([...this.#served.keys(), ...this.#failures.keys()])) {
      if (!this.#memo.isFresh(nodeKey(id))) this.#translate(this.#memo, snapshot, id);
    }
    for (const listener of this.#listeners) listener(snapshot.version);
    return { failures: this.#sortedFailures(), warnings: this.#warnings(this.#memo) };
  }

  resourcesFor(node: XdsNode): NodeResources | undefined {
    const named = parseNodeId(node.id);
    if (named === undefined || workloadId(named) !== node.workload) return undefined;
    return this.preview(node.workload);
  }

  preview(id: WorkloadId): NodeResources | undefined {
    const snapshot = this.#snapshot;
    if (snapshot === undefined || this.#memo === undefined || !snapshot.workloads.has(id)) return undefined;
    if (!this.#served.has(id) && !this.#failures.has(id)) this.#translate(this.#memo, snapshot, id);
    const served = this.#served.get(id);
    if (served === undefined) return undefined;
    // What no change has touched is also what this snapshot asks for; only a node that failed is behind.
    return { snapshot: this.#failures.has(id) ? served.snapshot : snapshot.version, types: served.resources };
  }

  asked({ workload }: XdsNode, names: readonly string[]): void {
    const known = this.#asked.get(workload) ?? new Set();
    const before = known.size;
    for (const name of names)
      if (known.size < MOST_ASKED && parseAskedHost(name) !== undefined) known.add(name);
    if (known.size === before) return;
    this.#asked.set(workload, known);
    this.#options.onAsked?.(workload, [...known].sort(byText));
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
      const resources = memo.root(nodeKey(id), (scope) =>
        nodeResources(scope, id, this.#options.messageTypes),
      );
      if (resources === undefined) return;
      this.#served.set(id, { resources, snapshot: snapshot.version });
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

  #forget(id: WorkloadId): void {
    this.#memo?.release(nodeKey(id));
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
