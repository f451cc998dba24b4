import type { ExplainReply } from "../../mesh/admin-api/replies.ts";
import type { MeshSnapshot } from "../snapshot/mesh-snapshot.ts";
import { viewOf } from "../snapshot/snapshot-view.ts";
import type { Translator } from "../translate/translator.ts";
import type { CallQuestion } from "./call-question.ts";
import { explainCall } from "./explain-call.ts";

/**
 * Explains calls of a snapshot's workloads (`namespace/name`) with the resources that they get. Undefined: there is no
 * such workload, or nothing came of its translation.
 */
export function explainWith(
  snapshot: MeshSnapshot,
  translator: Pick<Translator, "preview">,
  from: string,
  request: CallQuestion,
): ExplainReply | undefined {
  const workload = snapshot.workloads.get(from);
  const resources = translator.preview(from);
  if (workload === undefined || resources === undefined) return undefined;
  return explainCall({ types: resources.types, view: viewOf(snapshot), workload, request });
}
