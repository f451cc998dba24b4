import { SharedMap } from "../../../mesh/collections/shared-map.ts";
import type { EncodedResource } from "../../../mesh/xds/encoded-resource.ts";
import type { TypeUrl } from "../../../mesh/xds/type-urls.ts";
import type { PublishWarning } from "../../snapshot/publish-report.ts";
import type { Scope } from "../memo.ts";
import { sameMap, sameResource } from "../resource.ts";
import type { PatchedWorkload, PatchSet } from "./patch-set.ts";
import type { PatchProblem } from "./patching.ts";
import { patchPlace } from "./prepare-patches.ts";

type Resources = SharedMap<EncodedResource>;

interface PatchedMap {
  readonly source: Resources;
  readonly patched: Resources;
  /** By resource. */
  readonly problems: SharedMap<readonly PatchProblem[]>;
}

export interface MapToPatch {
  /** Of the entry in the memo; has to tell patches, type and source. */
  readonly key: string;
  readonly type: TypeUrl;
  readonly patches: PatchSet;
  readonly sourceOf: (scope: Scope) => Resources;
  readonly workloadOf: (scope: Scope) => PatchedWorkload;
  /** What patches add comes along. */
  readonly withAdded: boolean;
}

/** A map of resources with their patches: only what is different from the source before is patched again. */
export function patchedMap(
  scope: Scope,
  { key, type, patches, sourceOf, workloadOf, withAdded }: MapToPatch,
): Resources {
  if (!patches.touches(type)) return sourceOf(scope);
  const { patched } = scope.get<PatchedMap>(
    key,
    (inner, before) => {
      const source = sourceOf(inner);
      const workload = workloadOf(inner);
      const added = withAdded ? patches.added(type) : new Map<string, EncodedResource>();
      const { set, removed } = source.changesSince(before?.source ?? SharedMap.empty());
      const problems: (readonly [string, readonly PatchProblem[] | undefined])[] = [];
      const edits = set.map(([name, resource]) => {
        const outcome = patches.patch(type, resource, workload);
        const after = outcome.resource ?? added.get(name);
        const known = before?.patched.get(name);
        problems.push([name, outcome.problems.length === 0 ? undefined : outcome.problems]);
        return [name, known && after && sameResource(known, after) ? known : after] as const;
      });
      for (const name of removed) problems.push([name, undefined]);
      const next: PatchedMap = {
        source,
        patched: (before?.patched ?? SharedMap.of(added)).edited([
          ...removed.map((name) => [name, added.get(name)] as const),
          ...edits,
        ]),
        problems: (before?.problems ?? SharedMap.empty<readonly PatchProblem[]>()).edited(problems),
      };
      for (const warning of warningsOf(next.problems)) inner.warn(warning);
      return next;
    },
    (a, b) => a.source === b.source && sameMap(a.patched, b.patched),
  );
  return patched;
}

/** Each problem once, with the number of resources that have it. */
function warningsOf(problems: PatchedMap["problems"]): readonly PublishWarning[] {
  const found = new Map<string, PatchProblem & { readonly resources: Set<string> }>();
  for (const [name, list] of problems) {
    for (const problem of list) {
      const key = JSON.stringify(problem);
      const known = found.get(key) ?? { ...problem, resources: new Set() };
      found.set(key, known);
      known.resources.add(name);
    }
  }
  return [...found.values()].map(({ subject, index, reason, resources }) => {
    const [first = ""] = [...resources].sort();
    const others = resources.size === 1 ? "" : ` and ${resources.size - 1} more`;
    return { subject, message: `${patchPlace(index)} is not applied to ${first}${others}: ${reason}` };
  });
}
