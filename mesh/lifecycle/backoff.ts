export interface BackoffPolicy {
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * The delay before attempt `attempt` (0 is the first retry): full jitter over an exponentially growing window, so that
 * many clients that lost the same server come back spread out. `random` is in [0, 1).
 */
export function backoffMs(policy: BackoffPolicy, attempt: number, random: number): number {
  const window = Math.min(policy.maxMs, policy.firstMs * 2 ** Math.min(attempt, 30));
  return Math.round(window / 2 + (window / 2) * random);
}
