import type { MeshConfigSpec } from "../../mesh/model/mesh-config.ts";
import type { StoredObject } from "../../mesh/model/object.ts";
import { workloadId } from "../../mesh/model/workload.ts";
import { asAdded } from "../snapshot/added-objects.ts";
import { DEFAULT_SETTINGS, withMeshConfig } from "../snapshot/mesh-settings.ts";
import type { MeshSettings } from "../snapshot/mesh-snapshot.ts";
import { MeshState, type SnapshotChange } from "../snapshot/mesh-state.ts";
import { workloadsFromEntries } from "./workloads-from-entries.ts";

/** The snapshot of a mesh of objects alone: its workloads are what the WorkloadEntries say. */
export function fileSnapshot(
  objects: readonly StoredObject[],
  mesh: MeshConfigSpec | undefined,
): SnapshotChange {
  const state = new MeshState(settingsOf(mesh));
  state.setConfig(asAdded(objects), 1);
  const { settings } = state.next().snapshot;
  const workloads = workloadsFromEntries(objects, settings.mesh);
  state.setWorkloads(workloads.map((workload) => ({ id: workloadId(workload), workload })));
  return state.next();
}

/** Without a server's authority the trust domain is what the MeshConfig says. */
function settingsOf(mesh: MeshConfigSpec | undefined): MeshSettings {
  if (mesh === undefined) return DEFAULT_SETTINGS;
  const trustDomain = mesh.trustDomain ?? DEFAULT_SETTINGS.trustDomain;
  return withMeshConfig({ ...DEFAULT_SETTINGS, trustDomain }, mesh);
}
