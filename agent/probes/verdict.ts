import type { ReadinessProbe } from "../../mesh/model/readiness-probe.ts";
import type { Outcome } from "./outcome.ts";

/** What is held of an application after its checks so far. */
export interface Verdict {
  readonly healthy: boolean;
  /** False: known from an agent before this one. The next failure ends it, for nobody looked meanwhile. */
  readonly settled: boolean;
  /** How many checks in a row have said otherwise. */
  readonly against: number;
  /** Why the last check failed; empty: it did not. */
  readonly reason: string;
}

/** Of an application that has not been asked yet. */
export const UNASKED: Verdict = { healthy: false, settled: true, against: 0, reason: "it was not asked yet" };

/** The verdict after one more check. It turns when as many in a row as the probe's threshold say otherwise. */
export function nextVerdict(
  verdict: Verdict,
  outcome: Outcome,
  { successThreshold, failureThreshold }: Pick<ReadinessProbe, "successThreshold" | "failureThreshold">,
): Verdict {
  const reason = outcome.ok ? "" : outcome.reason;
  if (outcome.ok === verdict.healthy) return { healthy: outcome.ok, settled: true, against: 0, reason };
  const against = verdict.against + 1;
  const enough = outcome.ok ? successThreshold : verdict.settled ? failureThreshold : 1;
  if (against >= enough) return { healthy: outcome.ok, settled: true, against: 0, reason };
  return { ...verdict, against, reason };
}
