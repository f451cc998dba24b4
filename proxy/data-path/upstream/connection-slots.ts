import { UpstreamConnectError } from "./dial.ts";

/** Uses a slot that has become free, or has no more use for one: false. */
export type SlotTaker = () => boolean;

/**
 * Keeps count of the connections of a cluster, and of the requests that wait for one: in line behind the limit, or for
 * their own to be made, which Envoy counts alike.
 */
export class ConnectionSlots {
  readonly #line = new Set<SlotTaker>();
  #open = 0;
  #pending = 0;

  get open(): number {
    return this.#open;
  }

  /** True while somebody is in line: a connection that has nothing to do should close. */
  get wanted(): boolean {
    return this.#line.size > 0;
  }

  /** Takes a slot, at once or not at all. Throws `UO` when there is none. */
  take(maxConnections: number): void {
    if (this.#open >= maxConnections) throw new UpstreamConnectError("UO", "too many connections");
    this.#open++;
  }

  /** Gets in line; at its turn the taker is called once. */
  wait(taker: SlotTaker): void {
    this.#line.add(taker);
  }

  leave(taker: SlotTaker): void {
    this.#line.delete(taker);
  }

  release(): void {
    for (const taker of this.#line) {
      this.#line.delete(taker);
      // The slot is handed over: the count stays.
      if (taker()) return;
    }
    this.#open--;
  }

  /** A request begins to wait. Throws `UO` when too many do. */
  enter(maxPending: number): void {
    if (this.#pending >= maxPending) throw new UpstreamConnectError("UO", "too many pending requests");
    this.#pending++;
  }

  /** It has its connection, or will have none. */
  arrive(): void {
    this.#pending--;
  }
}
