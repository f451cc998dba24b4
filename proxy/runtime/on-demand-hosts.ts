import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { VirtualHost } from "../model/route.ts";

/** Longest that a request waits for its virtual host. */
const LONGEST_WAIT_MS = 5000;
/** Callers choose the hosts, so there is an end to how many are remembered. */
const MOST_HOSTS = 1000;
const MOST_WAITING = 1000;

interface Asked {
  readonly routes: string;
  /** Undefined until there is an answer, and when the answer is that there is none. */
  host: VirtualHost | undefined;
  /** Undefined: there is an answer. */
  waiting: PromiseWithResolvers<void> | undefined;
}

export interface OnDemandDeps {
  readonly clock: Clock;
  /** Called when there are more to ask for. */
  readonly ask: () => void;
}

/**
 * Virtual hosts that are asked for as they are called (VHDS): by the name of their route configuration and the host
 * header, `<routes>/<host>`. What was asked for is wanted from then on, until it is the oldest of too many.
 */
export class OnDemandHosts {
  readonly #deps: OnDemandDeps;
  readonly #asked = new Map<string, Asked>();
  /** By route configuration and domain; the maps are the route tables' too. */
  readonly #byDomain = new Map<string, Map<string, VirtualHost>>();
  #waiting = 0;

  constructor(deps: OnDemandDeps) {
    this.#deps = deps;
  }

  get names(): ReadonlySet<string> {
    return new Set(this.#asked.keys());
  }

  /** The virtual hosts of a route configuration by their domains, now and whenever it is looked at. */
  hostsOf(routes: string): ReadonlyMap<string, VirtualHost> {
    return this.#domainsOf(routes);
  }

  /** Resolves when the host is known, or known not to be, and at the latest after the longest wait. */
  async ask(routes: string, authority: string, gone: AbortSignal): Promise<void> {
    const asked = this.#request(routes, `${routes}/${authority.toLowerCase()}`);
    if (asked?.waiting === undefined || this.#waiting >= MOST_WAITING) return;
    const done = new AbortController();
    this.#waiting++;
    try {
      const patience = this.#deps.clock.sleep(LONGEST_WAIT_MS, AbortSignal.any([gone, done.signal]));
      await Promise.race([asked.waiting.promise, patience]);
    } finally {
      this.#waiting--;
      done.abort();
    }
  }

  put(host: VirtualHost, name: string): void {
    const asked = this.#asked.get(name);
    if (asked === undefined) return;
    this.#takeAway(asked);
    asked.host = host;
    for (const domain of host.domains) this.#domainsOf(asked.routes).set(domain, host);
    settle(asked);
  }

  /** There is no such host. */
  remove(name: string): void {
    const asked = this.#asked.get(name);
    if (asked === undefined) return;
    this.#takeAway(asked);
    settle(asked);
  }

  /** Forgets what belongs to route configurations that are gone. */
  prune(routes: ReadonlySet<string>): void {
    for (const [name, asked] of this.#asked) if (!routes.has(asked.routes)) this.#forget(name, asked);
    for (const name of this.#byDomain.keys()) if (!routes.has(name)) this.#byDomain.delete(name);
  }

  #request(routes: string, name: string): Asked | undefined {
    const known = this.#asked.get(name);
    if (known) return known;
    if (this.#asked.size >= MOST_HOSTS) {
      const oldest = [...this.#asked].find(([, { waiting }]) => waiting === undefined);
      if (oldest === undefined) return undefined;
      this.#forget(...oldest);
    }
    const asked: Asked = { routes, host: undefined, waiting: Promise.withResolvers<void>() };
    this.#asked.set(name, asked);
    this.#deps.ask();
    return asked;
  }

  #forget(name: string, asked: Asked): void {
    this.#takeAway(asked);
    this.#asked.delete(name);
    settle(asked);
  }

  #takeAway(asked: Asked): void {
    const domains = this.#domainsOf(asked.routes);
    for (const domain of asked.host?.domains ?? []) {
      if (domains.get(domain) === asked.host) domains.delete(domain);
    }
    asked.host = undefined;
  }

  #domainsOf(routes: string): Map<string, VirtualHost> {
    const domains = this.#byDomain.get(routes) ?? new Map<string, VirtualHost>();
    this.#byDomain.set(routes, domains);
    return domains;
  }
}

function settle(asked: Asked): void {
  asked.waiting?.resolve();
  asked.waiting = undefined;
}
