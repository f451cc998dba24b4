import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { SocketAddress } from "../../mesh/model/workload.ts";

/** A resolver that questions are passed on to. */
export interface Upstream extends SocketAddress {
  /** `10.0.0.2:53`. */
  readonly name: string;
}

/** What is known of one: kept as long as it is one of ours. */
interface Health {
  /** Monotonic milliseconds: asked last, while others do. 0: it is well. */
  restsUntilMs: number;
  /** Why it did not answer last; undefined: it did, or nobody has asked. */
  failure: string | undefined;
  loops: boolean;
}

export interface UpstreamState {
  readonly name: string;
  readonly failure: string | undefined;
  /** What it is asked comes back to us. */
  readonly loops: boolean;
}

/** One that did not answer is asked last for this long. */
const REST_MS = 30_000;

/** The resolvers of this host in the order in which they are asked. */
export class Upstreams {
  readonly #clock: Clock;
  readonly #health = new Map<string, Health>();
  #general: readonly Upstream[] = [];
  #byDomain: ReadonlyMap<string, readonly Upstream[]> = new Map();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get all(): readonly Upstream[] {
    const every = [...this.#general, ...[...this.#byDomain.values()].flat()];
    return [...new Map(every.map((one) => [one.name, one])).values()];
  }

  /** Of those that take every name. */
  get general(): readonly UpstreamState[] {
    return this.#general.map(({ name }) => {
      const { failure, loops } = this.#healthOf(name);
      return { name, failure, loops };
    });
  }

  /** `byDomain`: those that alone are asked for names of a domain. */
  replace(general: readonly Upstream[], byDomain: ReadonlyMap<string, readonly Upstream[]>): void {
    this.#general = general;
    this.#byDomain = byDomain;
    const kept = new Set(this.all.map(({ name }) => name));
    for (const name of this.#health.keys()) if (!kept.has(name)) this.#health.delete(name);
  }

  /** Who is asked for a name in lower case, one after the other. */
  for(name: string): readonly Upstream[] {
    const now = this.#clock.monotonic();
    const usable = this.#responsible(name).filter((one) => !this.#healthOf(one.name).loops);
    const rests = (one: Upstream): boolean => this.#healthOf(one.name).restsUntilMs > now;
    return usable.some(rests) ? [...usable.filter((one) => !rests(one)), ...usable.filter(rests)] : usable;
  }

  answered({ name }: Upstream): void {
    const health = this.#healthOf(name);
    health.failure = undefined;
    health.restsUntilMs = 0;
  }

  failed({ name }: Upstream, reason: string): void {
    const health = this.#healthOf(name);
    health.failure = reason;
    health.restsUntilMs = this.#clock.monotonic() + REST_MS;
  }

  looping(name: string, loops: boolean): void {
    this.#healthOf(name).loops = loops;
  }

  #responsible(name: string): readonly Upstream[] {
    if (this.#byDomain.size === 0) return this.#general;
    for (let at = 0; at >= 0; ) {
      const own = this.#byDomain.get(name.slice(at));
      if (own !== undefined) return own;
      const dot = name.indexOf(".", at);
      at = dot < 0 ? -1 : dot + 1;
    }
    return this.#general;
  }

  #healthOf(name: string): Health {
    const known = this.#health.get(name);
    if (known !== undefined) return known;
    const health: Health = { restsUntilMs: 0, failure: undefined, loops: false };
    this.#health.set(name, health);
    return health;
  }
}

/** Reads `10.0.0.2:53`, `10.0.0.2` or `[fd00::1]:53`. */
export function upstreamAt(written: string): Upstream {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^\]]*?))(?::(\d{1,5}))?$/.exec(written) ?? [];
  const address = bracketed ?? plain ?? written;
  // An IPv6 address without brackets has no port.
  if (bracketed === undefined && written.split(":").length > 2) return named(written, 53);
  return named(address, Number(port ?? 53));
}

function named(address: string, port: number): Upstream {
  return { name: address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`, address, port };
}
