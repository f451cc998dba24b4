import type { MeshConfigSpec } from "../../mesh/model/mesh-config.ts";
import type { StoredObject } from "../../mesh/model/object.ts";
import { type PlacedWorkload, workloadId } from "../../mesh/model/workload.ts";
import { DEFAULT_SETTINGS, withMeshConfig } from "../snapshot/mesh-settings.ts";
import type { MeshSettings, MeshSnapshot } from "../snapshot/mesh-snapshot.ts";
import { MeshState } from "../snapshot/mesh-state.ts";
import type { PublishReport } from "../snapshot/publish-report.ts";
import { createTranslator, type Translator } from "../translate/translator.ts";
import { asAdded } from "./stored-objects.ts";
import { workloadsFromEntries } from "./workloads-from-entries.ts";

/** A mesh of objects alone: the workloads are what the WorkloadEntries say. */
export interface FileMesh {
  readonly snapshot: MeshSnapshot;
  readonly translator: Translator;
  readonly workloads: readonly PlacedWorkload[];
  /** Warnings and failures of what has been translated so far. */
  report(): PublishReport;
}

export function buildFileMesh(objects: readonly StoredObject[], mesh: MeshConfigSpec | undefined): FileMesh {
  const state = new MeshState(settingsOf(mesh));
  state.setConfig(asAdded(objects), 1);
  const { settings } = state.next().snapshot;
  const workloads = workloadsFromEntries(objects, settings.mesh);
  state.setWorkloads(workloads.map((workload) => ({ id: workloadId(workload), workload })));
  const { snapshot, changed } = state.next();
  const translator = createTranslator();
  translator.publish(snapshot, changed);
  return { snapshot, translator, workloads, report: () => translator.publish(snapshot, new Set()) };
}

/** Without a server's authority the trust domain is what the MeshConfig says. */
function settingsOf(mesh: MeshConfigSpec | undefined): MeshSettings {
  if (mesh === undefined) return DEFAULT_SETTINGS;
  const trustDomain = mesh.trustDomain ?? DEFAULT_SETTINGS.trustDomain;
  return withMeshConfig({ ...DEFAULT_SETTINGS, trustDomain }, mesh);
}
