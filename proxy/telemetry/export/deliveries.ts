import { labelText, type Sample } from "../metrics/families.ts";

/** What became of what one receiver was to get. */
export interface Delivery {
  delivered: number;
  dropped: number;
}

/** Counts by receiver, whatever settings are in force: their counters do not begin anew. */
export class Deliveries {
  /** There are no more than settings have ever named. */
  readonly #byReceiver = new Map<string, Delivery>();

  to(receiver: string): Delivery {
    const known = this.#byReceiver.get(receiver) ?? { delivered: 0, dropped: 0 };
    this.#byReceiver.set(receiver, known);
    return known;
  }

  samples(count: keyof Delivery): readonly Sample[] {
    return [...this.#byReceiver].map(([to, delivery]) => ({
      labels: labelText({ to }),
      value: delivery[count],
    }));
  }
}
