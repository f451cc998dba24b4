import { fnv1a } from "../../mesh/collections/fnv.ts";

/** The part of Istio's range for automatic addresses (240.240.0.0/16) that is handed out: not x.x.x.0 nor x.x.x.255. */
const FIRST_TWO = "240.240";
const PLACES = 256 * 254;

/**
 * Gives each host name an address of its own. A name's place follows from the name, so that servers and restarts agree;
 * names that want the same place take the next free one in the order in which they come.
 */
export class VipAllocator {
  readonly #placeOf = new Map<string, number>();
  readonly #taken = new Set<number>();

  /** Throws no error when all are taken: the place is then shared, and told apart by the host that is called. */
  addressOf(hostname: string): string {
    const known = this.#placeOf.get(hostname);
    if (known !== undefined) return toAddress(known);
    let place = fnv1a(hostname) % PLACES;
    while (this.#taken.has(place) && this.#taken.size < PLACES) place = (place + 1) % PLACES;
    this.#taken.add(place);
    this.#placeOf.set(hostname, place);
    return toAddress(place);
  }

  release(hostname: string): void {
    const place = this.#placeOf.get(hostname);
    if (place === undefined) return;
    this.#placeOf.delete(hostname);
    this.#taken.delete(place);
  }
}

function toAddress(place: number): string {
  return `${FIRST_TWO}.${Math.floor(place / 254)}.${(place % 254) + 1}`;
}
