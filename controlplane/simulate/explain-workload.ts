import type { ExplainReply } from "../../mesh/admin-api/replies.ts";
import type { MeshSnapshot } from "../snapshot/mesh-snapshot.ts";
import type { PublishWarning } from "../snapshot/publish-report.ts";
import { viewOf } from "../snapshot/snapshot-view.ts";
import type { Translator } from "../translate/translator.ts";
import type { CallQuestion } from "./call-question.ts";
import { explainCall } from "./explain-call.ts";

/** What the translation of a snapshot has told so far. */
type Warnings = () => readonly PublishWarning[];

/**
 * Explains calls of a snapshot's workloads (`namespace/name`) with the resources that they get. Undefined: there is no
 * such workload, or nothing came of its translation.
 */
export function explainWith(
  snapshot: MeshSnapshot,
  translator: Pick<Translator, "preview">,
  from: string,
  request: CallQuestion,
  warnings: Warnings = () => [],
): ExplainReply | undefined {
  const workload = snapshot.workloads.get(from);
  const resources = translator.preview(from);
  if (workload === undefined || resources === undefined) return undefined;
  const reply = explainCall({ types: resources.types, view: viewOf(snapshot), workload, request });
  return { ...reply, notes: notesOf(reply, warnings()) };
}

function notesOf(
  { steps }: Pick<ExplainReply, "steps">,
  warnings: readonly PublishWarning[],
): readonly string[] {
  const deciding = steps.flatMap(({ object }) => (object === null ? [] : [object]));
  const labels = new Map(
    deciding.map(({ kind, namespace, name }) => [
      `${kind}/${namespace}/${name}`,
      `${kind} ${namespace}/${name}`,
    ]),
  );
  return warnings.flatMap(({ subject, message }) => {
    const label = labels.get(subject);
    return label === undefined ? [] : [`${label}: ${message}`];
  });
}
