import type { SlowStart } from "../model/cluster.ts";

const SHORTEST_MS = 1000;

/** Part of its weight that an endpoint gets which is `ageMs` old (Envoy, "Slow start mode"); 1 after the window. */
export function slowStartFactor({ windowMs, aggression, minimumPercent }: SlowStart, ageMs: number): number {
  if (ageMs >= windowMs) return 1;
  const progress = Math.min(1, Math.max(SHORTEST_MS, ageMs) / windowMs);
  return Math.max(minimumPercent / 100, progress ** (1 / aggression));
}
