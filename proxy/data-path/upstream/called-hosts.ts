import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import type { Cluster, Endpoint } from "../../model/cluster.ts";
import type { UpstreamHost } from "./upstream-host.ts";

/** A host that was looked up and is not called any more (Envoy). */
const FORGET_MS = 300_000;

/** Of those that are called at the same time. */
const MOST_HOSTS = 10_000;

type Place = Pick<Endpoint, "address" | "port">;

interface CalledHost {
  readonly host: UpstreamHost;
  usedMs: number;
}

export interface CalledHostsOptions {
  /** A host that nobody calls for so long is forgotten. */
  readonly forgetMs: number;
  /** Monotonic. */
  readonly now: () => number;
  readonly make: (endpoint: Endpoint) => UpstreamHost;
}

/** The hosts of a cluster that knows none before it is called: whoever calls says which. */
export class CalledHosts {
  readonly #options: CalledHostsOptions;
  readonly #hosts = new Map<string, CalledHost>();
  #sweepAtMs = 0;

  constructor(options: CalledHostsOptions) {
    this.#options = options;
  }

  *[Symbol.iterator](): Generator<UpstreamHost> {
    for (const { host } of this.#hosts.values()) yield host;
  }

  /** Undefined when too many are in use. */
  at({ address, port }: Place): UpstreamHost | undefined {
    const nowMs = this.#options.now();
    if (nowMs >= this.#sweepAtMs) this.#forget(nowMs);
    const key = `${address}|${port}`;
    const known = this.#hosts.get(key);
    if (known !== undefined) {
      known.usedMs = nowMs;
      return known.host;
    }
    if (this.#hosts.size >= MOST_HOSTS && !this.#forgetOne()) return undefined;
    const host = this.#options.make({ address, port, ...PLAIN });
    this.#hosts.set(key, { host, usedMs: nowMs });
    return host;
  }

  close(): void {
    for (const { host } of this.#hosts.values()) host.retirePools();
    this.#hosts.clear();
  }

  #forget(nowMs: number): void {
    const { forgetMs } = this.#options;
    this.#sweepAtMs = nowMs + forgetMs;
    for (const [key, { host, usedMs }] of this.#hosts) {
      if (host.active === 0 && nowMs - usedMs >= forgetMs) this.#drop(key, host);
    }
  }

  #forgetOne(): boolean {
    for (const [key, { host }] of this.#hosts) {
      if (host.active > 0) continue;
      this.#drop(key, host);
      return true;
    }
    return false;
  }

  #drop(key: string, host: UpstreamHost): void {
    this.#hosts.delete(key);
    host.retirePools();
  }
}

/** Undefined: the cluster has hosts of its own. */
export function calledHostsOf(
  { source }: Cluster,
  clock: Clock,
  make: CalledHostsOptions["make"],
): CalledHosts | undefined {
  if (source.kind !== "original-destination" && source.kind !== "dynamic-dns") return undefined;
  const forgetMs = source.kind === "dynamic-dns" ? FORGET_MS : source.forgetMs;
  return new CalledHosts({ forgetMs, now: () => clock.monotonic(), make });
}

/** What is known of an endpoint that nobody has told of. */
const PLAIN: Omit<Endpoint, "address" | "port"> = {
  weight: 1,
  healthy: true,
  priority: 0,
  locality: { name: "", weight: 0 },
  transportMatch: new Map(),
  workload: "",
};
