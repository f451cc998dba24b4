import type { OutlierRules } from "../model/cluster.ts";
import type { Random } from "./weighted.ts";

/** What the detector keeps of a host. */
export interface Standing {
  consecutive5xx: number;
  consecutiveGateway: number;
  consecutiveLocal: number;
  ejections: number;
  /** Monotonic milliseconds; 0: it is not ejected. */
  ejectedUntilMs: number;
}

/** `local`: no connection came about. */
export type Outcome = "ok" | "5xx" | "gateway" | "local";

export function newStanding(): Standing {
  return { consecutive5xx: 0, consecutiveGateway: 0, consecutiveLocal: 0, ejections: 0, ejectedUntilMs: 0 };
}

/** 502 to 504 and everything that is no response at all count as gateway errors, which are 5xx errors too. */
export function outcomeOf(
  status: number | "unconnected" | undefined,
  { errorStatuses }: Pick<OutlierRules, "errorStatuses">,
): Outcome {
  if (status === "unconnected") return "local";
  if (status === undefined) return "gateway";
  if (!(errorStatuses?.has(status) ?? status >= 500)) return "ok";
  return status >= 502 && status <= 504 ? "gateway" : "5xx";
}

/** Notes an outcome; true when the host is to be ejected for it, were there no limit. */
export function noteOutcome(
  standing: Standing,
  outcome: Outcome,
  rules: OutlierRules,
  random: Random,
): boolean {
  if (outcome === "local" && rules.consecutiveLocal) {
    standing.consecutiveLocal++;
    return isOver(standing.consecutiveLocal, rules.consecutiveLocal, random);
  }
  standing.consecutiveLocal = 0;
  if (outcome === "ok") {
    standing.consecutive5xx = 0;
    standing.consecutiveGateway = 0;
    return false;
  }
  standing.consecutive5xx++;
  standing.consecutiveGateway = outcome === "5xx" ? 0 : standing.consecutiveGateway + 1;
  return (
    isOver(standing.consecutive5xx, rules.consecutive5xx, random) ||
    isOver(standing.consecutiveGateway, rules.consecutiveGateway, random)
  );
}

function isOver(count: number, rule: OutlierRules["consecutive5xx"], random: Random): boolean {
  return rule.count > 0 && count >= rule.count && random() < rule.enforcing;
}

/** Takes a host out for a time that grows with each time. */
export function eject(standing: Standing, rules: OutlierRules, nowMs: number): void {
  standing.ejections++;
  standing.consecutive5xx = 0;
  standing.consecutiveGateway = 0;
  standing.consecutiveLocal = 0;
  standing.ejectedUntilMs = nowMs + Math.min(rules.maxEjectionMs, rules.baseEjectionMs * standing.ejections);
}

/** Envoy's rule: as long as less than the allowed part is out, one more may go, so one always may. */
export function mayEject(ejected: number, total: number, rules: OutlierRules): boolean {
  return total > 0 && (ejected / total) * 100 < rules.maxEjectionPercent;
}
