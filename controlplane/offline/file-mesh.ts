import type { MeshConfigSpec } from "../../mesh/model/mesh-config.ts";
import type { StoredObject } from "../../mesh/model/object.ts";
import { messageTypes } from "../message-types.ts";
import type { MeshSnapshot } from "../snapshot/mesh-snapshot.ts";
import type { PublishReport } from "../snapshot/publish-report.ts";
import { createTranslator, type Translator } from "../translate/translator.ts";
import { fileSnapshot } from "./file-state.ts";

/** A mesh of objects alone, with what its workloads get. */
export interface FileMesh {
  readonly snapshot: MeshSnapshot;
  readonly translator: Translator;
  /** Warnings and failures of what has been translated so far. */
  readonly report: () => PublishReport;
}

export function buildFileMesh(objects: readonly StoredObject[], mesh: MeshConfigSpec | undefined): FileMesh {
  const { snapshot, changed } = fileSnapshot(objects, mesh);
  const translator = createTranslator({ messageTypes });
  translator.publish(snapshot, changed);
  return { snapshot, translator, report: () => translator.publish(snapshot, new Set()) };
}
