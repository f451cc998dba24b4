import type { DecidingObject, ExplainStep } from "../../mesh/admin-api/replies.ts";

export function step(
  kind: ExplainStep["step"],
  name: string,
  why: string,
  object: DecidingObject | null = null,
  share: number | null = null,
): ExplainStep {
  return { step: kind, name, why, object, share };
}
