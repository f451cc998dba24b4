import type { FieldPath } from "../../mesh/model/finding.ts";
import type { StoredObject } from "../../mesh/model/object.ts";
import { workloadId } from "../../mesh/model/workload.ts";
import type { Code } from "./codes.ts";
import { type Finding, nameOf } from "./finding.ts";
import type { MeshFacts } from "./mesh-facts.ts";

/** A kind of which only the oldest object counts, for a namespace and for a workload. */
interface OldestCounts<K extends "Sidecar" | "Telemetry"> {
  readonly kind: K;
  /** Undefined: the object is for its whole namespace. */
  readonly selectorOf: (object: StoredObject<K>) => Readonly<Record<string, string>> | undefined;
  readonly selectorPath: FieldPath;
  /** Several are for one namespace. */
  readonly general: Code;
  /** Several select one workload. */
  readonly selecting: Code;
}

/** Objects that are passed over, as an older one is for the same workloads; each is told with all it competes with. */
export function* overlaps<K extends "Sidecar" | "Telemetry">(
  mesh: MeshFacts,
  { kind, selectorOf, selectorPath, general, selecting }: OldestCounts<K>,
): Iterable<Finding> {
  const byNamespace = Map.groupBy(mesh.list(kind), ({ metadata }) => metadata.namespace);
  for (const [namespace, list] of byNamespace) {
    yield* told(
      list.filter((one) => selectorOf(one) === undefined),
      general,
      ["metadata", "name"],
      `are all for the whole namespace ${namespace}`,
    );
    const claims = new Map<string, StoredObject<K>[]>();
    for (const subject of list) {
      const selector = selectorOf(subject);
      if (selector === undefined) continue;
      const selected = mesh
        .selected(selector, namespace)
        .filter((workload) => workload.namespace === namespace);
      for (const id of selected.map(workloadId)) claims.set(id, [...(claims.get(id) ?? []), subject]);
    }
    for (const [id, claimants] of claims) {
      yield* told(claimants, selecting, selectorPath, `all select workload ${id}`);
    }
  }
}

function* told(
  rivals: readonly StoredObject[],
  code: Code,
  path: FieldPath,
  what: string,
): Iterable<Finding> {
  if (rivals.length < 2) return;
  const message = `${rivals.map(nameOf).join(", ")} ${what}: only the oldest counts`;
  for (const subject of rivals) yield { code, subject, path, message };
}
