import type { ResponseHead } from "../../codec/stream.ts";
import type { RetryPolicy } from "../../model/route.ts";
import type { Choice } from "../../tables/balancer.ts";
import { type AttemptEnd, retryDelayMs, wantsRetry } from "../../tables/retry.ts";
import type { HttpRecord } from "../../telemetry/records.ts";
import type { UpstreamCluster } from "../upstream/upstream-cluster.ts";
import type { UpstreamHost } from "../upstream/upstream-host.ts";
import type { AttemptFailure } from "./attempt.ts";

/** A pool may hold several connections that the server has closed for being idle. */
const MOST_STALE_CONNECTIONS = 3;

/** Keeps count of the attempts of one request, and decides about the next. */
export class Retries {
  readonly #policy: RetryPolicy | undefined;
  readonly #cluster: UpstreamCluster;
  readonly #record: HttpRecord;
  readonly #tried: UpstreamHost[] = [];
  #avoidPriorities: ReadonlySet<number> | undefined;
  #stale = 0;
  /** It is one of the retries that the cluster counts. */
  #counted = false;
  attempts = 0;

  constructor(policy: RetryPolicy | undefined, cluster: UpstreamCluster, record: HttpRecord) {
    this.#policy = policy;
    this.#cluster = cluster;
    this.#record = record;
  }

  /** What the next host is chosen by; undefined: nothing. */
  choice(hash: bigint | undefined): Choice<UpstreamHost> | undefined {
    if (this.#tried.length === 0) return hash === undefined ? undefined : { hash };
    this.#leavePriorities();
    const avoid = this.#policy?.avoidPreviousHosts === false ? undefined : new Set(this.#tried);
    return { hash, avoid, avoidPriorities: this.#avoidPriorities };
  }

  begin(host: UpstreamHost): void {
    this.#tried.push(host);
    this.attempts++;
  }

  /**
   * A kept-alive connection that the server closed as we used it: safe to repeat says RFC 9110 §9.2.2, and of any request
   * that was not looked at RFC 9113 §8.7. Then the attempt does not count.
   */
  isStale({ cause, reused }: AttemptFailure, safe: boolean): boolean {
    const again = cause === "refused" || (cause === "reset" && safe);
    if (!again || !reused || this.#stale >= MOST_STALE_CONNECTIONS) return false;
    this.#stale++;
    this.attempts--;
    this.#tried.length = 0;
    return true;
  }

  /** True when there is to be another attempt, which then counts as one of the cluster's retries. */
  wantsAfter({ status, headers }: ResponseHead): boolean {
    // An answer ends the retry that has led to it, whatever comes of it.
    this.end();
    if (this.#policy === undefined) return false;
    return this.#wants({ kind: "response", status, header: (name) => headers.get(name) });
  }

  wantsAfterFailure(failure: AttemptFailure): boolean {
    this.end();
    const end = endOf(failure);
    return end !== undefined && this.#wants(end);
  }

  delayMs(random: number): number {
    return this.#policy === undefined ? 0 : retryDelayMs(this.#policy, this.attempts, random);
  }

  /** A retry counts from its decision until it is known how it ended. */
  end(): void {
    if (!this.#counted) return;
    this.#counted = false;
    this.#cluster.counts.retries--;
  }

  #wants(end: AttemptEnd): boolean {
    const policy = this.#policy;
    if (policy === undefined || !wantsRetry(policy, end)) return false;
    if (this.attempts > policy.retries) {
      this.#record.flags.add("URX");
      return false;
    }
    if (!this.#cluster.mayRetry) {
      this.#record.flags.add("UO");
      return false;
    }
    this.#cluster.counts.retries++;
    this.#counted = true;
    return true;
  }

  /** After every so many attempts: the priorities that were tried so far are left out (Envoy, "previous priorities"). */
  #leavePriorities(): void {
    const after = this.#policy?.avoidPrioritiesAfter ?? 0;
    if (after === 0 || this.attempts === 0 || this.attempts % after !== 0) return;
    this.#avoidPriorities = new Set(this.#tried.map(({ endpoint }) => endpoint.priority));
  }
}

function endOf({ cause, requestSent }: AttemptFailure): AttemptEnd | undefined {
  switch (cause) {
    case "connect":
      return { kind: "connect-failure" };
    case "reset":
    case "remote-reset":
      return { kind: "reset", requestSent, refused: false };
    case "refused":
      return { kind: "reset", requestSent, refused: true };
    case "per-try-timeout":
      return { kind: "per-try-timeout" };
    default:
      return undefined;
  }
}
