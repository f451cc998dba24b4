import type { ExplainReply } from "../../mesh/admin-api/replies.ts";
import { MeshError } from "../../mesh/errors.ts";
import type { MeshConfigSpec } from "../../mesh/model/mesh-config.ts";
import type { FiledObject } from "../../mesh/model/parse-files.ts";
import { parseQuestion } from "../simulate/call-question.ts";
import { explainWith } from "../simulate/explain-workload.ts";
import { buildFileMesh } from "./file-mesh.ts";
import { workloadAmong } from "./render-workload.ts";
import { asStored } from "./stored-objects.ts";

/**
 * How a workload's call would fare if these objects were all there is. Throws `object.not-found` when none of the
 * candidates (`namespace/name`) is a WorkloadEntry, and `xds.inconsistent` when its translation fails.
 */
export function explainFiles(
  objects: readonly FiledObject[],
  candidates: readonly string[],
  question: Parameters<typeof parseQuestion>[0],
  mesh?: MeshConfigSpec,
): ExplainReply {
  const { snapshot, translator, report } = buildFileMesh(asStored(objects), mesh);
  const workload = workloadAmong(snapshot, candidates);
  const reply = explainWith(snapshot, translator, workload, parseQuestion(question), () => report().warnings);
  if (reply !== undefined) return reply;
  const reason = report().failures.find((one) => one.workload === workload)?.reason;
  throw new MeshError("xds.inconsistent", `translate ${workload}: ${reason ?? "nothing came of it"}`, {
    hint: "lateen analyze says what may be wrong with the objects",
  });
}
