import type { StoredObject } from "../../mesh/model/object.ts";
import type { MtlsMode } from "../../mesh/model/peer-authentication.ts";
import type { Workload } from "../../mesh/model/workload.ts";
import { selects } from "../snapshot/labels.ts";
import type { SnapshotView } from "../snapshot/snapshot-view.ts";

export type EffectiveMtlsMode = Exclude<MtlsMode, "UNSET">;

interface Selected extends Pick<Workload, "namespace" | "labels"> {
  readonly mtls?: Workload["mtls"];
}

/**
 * Whether inbound traffic of a workload's port must be mutual TLS. The workload's own policy goes before its namespace's
 * and that before the root namespace's; the oldest of a scope counts; UNSET inherits; nothing said is PERMISSIVE. Ports
 * are those that the application listens on, and only a policy with a selector can name them. What the workload's
 * registration says (`lateen.mtls`) may be stricter than a namespace's or the mesh's policy, and never laxer than any: who
 * writes a catalog must not open what an administrator closed.
 */
export function mtlsMode(view: SnapshotView, workload: Selected, appPort: number): EffectiveMtlsMode {
  const own = view.peerAuthentications(workload.namespace);
  const root = view.peerAuthentications(view.settings.rootNamespace);
  const selecting = selectingPolicy(view, workload);
  const candidates: readonly (MtlsMode | undefined)[] = [
    selecting?.portLevelMtls.get(appPort),
    selecting?.mode,
    workload.mtls === "strict" ? "STRICT" : undefined,
    own.find((one) => !hasSelector(one))?.spec.mode,
    root.find((one) => !hasSelector(one))?.spec.mode,
  ];
  return candidates.find(isSet) ?? "PERMISSIVE";
}

/** The ports that a workload's own policy names, lowest first: their mode may be another than that of all others. */
export function portsWithMode(view: SnapshotView, workload: Selected): readonly number[] {
  return [...(selectingPolicy(view, workload)?.portLevelMtls.keys() ?? [])].sort((a, b) => a - b);
}

function selectingPolicy(
  view: SnapshotView,
  { namespace, labels }: Selected,
): StoredObject<"PeerAuthentication">["spec"] | undefined {
  const all = view.peerAuthentications(namespace);
  return all.find((one) => hasSelector(one) && selects(one.spec.selector, labels))?.spec;
}

function isSet(mode: MtlsMode | undefined): mode is EffectiveMtlsMode {
  return mode !== undefined && mode !== "UNSET";
}

function hasSelector({ spec }: StoredObject<"PeerAuthentication">): boolean {
  return Object.keys(spec.selector).length > 0;
}
