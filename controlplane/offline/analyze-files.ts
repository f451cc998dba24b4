import type { AnalysisMessage } from "../../mesh/admin-api/replies.ts";
import type { MeshConfigSpec } from "../../mesh/model/mesh-config.ts";
import type { StoredObject } from "../../mesh/model/object.ts";
import type { FiledObject } from "../../mesh/model/parse-files.ts";
import { analyze, type FilePlace } from "../analyze/analyze.ts";
import { keyOf } from "../store/apply-plan.ts";
import { fileSnapshot } from "./file-state.ts";
import { asStored } from "./stored-objects.ts";

export interface AnalyzeFilesOptions {
  /** What `--mesh-config` says. */
  readonly mesh: MeshConfigSpec | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** What is wrong with these objects if they are all there is. */
export function analyzeFiles(
  objects: readonly FiledObject[],
  { mesh, now }: AnalyzeFilesOptions,
): readonly AnalysisMessage[] {
  const stored = asStored(objects);
  const { snapshot } = fileSnapshot(stored, mesh);
  return analyze({ objects: stored, snapshot, places: placesOf(stored, objects), now });
}

/** Where the objects that these files have are. */
export function placesOf(
  objects: readonly StoredObject[],
  files: readonly FiledObject[],
): ReadonlyMap<StoredObject, FilePlace> {
  const filed = new Map(files.map((one) => [keyOf(one.object), one]));
  return new Map(
    objects.flatMap((object) => {
      const place = filed.get(keyOf(object));
      return place === undefined ? [] : [[object, place] as const];
    }),
  );
}
