import { fnv1a } from "../../mesh/collections/fnv.ts";

/** The part of Istio's range for automatic addresses (240.240.0.0/16) that is handed out: not x.x.x.0 nor x.x.x.255. */
const FIRST_TWO = "240.240";
const PLACES = 256 * 254;

/**
 * Gives each host name an address of its own, as a pure function of the names that are there: servers and restarts agree,
 * in whatever order the names came. A name's place follows from the name; of names that want the same one the first in the
 * alphabet has it, and the others take the next that no earlier name wants (ordered hash tables, Amble and Knuth 1974).
 *
 * So a name that comes or goes may move later ones that collide with it, and only these: with 5,000 names about one new
 * name in 25 moves another. No rule that follows from the names alone could do without.
 */
export class VipAllocator {
  readonly #placeOf = new Map<string, number>();
  readonly #holderOf = new Map<number, string>();
  readonly #moved: (hostname: string) => void;

  /** `moved` is told of each name whose address is another now, because of a name that came or went. */
  constructor(moved: (hostname: string) => void = () => undefined) {
    this.#moved = moved;
  }

  /** Throws no error when all are taken: the place is then shared, and told apart by the host that is called. */
  addressOf(hostname: string): string {
    if (!this.#placeOf.has(hostname)) this.#put(hostname);
    return toAddress(this.#placeOf.get(hostname) ?? placeWanted(hostname));
  }

  release(hostname: string): void {
    const place = this.#placeOf.get(hostname);
    if (place === undefined) return;
    this.#placeOf.delete(hostname);
    if (this.#holderOf.get(place) !== hostname) return;
    this.#holderOf.delete(place);
    this.#closeGap(place);
  }

  #put(hostname: string): void {
    if (this.#holderOf.size >= PLACES) this.#placeOf.set(hostname, placeWanted(hostname));
    else for (const pushed of this.#settle(hostname)) this.#moved(pushed);
  }

  /** Each name that follows without a gap may have come to its place because of the one that is gone. */
  #closeGap(gap: number): void {
    const following: (readonly [string, number])[] = [];
    for (let place = after(gap); ; place = after(place)) {
      const holder = this.#holderOf.get(place);
      if (holder === undefined) break;
      following.push([holder, place]);
      this.#holderOf.delete(place);
    }
    for (const [name] of following) this.#settle(name);
    for (const [name, place] of following) if (this.#placeOf.get(name) !== place) this.#moved(name);
  }

  /** Gives a name its place. Returns those that made room. */
  #settle(name: string): readonly string[] {
    const pushed: string[] = [];
    let placed = name;
    for (let place = placeWanted(name); ; place = after(place)) {
      const holder = this.#holderOf.get(place);
      if (holder !== undefined && holder < placed) continue;
      this.#holderOf.set(place, placed);
      this.#placeOf.set(placed, place);
      if (holder === undefined) return pushed;
      pushed.push(holder);
      placed = holder;
    }
  }
}

function placeWanted(hostname: string): number {
  return fnv1a(hostname) % PLACES;
}

function after(place: number): number {
  return (place + 1) % PLACES;
}

function toAddress(place: number): string {
  return `${FIRST_TWO}.${Math.floor(place / 254)}.${(place % 254) + 1}`;
}
