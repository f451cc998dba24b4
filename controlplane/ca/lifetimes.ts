import type { SpiffeIdSubject } from "../../mesh/identity/spiffe-id.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;

/** How long certificates live, in milliseconds. */
export interface Lifetimes {
  readonly workloadMs: number;
  readonly agentMs: number;
  readonly serverMs: number;
  /** Of JWT-SVIDs: nobody can take one back. */
  readonly jwtMs: number;
  /** Bounds of what a caller may wish for. */
  readonly minMs: number;
  readonly maxMs: number;
}

export const DEFAULT_LIFETIMES: Lifetimes = {
  workloadMs: DAY,
  agentMs: 7 * DAY,
  serverMs: DAY,
  jwtMs: 5 * MINUTE,
  minMs: 5 * MINUTE,
  maxMs: 7 * DAY,
};

/** The wish within the bounds, or what is usual for this kind of identity. */
export function lifetimeFor(
  subject: SpiffeIdSubject,
  wishMs: number | undefined,
  lifetimes: Lifetimes,
): number {
  const usual = usualLifetime(subject, lifetimes);
  if (wishMs === undefined || !(wishMs > 0)) return usual;
  // Whoever configured a shorter life than the lower bound means it.
  return Math.min(Math.max(wishMs, Math.min(lifetimes.minMs, usual)), lifetimes.maxMs);
}

function usualLifetime(subject: SpiffeIdSubject, lifetimes: Lifetimes): number {
  switch (subject.kind) {
    case "agent":
      return lifetimes.agentMs;
    case "server":
      return lifetimes.serverMs;
    case "workload":
    case "other":
      return lifetimes.workloadMs;
    default:
      return subject satisfies never;
  }
}
