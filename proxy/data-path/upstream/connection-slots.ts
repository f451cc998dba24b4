import { UpstreamConnectError } from "./dial.ts";

export interface SlotLimits {
  readonly maxConnections: number;
  readonly maxPending: number;
}

/**
 * Keeps count of the connections of a cluster, and of the requests that wait for one: in line behind the limit, or for
 * their own to be made, which Envoy counts alike.
 */
export class ConnectionSlots {
  readonly #line: (() => void)[] = [];
  #open = 0;
  #pending = 0;

  get open(): number {
    return this.#open;
  }

  /** True while somebody is in line: a connection that has nothing to do should close. */
  get wanted(): boolean {
    return this.#line.length > 0;
  }

  /** Takes a slot, at once or not at all. Throws `UO` when there is none. */
  take(maxConnections: number): void {
    if (this.#open >= maxConnections) throw new UpstreamConnectError("UO", "too many connections");
    this.#open++;
  }

  /** Takes a slot for a request that can wait, until `arrive`. Rejects with `UO` when too many wait. */
  async takeInTurn({ maxConnections, maxPending }: SlotLimits): Promise<void> {
    if (this.#pending >= maxPending) throw new UpstreamConnectError("UO", "too many pending requests");
    this.#pending++;
    if (this.#open < maxConnections) this.#open++;
    // The slot is handed over: the count stays.
    else await new Promise<void>((resolve) => this.#line.push(resolve));
  }

  /** The request of `takeInTurn` has its connection, or will have none. */
  arrive(): void {
    this.#pending--;
  }

  release(): void {
    const next = this.#line.shift();
    if (next) next();
    else this.#open--;
  }
}
