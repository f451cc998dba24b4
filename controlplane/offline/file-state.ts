import type { MeshConfigSpec } from "../../mesh/model/mesh-config.ts";
import type { StoredObject } from "../../mesh/model/object.ts";
import type { FiledObject } from "../../mesh/model/parse-files.ts";
import { workloadId } from "../../mesh/model/workload.ts";
import { asAdded } from "../snapshot/added-objects.ts";
import { DEFAULT_SETTINGS, withMeshConfig } from "../snapshot/mesh-settings.ts";
import { MeshSizes } from "../snapshot/mesh-sizes.ts";
import type { MeshSettings } from "../snapshot/mesh-snapshot.ts";
import { MeshState, type SnapshotChange } from "../snapshot/mesh-state.ts";
import { asStored } from "./stored-objects.ts";
import { workloadsFromEntries } from "./workloads-from-entries.ts";

/** Throws `mesh.too-large` when a mesh of these objects alone would be more than a server holds. */
export function admitFiles(objects: readonly FiledObject[]): void {
  new MeshSizes(DEFAULT_SETTINGS).admit(asAdded(asStored(objects)));
}

/**
 * The snapshot of a mesh of objects alone: its workloads are what the WorkloadEntries say. Throws `mesh.too-large`.
 */
export function fileSnapshot(
  objects: readonly StoredObject[],
  mesh: MeshConfigSpec | undefined,
): SnapshotChange {
  const written = stateOf(objects, settingsOf(mesh));
  const { settings } = written.next().snapshot;
  const { trustDomain = settings.trustDomain } = settings.mesh;
  const state =
    trustDomain === settings.trustDomain ? written : stateOf(objects, { ...settingsOf(mesh), trustDomain });
  const workloads = workloadsFromEntries(objects, settings.mesh);
  state.setWorkloads(workloads.map((workload) => ({ id: workloadId(workload), workload })));
  return state.next();
}

function stateOf(objects: readonly StoredObject[], settings: MeshSettings): MeshState {
  const state = new MeshState(settings);
  const changes = asAdded(objects);
  state.admit(changes);
  state.setConfig(changes, 1);
  return state;
}

/** Without a server's authority the trust domain is what the MeshConfig in force says, of the files or `--mesh-config`. */
function settingsOf(mesh: MeshConfigSpec | undefined): MeshSettings {
  return mesh === undefined ? DEFAULT_SETTINGS : withMeshConfig(DEFAULT_SETTINGS, mesh);
}
