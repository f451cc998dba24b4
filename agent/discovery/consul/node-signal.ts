import type { QueryTiming } from "../../../mesh/blocking/blocking-query.ts";
import type { ConsulClient } from "../../../mesh/consul/consul-client.ts";
import { MeshError } from "../../../mesh/errors.ts";

interface Question {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
}

/**
 * Tells when something may have changed on one node: one blocking query for its services and one for its checks, in each
 * namespace. `arm` takes their state, `next` waits for any to become another.
 */
export class NodeSignal {
  readonly #client: ConsulClient;
  readonly #timing: QueryTiming;
  /** What is added to a query for each namespace. */
  readonly #scopes: readonly Readonly<Record<string, string>>[];
  readonly #indexes = new Map<string, { readonly question: Question; readonly index: number }>();

  constructor(
    client: ConsulClient,
    timing: QueryTiming,
    scopes: readonly Readonly<Record<string, string>>[] = [{}],
  ) {
    this.#client = client;
    this.#timing = timing;
    this.#scopes = scopes;
  }

  /** Notes where all stand, where that is not known yet. Returns why it could not: Consul's servers may be away. */
  async arm(node: string, signal: AbortSignal): Promise<MeshError | undefined> {
    const name = encodeURIComponent(node);
    const paths = [`/catalog/node/${name}`, `/health/node/${name}`];
    for (const question of this.#scopes.flatMap((query) => paths.map((path) => ({ path, query })))) {
      if (this.#indexes.has(keyOf(question))) continue;
      try {
        const { index } = await this.#client.get({ ...question, timeoutMs: this.#timing.patienceMs }, signal);
        this.#indexes.set(keyOf(question), { question, index: index ?? 0 });
      } catch (error) {
        return MeshError.from(error, "registry.unavailable");
      }
    }
    return undefined;
  }

  /** Returns when any may have changed, or Consul's wait is over. Throws `registry.unavailable`. */
  async next(signal: AbortSignal): Promise<void> {
    const done = new AbortController();
    const linked = AbortSignal.any([signal, done.signal]);
    const waits = [...this.#indexes.values()].map(({ question, index }) =>
      this.#wait(question, index, linked),
    );
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

  async #wait(question: Question, index: number, signal: AbortSignal): Promise<void> {
    const waitMs = Math.min(this.#timing.waitMs, 600_000);
    // Index 0 would not wait; an index that went backwards starts over.
    const query = { ...question.query, index: String(Math.max(1, index)), wait: `${waitMs}ms` };
    const timeoutMs = Math.ceil(waitMs + waitMs / 16 + this.#timing.patienceMs);
    const answer = await this.#client.get({ path: question.path, query, timeoutMs }, signal);
    const next = answer.index ?? 0;
    if (next < index) this.#indexes.delete(keyOf(question));
    else this.#indexes.set(keyOf(question), { question, index: next });
  }
}

function keyOf({ path, query }: Question): string {
  return `${path} ${JSON.stringify(query)}`;
}
