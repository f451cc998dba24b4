import { MeshError } from "../errors.ts";
import { backoffMs } from "../lifecycle/backoff.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { CatalogAnswer, CatalogClient } from "./blocking-client.ts";
import type { Gate } from "./gate.ts";
import type { IndexEpoch } from "./index-epoch.ts";
import { TokenBucket } from "./token-bucket.ts";
import type { TokenQueue } from "./token-queue.ts";

/** How patient blocking queries are. Times in milliseconds. */
export interface QueryTiming {
  /** How long a query that has nothing new may be held: at most 10 minutes; the catalog adds up to a sixteenth. */
  readonly waitMs: number;
  /** Beyond that, how long an answer may take. */
  readonly patienceMs: number;
  /** Under churn each query asks at most twice at once and then once in this time. */
  readonly refillMs: number;
  /** And all of them together, beyond a burst, once in this time. */
  readonly allRefillMs: number;
  readonly backoffFirstMs: number;
  readonly backoffMaxMs: number;
}

export const QUERY_TIMING: QueryTiming = {
  waitMs: 60_000,
  patienceMs: 10_000,
  refillMs: 500,
  allRefillMs: 2,
  backoffFirstMs: 250,
  backoffMaxMs: 10_000,
};

export interface BlockingQueryDeps {
  readonly client: CatalogClient;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly timing: QueryTiming;
  /** Bounds the answers that the catalog gives at once, so that setting up many watches does not flood it. */
  readonly gate: Gate;
  /** Shared by all queries of one catalog: what they ask together. */
  readonly limit: TokenQueue;
  /** Shared by all queries of one catalog. */
  readonly epoch: IndexEpoch;
}

export type QueryEvent<T> =
  | {
      readonly kind: "answer";
      readonly value: T;
      readonly index: number;
      /** The index went backwards: the catalog lost data or was restored. */
      readonly rewound: boolean;
      /** The query had failed since its last answer. */
      readonly recovered: boolean;
    }
  | { readonly kind: "failed"; readonly error: MeshError };

/**
 * Asks Consul or Nomad the same question for ever: yields its answer, and again whenever it may have changed, until the signal
 * is aborted. Does not throw for what the catalog does: a failure is yielded, then retried with jittered back-off.
 *
 * Holds the rules that both have for clients: an index that goes backwards starts over, here and in all queries of the
 * epoch, one below 1 is no index, and requests are limited by token buckets, its own and all queries'. `parse` throws for an answer that is not usable at all.
 */
export async function* blockingQuery<T>(
  deps: BlockingQueryDeps,
  question: { readonly path: string; readonly parse: (body: unknown) => T },
  signal: AbortSignal,
): AsyncGenerator<QueryEvent<T>, void> {
  const { client, clock, random, timing, gate, limit, epoch } = deps;
  const bucket = new TokenBucket(clock, 2, timing.refillMs);
  const backoff = { firstMs: timing.backoffFirstMs, maxMs: timing.backoffMaxMs };
  /** The last index that was told, and whether the next request may wait for a newer one. */
  let last = 0;
  let wait = false;
  /** The epoch that the index is of. */
  let of = epoch.number;
  let failures = 0;
  while (!signal.aborted) {
    await bucket.take(signal);
    await limit.take(signal);
    wait &&= of === epoch.number;
    const { over } = epoch;
    let event: QueryEvent<T>;
    try {
      const { path } = question;
      const answer = wait
        ? await client.get({ path, ...waiting(last, timing) }, AbortSignal.any([signal, over]))
        : await gate.run(() => client.get({ path, timeoutMs: timing.patienceMs }, signal));
      const value = question.parse(answer.body);
      const index = checkedIndex(answer, path);
      const rewound = index < last;
      if (rewound && of === epoch.number) epoch.end();
      of = epoch.number;
      event = { kind: "answer", value, index, rewound, recovered: failures > 0 };
      last = index;
      wait = !rewound;
      failures = 0;
    } catch (error) {
      // No failure: the answer that it waited for would not have come.
      if (wait && over.aborted && !signal.aborted) continue;
      // What happened in between is unknown, so the next request takes the content as it is then.
      wait = false;
      event = { kind: "failed", error: MeshError.from(error, "registry.unavailable") };
    }
    if (signal.aborted) return;
    yield event;
    if (event.kind === "failed") await clock.sleep(backoffMs(backoff, failures++, random()), signal);
  }
}

/** The query is held for the wait and up to a sixteenth more. */
function waiting(
  index: number,
  timing: QueryTiming,
): { readonly query: Readonly<Record<string, string>>; readonly timeoutMs: number } {
  const waitMs = Math.min(timing.waitMs, 600_000);
  return {
    query: { index: String(index), wait: `${waitMs}ms` },
    timeoutMs: Math.ceil(waitMs + waitMs / 16 + timing.patienceMs),
  };
}

function checkedIndex(answer: CatalogAnswer, path: string): number {
  if (answer.index !== undefined && answer.index >= 1) return answer.index;
  const found = answer.index === undefined ? "no index (X-Consul-Index, X-Nomad-Index)" : "the index 0";
  throw new MeshError("registry.unavailable", `ask the catalog for ${path}: the answer has ${found}`, {
    hint: "see whether something between here and the catalog changes its headers",
  });
}
