import type { SlowStart } from "../../model/cluster.ts";
import type { Member } from "../../tables/balancer.ts";
import { slowStartFactor } from "../../tables/slow-start.ts";
import type { UpstreamHost } from "./upstream-host.ts";

/** So often the weights of endpoints that start slowly are worked out again. */
const SLOW_START_STEPS = 50;

/** Hosts as a balancer is to see them now, and until when: an ejected one comes back, or one that starts gets more. */
export function membersNow(
  hosts: Iterable<UpstreamHost>,
  slowStart: SlowStart | undefined,
  nowMs: number,
): { readonly members: readonly Member<UpstreamHost>[]; readonly nextChangeMs: number } {
  let nextChangeMs = Number.POSITIVE_INFINITY;
  const changeAt = (ms: number): void => {
    nextChangeMs = Math.min(nextChangeMs, ms);
  };
  const members = [...hosts].map((host) => {
    const { standing, endpoint, sinceMs, failsChecks } = host;
    if (standing.ejectedUntilMs <= nowMs) standing.ejectedUntilMs = 0;
    else changeAt(standing.ejectedUntilMs);
    const factor = slowStart ? slowStartFactor(slowStart, nowMs - sinceMs) : 1;
    if (slowStart && factor < 1) changeAt(nowMs + slowStart.windowMs / SLOW_START_STEPS);
    const ejected = standing.ejectedUntilMs !== 0 || failsChecks;
    return { host, weight: endpoint.weight * factor, ejected };
  });
  return { members, nextChangeMs };
}
