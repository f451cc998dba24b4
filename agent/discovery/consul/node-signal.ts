import type { QueryTiming } from "../../../mesh/blocking/blocking-query.ts";
import type { ConsulClient } from "../../../mesh/consul/consul-client.ts";
import { MeshError } from "../../../mesh/errors.ts";

/**
 * Tells when something may have changed on one node: one blocking query for its services and one for its checks.
 * `arm` takes their state, `next` waits for either to become another.
 */
export class NodeSignal {
  readonly #client: ConsulClient;
  readonly #timing: QueryTiming;
  readonly #indexes = new Map<string, number>();

  constructor(client: ConsulClient, timing: QueryTiming) {
    this.#client = client;
    this.#timing = timing;
  }

  /** Notes where both stand, where that is not known yet. Returns why it could not: Consul's servers may be away. */
  async arm(node: string, signal: AbortSignal): Promise<MeshError | undefined> {
    const name = encodeURIComponent(node);
    for (const path of [`/catalog/node/${name}`, `/health/node/${name}`]) {
      if (this.#indexes.has(path)) continue;
      try {
        const { index } = await this.#client.get({ path, timeoutMs: this.#timing.patienceMs }, signal);
        this.#indexes.set(path, index ?? 0);
      } catch (error) {
        return MeshError.from(error, "registry.unavailable");
      }
    }
    return undefined;
  }

  /** Returns when either may have changed, or Consul's wait is over. Throws `registry.unavailable`. */
  async next(signal: AbortSignal): Promise<void> {
    const done = new AbortController();
    const linked = AbortSignal.any([signal, done.signal]);
    const waits = [...this.#indexes].map(([path, index]) => this.#wait(path, index, linked));
    try {
      await Promise.race(waits);
    } finally {
      done.abort();
      await Promise.allSettled(waits);
    }
  }

  /** Forgets where they stood: after an outage that says nothing. */
  reset(): void {
    this.#indexes.clear();
  }

  async #wait(path: string, index: number, signal: AbortSignal): Promise<void> {
    const waitMs = Math.min(this.#timing.waitMs, 600_000);
    // Index 0 would not wait; an index that went backwards starts over.
    const query = { index: String(Math.max(1, index)), wait: `${waitMs}ms` };
    const timeoutMs = Math.ceil(waitMs + waitMs / 16 + this.#timing.patienceMs);
    const answer = await this.#client.get({ path, query, timeoutMs }, signal);
    const next = answer.index ?? 0;
    if (next < index) this.#indexes.delete(path);
    else this.#indexes.set(path, next);
  }
}
