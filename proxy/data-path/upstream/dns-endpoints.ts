import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { backoffMs } from "../../../mesh/lifecycle/backoff.ts";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import type { DnsSource, Endpoint } from "../../model/cluster.ts";

/** All addresses of a name, in the resolver's order. Rejects when there is no answer. */
export type Resolver = (name: string) => Promise<readonly string[]>;

/** The system's resolver, which also reads /etc/hosts. */
export const systemResolver: Resolver = async (name) => {
  const found = await lookup(name, { all: true, order: "verbatim" });
  return found.map(({ address }) => address);
};

const FIRST_RETRY_MS = 1000;

export interface DnsDeps {
  readonly resolve: Resolver;
  readonly clock: Clock;
}

/** Looks up the names of a cluster's endpoints, again and again. A name that gives no answer keeps its addresses. */
export class DnsEndpoints {
  readonly #source: DnsSource;
  readonly #deps: DnsDeps;
  readonly #stop = new AbortController();
  readonly #known = new Map<string, readonly string[]>();

  constructor(source: DnsSource, deps: DnsDeps) {
    this.#source = source;
    this.#deps = deps;
  }

  /** Until `stop`: tells all endpoints after each round. */
  async run(tell: (endpoints: readonly Endpoint[]) => void): Promise<void> {
    const { endpoints, refreshMs } = this.#source;
    for (let failures = 0; !this.#stop.signal.aborted; ) {
      const names = [...new Set(endpoints.map(({ address }) => address))];
      const answers = await Promise.all(names.map(async (name) => await this.#lookUp(name)));
      if (this.#stop.signal.aborted) return;
      tell(endpoints.flatMap((endpoint) => this.#expand(endpoint)));
      failures = answers.includes(false) ? failures + 1 : 0;
      const soon = backoffMs({ firstMs: FIRST_RETRY_MS, maxMs: refreshMs }, failures - 1, 0.5);
      await this.#deps.clock.sleep(failures > 0 ? soon : refreshMs, this.#stop.signal);
    }
  }

  stop(): void {
    this.#stop.abort();
  }

  /** False when there is no answer. */
  async #lookUp(name: string): Promise<boolean> {
    try {
      const all = isIP(name) === 0 ? await this.#deps.resolve(name) : [name];
      const fitting = ofFamily(all, this.#source.family);
      if (fitting.length > 0) this.#known.set(name, fitting);
      return fitting.length > 0;
    } catch {
      return false;
    }
  }

  #expand(endpoint: Endpoint): Endpoint[] {
    const addresses = this.#known.get(endpoint.address) ?? [];
    const used = this.#source.logical ? addresses.slice(0, 1) : addresses;
    return used.map((address) => ({ ...endpoint, address }));
  }
}

/** Those that may be called, the preferred family alone where it has some. */
export function ofFamily(addresses: readonly string[], family: DnsSource["family"]): readonly string[] {
  const v4 = addresses.filter((address) => isIP(address) === 4);
  const v6 = addresses.filter((address) => isIP(address) === 6);
  switch (family) {
    case "v4":
      return v4;
    case "v6":
      return v6;
    case "v4-first":
      return v4.length > 0 ? v4 : v6;
    case "v6-first":
      return v6.length > 0 ? v6 : v4;
    case "all":
      return addresses;
    default:
      return family satisfies never;
  }
}
