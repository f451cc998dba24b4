import { RE2JS } from "re2js";
import type { ConfigPatch, PatchContext, PatchMatch } from "../../mesh/model/envoy-filter.ts";
import type { StoredObject } from "../../mesh/model/object.ts";
import { METADATA_PREFIX } from "../../mesh/model/proxy-config.ts";
import { ISTIO_VERSION } from "../../mesh/version.ts";
import { nodeMetadata } from "../../mesh/xds/node-metadata.ts";
import { selects } from "../snapshot/labels.ts";
import type { SnapshotView, WorkloadConfig } from "../snapshot/snapshot-view.ts";
import { type EffectiveProxyConfig, proxyConfigFor } from "./proxy-config.ts";

type EnvoyFilter = StoredObject<"EnvoyFilter">;

/** One of `configPatches` that holds for a workload. */
export interface SelectedPatch {
  readonly filter: EnvoyFilter;
  /** Its place in `configPatches`. */
  readonly index: number;
  readonly patch: ConfigPatch;
}

/**
 * The patches for a workload in the order in which they are applied: filters of the root namespace and of the workload's
 * that select it, by priority, the root namespace's first, then the oldest. Patches for other proxies are left out.
 */
export function selectPatches(view: SnapshotView, workload: WorkloadConfig): readonly SelectedPatch[] {
  const { rootNamespace } = view.settings;
  const filters = [...new Set([rootNamespace, workload.namespace])]
    .flatMap((namespace) => view.envoyFilters(namespace))
    .filter(({ spec }) => selects(spec.workloadSelector, workload.labels));
  if (filters.length === 0) return [];
  const metadata = {
    ...nodeMetadata(workload, view.settings.trustDomain),
    ...metadataOf(proxyConfigFor(view, workload)),
  };
  return filters
    .sort(byOrder)
    .flatMap((filter) => filter.spec.configPatches.map((patch, index) => ({ filter, index, patch })))
    .filter(
      ({ patch: { match } }) => isForRole(match.context, workload.role) && isForProxy(match.proxy, metadata),
    );
}

/** Equal for patches that are the same; says nothing about whom they are for. */
export function patchesKey(patches: readonly SelectedPatch[]): string {
  return patches
    .map(
      ({ filter: { metadata, revision }, index }) =>
        `${metadata.namespace}/${metadata.name}@${revision}:${index}`,
    )
    .join(",");
}

/** As Istio's agent takes metadata from its environment. */
function metadataOf({ environmentVariables }: EffectiveProxyConfig): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(environmentVariables).flatMap(([name, value]) =>
      name.startsWith(METADATA_PREFIX) ? [[name.slice(METADATA_PREFIX.length), value] as const] : [],
    ),
  );
}

/** The lists are in order of precedence, the root namespace's first, and sorting keeps that where priorities are equal. */
function byOrder(a: EnvoyFilter, b: EnvoyFilter): number {
  return a.spec.priority - b.spec.priority;
}

function isForRole(context: PatchContext, role: WorkloadConfig["role"]): boolean {
  return context === "ANY" || (context === "GATEWAY") === (role === "gateway");
}

/** The expression may match anywhere in the version, as in Istio. */
function isForProxy(
  { version, metadata }: PatchMatch["proxy"],
  known: Readonly<Record<string, unknown>>,
): boolean {
  if (version !== "" && !RE2JS.compile(version).matcher(ISTIO_VERSION).find()) return false;
  return Object.entries(metadata).every(([key, value]) => known[key] === value);
}
