export interface RateLimitPolicy {
  readonly perSecond: number;
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/** More keys than this at once are more peers than one server has. */
const MAX_KEYS = 100_000;

/** A token bucket for each key: an address, an agent. Full ones are forgotten, so that the table stays small. */
export class KeyedRateLimit {
  readonly #policy: RateLimitPolicy;
  readonly #buckets = new Map<string, Bucket>();

  constructor(policy: RateLimitPolicy) {
    this.#policy = policy;
  }

  /** Takes one token; false when there is none. `nowMs` is monotonic. */
  take(key: string, nowMs: number): boolean {
    const { perSecond, burst } = this.#policy;
    const known = this.#buckets.get(key);
    if (known === undefined && this.#buckets.size >= MAX_KEYS) this.#forgetFull(nowMs);
    if (known === undefined && this.#buckets.size >= MAX_KEYS) return false;
    const bucket = known ?? { tokens: burst, atMs: nowMs };
    const tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.atMs) / 1000) * perSecond);
    const allowed = tokens >= 1;
    this.#buckets.set(key, { tokens: allowed ? tokens - 1 : tokens, atMs: nowMs });
    return allowed;
  }

  /** Whether there is one to take. */
  has(key: string, nowMs: number): boolean {
    const { perSecond } = this.#policy;
    const known = this.#buckets.get(key);
    return known === undefined || known.tokens + ((nowMs - known.atMs) / 1000) * perSecond >= 1;
  }

  #forgetFull(nowMs: number): void {
    const { perSecond, burst } = this.#policy;
    for (const [key, { tokens, atMs }] of this.#buckets) {
      if (tokens + ((nowMs - atMs) / 1000) * perSecond >= burst) this.#buckets.delete(key);
    }
  }
}
