import { isDeepStrictEqual } from "node:util";
import { SharedMap } from "../../../mesh/collections/shared-map.ts";
import type { EncodedResource } from "../../../mesh/xds/encoded-resource.ts";
import type { TypeUrl } from "../../../mesh/xds/type-urls.ts";
import type { PublishWarning } from "../../snapshot/publish-report.ts";
import { byText } from "../../snapshot/text-order.ts";
import type { Scope } from "../memo.ts";
import { sameMap, sameResource } from "../resource.ts";
import type { AddedResource, PatchedWorkload, PatchSet } from "./patch-set.ts";
import type { PatchProblem } from "./patching.ts";
import { patchPlace } from "./prepare-patches.ts";

type Resources = SharedMap<EncodedResource>;

interface PatchedMap {
  readonly source: Resources;
  readonly workload: PatchedWorkload;
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
    (inner, last) => {
      const source = sourceOf(inner);
      const workload = workloadOf(inner);
      const before = last !== undefined && isDeepStrictEqual(last.workload, workload) ? last : undefined;
      const added = withAdded ? patches.added(type) : NONE_ADDED;
      const { set, removed } = source.changesSince(before?.source ?? SharedMap.empty());
      const problems: (readonly [string, readonly PatchProblem[] | undefined])[] = [];
      const edits = set.map(([name, resource]) => {
        const outcome = patches.patch(type, resource, workload);
        const after = outcome.resource ?? added.get(name)?.resource;
        const known = before?.patched.get(name);
        const refused = outcome.resource === undefined ? undefined : added.get(name)?.ifTaken;
        const found = [...outcome.problems, ...(refused === undefined ? [] : [refused])];
        problems.push([name, found.length === 0 ? undefined : found]);
        return [name, known && after && sameResource(known, after) ? known : after] as const;
      });
      for (const name of removed) problems.push([name, undefined]);
      const next: PatchedMap = {
        source,
        workload,
        patched: (before?.patched ?? SharedMap.of(resourcesOf(added))).edited([
          ...removed.map((name) => [name, added.get(name)?.resource] as const),
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

const NONE_ADDED: ReadonlyMap<string, AddedResource> = new Map();

function resourcesOf(
  added: ReadonlyMap<string, AddedResource>,
): readonly (readonly [string, EncodedResource])[] {
  return [...added].map(([name, { resource }]) => [name, resource] as const);
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
    const [first = ""] = [...resources].sort(byText);
    const others = resources.size === 1 ? "" : ` and ${resources.size - 1} more`;
    return { subject, message: `${patchPlace(index)} is not applied to ${first}${others}: ${reason}` };
  });
}
