import type { StoredObject } from "../../mesh/model/object.ts";
import type { SnapshotView } from "../snapshot/snapshot-view.ts";

/** How an object of `owner` is seen from a namespace, nearest first; undefined: not at all. */
export type Visibility = "private" | "exported" | "public";

/** Istio's exportTo: `.` is the own namespace, `*` (and nothing) all, `~` none, else names. */
export function visibility(exportTo: readonly string[], owner: string, from: string): Visibility | undefined {
  if (exportTo.length === 0 || exportTo.includes("*")) return "public";
  if (exportTo.includes("~")) return undefined;
  if (exportTo.includes(".") && owner === from) return "private";
  return exportTo.includes(from) ? "exported" : undefined;
}

/** The namespaces that see an object of `owner`; `*`: all. */
export function audience(exportTo: readonly string[], owner: string): ReadonlySet<string> {
  const said = exportTo.length === 0 ? ["*"] : exportTo;
  return new Set(said.filter((one) => one !== "~").map((one) => (one === "." ? owner : one)));
}

/** True when some namespace is in both. */
export function seenTogether(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  if (a.has("*")) return b.size > 0;
  return b.has("*") ? a.size > 0 : a.intersection(b).size > 0;
}

/** What a VirtualService is for and who sees it, whatever it says: any VirtualService is one. */
export interface HostClaim {
  readonly kind: "VirtualService";
  readonly metadata: Pick<StoredObject<"VirtualService">["metadata"], "name" | "namespace">;
  readonly spec: Pick<StoredObject<"VirtualService">["spec"], "hosts" | "exportTo">;
}

/** How a namespace sees a VirtualService. One that says nothing follows the mesh's default. */
export function virtualServiceVisibility(
  { settings }: SnapshotView,
  { spec, metadata }: HostClaim,
  from: string,
): Visibility | undefined {
  const said = spec.exportTo.length > 0 ? spec.exportTo : settings.mesh.defaultVirtualServiceExportTo;
  return visibility(said, metadata.namespace, from);
}
