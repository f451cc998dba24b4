import type { PlacedWorkload } from "../../../../mesh/model/workload.ts";
import type { EncodedResource } from "../../../../mesh/xds/encoded-resource.ts";
import { TYPE_URL, type TypeUrl } from "../../../../mesh/xds/type-urls.ts";
import { sampleState, workload } from "../../../../test/fakes/sample-mesh.ts";
import { selectPatches } from "../../../policy/envoy-filters.ts";
import type { PublishWarning } from "../../../snapshot/publish-report.ts";
import { viewOf } from "../../../snapshot/snapshot-view.ts";
import { PatchSet } from "../patch-set.ts";
import type { PatchProblem } from "../patching.ts";
import { preparePatches } from "../prepare-patches.ts";
import { GATEWAY, SIDECAR, types } from "./base-resources.ts";

export interface PatchedResource {
  readonly type: TypeUrl;
  readonly name: string;
  /** Undefined: a patch has added it. */
  readonly before: EncodedResource | undefined;
  /** Undefined: a patch has removed it. */
  readonly after: EncodedResource | undefined;
}

export interface AppliedPatches {
  /** Only those that are not as before. */
  readonly resources: readonly PatchedResource[];
  readonly warnings: readonly PublishWarning[];
  readonly problems: readonly PatchProblem[];
}

/** What becomes of the base resources with one EnvoyFilter that has these as its `configPatches`. */
export function applyPatches(
  configPatches: readonly object[],
  role: PlacedWorkload["role"] = "sidecar",
): AppliedPatches {
  const yaml = JSON.stringify({
    apiVersion: "networking.istio.io/v1alpha3",
    kind: "EnvoyFilter",
    metadata: { name: "filter" },
    spec: { configPatches },
  });
  const reviews = workload("reviews", { role });
  const view = viewOf(sampleState({ yaml, workloads: [reviews] }).next().snapshot);
  const { lists, warnings } = preparePatches(types, selectPatches(view, reviews), view.settings);
  const set = new PatchSet(types, lists, "");
  const problems: PatchProblem[] = [];
  const resources: PatchedResource[] = [];
  for (const type of Object.values(TYPE_URL)) {
    const before = (role === "gateway" ? GATEWAY : SIDECAR).get(type) ?? [];
    for (const resource of before) {
      const services = ["reviews.default.svc.cluster.local"];
      const outcome = set.patch(type, resource, { role, services });
      problems.push(...outcome.problems);
      if (outcome.resource !== resource)
        resources.push({ type, name: resource.name, before: resource, after: outcome.resource });
    }
    for (const [name, { resource }] of set.added(type))
      resources.push({ type, name, before: undefined, after: resource });
  }
  return { resources, warnings, problems };
}
