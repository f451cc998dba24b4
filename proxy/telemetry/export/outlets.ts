import type { Clock } from "../../../mesh/lifecycle/clock.ts";

/** Where telemetry leaves the proxy, in batches. */
export interface Outlet {
  /** Nothing waits, and nothing is on its way. */
  readonly idle: boolean;
  /** Begins to hand over what waits, unless that is under way. */
  begin(): void;
  /** Hands over what waits and lets go of everything; what is given to it later it takes all the same. Never rejects. */
  close(): Promise<void>;
}

/** The use that one piece of settings makes of an outlet. */
export interface Lease<T> {
  readonly outlet: T;
  /** Those settings are gone. */
  readonly release: () => void;
}

const EVERY_MS = 1000;
/** For what has not been handed over when the proxy ends. */
const LAST_WORD_MS = 1000;

/**
 * Outlets by what settings say of them: all that say the same share one, over any number of versions of them, and it is
 * closed when none do. What requests of former settings tell it after that is handed over too.
 */
export class Outlets<T extends Outlet> {
  readonly #byKey = new Map<string, { readonly outlet: T; leases: number }>();
  readonly #leased = new Set<T>();
  /** With something to hand over, or to let go of. */
  readonly #busy = new Set<T>();

  /** `create` gets what the outlet has to call when something waits in it. */
  take(key: string, create: (waits: () => void) => T): Lease<T> {
    const held = this.#byKey.get(key) ?? this.#add(key, create);
    held.leases++;
    let isReleased = false;
    const release = (): void => {
      if (isReleased) return;
      isReleased = true;
      if (--held.leases > 0) return;
      this.#byKey.delete(key);
      this.#leased.delete(held.outlet);
      this.#busy.add(held.outlet);
    };
    return { outlet: held.outlet, release };
  }

  /** Those that settings name, and those that have something left. */
  all(): readonly T[] {
    return [...this.#leased.union(this.#busy)];
  }

  /** Hands over until the signal is aborted, and then the rest, as far as a moment is enough for it. Never rejects. */
  async run(clock: Clock, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(EVERY_MS, signal);
      this.#handOver();
    }
    const over = new AbortController();
    const closed = Promise.all(this.all().map(async (outlet) => await outlet.close()));
    await Promise.race([closed, clock.sleep(LAST_WORD_MS, over.signal)]);
    over.abort();
  }

  #add(key: string, create: (waits: () => void) => T): { readonly outlet: T; leases: number } {
    const outlet: T = create(() => this.#busy.add(outlet));
    const held = { outlet, leases: 0 };
    this.#byKey.set(key, held);
    this.#leased.add(outlet);
    return held;
  }

  #handOver(): void {
    for (const outlet of this.#busy) {
      if (!outlet.idle) {
        outlet.begin();
        continue;
      }
      this.#busy.delete(outlet);
      if (!this.#leased.has(outlet)) void outlet.close();
    }
  }
}
