import type { ExplainReply } from "../../mesh/admin-api/replies.ts";
import type { ObjectKey, StoredObject } from "../../mesh/model/object.ts";
import { withHeld } from "../policy/kept-view.ts";
import { keyOf } from "../snapshot/config-index.ts";
import type { MeshSnapshot } from "../snapshot/mesh-snapshot.ts";
import type { PublishWarning } from "../snapshot/publish-report.ts";
import { type SnapshotView, viewOf } from "../snapshot/snapshot-view.ts";
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
  translator: Pick<Translator, "preview" | "previewAsked">,
  from: string,
  request: CallQuestion,
  warnings: Warnings = () => [],
): ExplainReply | undefined {
  const workload = snapshot.workloads.get(from);
  const resources = translator.preview(from);
  if (workload === undefined || resources === undefined) return undefined;
  const told = warnings();
  const view = inForce(viewOf(snapshot), told);
  const reply = explainCall({
    resources: (asked) =>
      (asked.length === 0 ? resources : (translator.previewAsked(from, asked) ?? resources)).types,
    view,
    workload,
    request,
  });
  return { ...reply, notes: [...reply.notes, ...notesOf(reply, told)] };
}

/** The view with the revisions that stay in force, so that the rules are those which the routes were made from. */
function inForce(view: SnapshotView, warnings: readonly PublishWarning[]): SnapshotView {
  const held = new Map<ObjectKey, StoredObject<"VirtualService">>();
  for (const { subject, inForce: revision } of warnings) {
    const kept = view.kept(subject as ObjectKey);
    if (kept !== undefined && kept.revision === revision) held.set(keyOf(kept), kept);
  }
  return held.size === 0 ? view : withHeld(view, held);
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
