import type { HealthCheck } from "../model/health-check.ts";

/** What the checks have found of a host. */
export interface Health {
  /** Nobody knows before the first check; until then a host is not well. */
  readonly known: boolean;
  readonly isWell: boolean;
  /** Checks in a row that said the opposite. */
  readonly against: number;
}

/** `dead`: what no second look could make better. */
export type CheckOutcome = "pass" | "fail" | "dead";

export const UNKNOWN_HEALTH: Health = { known: false, isWell: false, against: 0 };

/** The first check decides by itself; later ones when there are enough of them in a row (Envoy). */
export function noteCheck(
  { known, isWell, against }: Health,
  outcome: CheckOutcome,
  rules: Pick<HealthCheck, "healthyThreshold" | "unhealthyThreshold">,
): Health {
  const passed = outcome === "pass";
  if (!known) return { known: true, isWell: passed, against: 0 };
  if (passed === isWell) return { known, isWell, against: 0 };
  const threshold = passed ? rules.healthyThreshold : rules.unhealthyThreshold;
  const isEnough = outcome === "dead" || against + 1 >= threshold;
  return isEnough ? { known, isWell: passed, against: 0 } : { known, isWell, against: against + 1 };
}

/** Milliseconds until the next check. `random` is of [0, 1). */
export function nextCheckMs(
  rules: HealthCheck,
  { isWell }: Pick<Health, "isWell">,
  hasTraffic: boolean,
  random: number,
): number {
  const { intervalMs, unhealthyIntervalMs, noTrafficIntervalMs } = rules;
  const base = hasTraffic ? (isWell ? intervalMs : unhealthyIntervalMs) : noTrafficIntervalMs;
  return base + random * (rules.intervalJitterMs + (base * rules.intervalJitterPercent) / 100);
}
