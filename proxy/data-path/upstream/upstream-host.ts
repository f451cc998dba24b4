import type { Endpoint } from "../../model/cluster.ts";
import { type Host, hostKey } from "../../tables/balancer.ts";
import { newStanding, type Standing } from "../../tables/outlier.ts";
import type { Alarms } from "../../transport/alarms.ts";
import type { CalledHost } from "../tls/foreign-tls.ts";
import { HostPool, type PoolSource } from "./host-pool.ts";
import { HostTunnel } from "./host-tunnel.ts";
import type { CallEnds } from "./proxy-header.ts";
import type { UpstreamConnection } from "./upstream-cluster.ts";

/** Of pools that are for one called host, or one caller. The oldest goes. */
const MOST_VARIANTS = 100;

/** What sets connections apart from others to the same host. */
export interface PoolVariant {
  /** Equal for calls that can share connections. */
  readonly key: string;
  /** TLS is for this host. */
  readonly called: CalledHost | undefined;
  /** Told to the server before anything else (PROXY protocol). */
  readonly caller: CallEnds | undefined;
  /** The caller spoke HTTP/2, and so does the connection. */
  readonly http2: boolean;
  /** Its mesh TLS says that it is HTTP, whatever the cluster says. */
  readonly saysHttp: boolean;
}

/** The part of its cluster that a host needs. */
interface Dialer {
  readonly alarms: Alarms;
  epochOf(host: UpstreamHost): string;
  poolSource(host: UpstreamHost, variant: PoolVariant | undefined): PoolSource;
}

/** One endpoint with its pools of connections that are kept. */
export class UpstreamHost implements Host {
  readonly key: string;
  endpoint: Endpoint;
  active = 0;
  total = 0;
  failures = 0;
  readonly standing: Standing = newStanding();
  /** Monotonic time at which the endpoint became known. */
  readonly sinceMs: number;
  readonly #dialer: Dialer;
  #pool: HostPool | undefined;
  readonly #variants = new Map<string, HostPool>();
  #tunnel: HostTunnel | undefined;
  #epoch = "";

  constructor(endpoint: Endpoint, dialer: Dialer, sinceMs: number) {
    this.key = hostKey(endpoint);
    this.endpoint = endpoint;
    this.#dialer = dialer;
    this.sinceMs = sinceMs;
  }

  /** The pool for the next request: a fresh one when identity or trust has changed since the last. */
  pool(variant?: PoolVariant): HostPool {
    this.#followEpoch();
    if (variant) return this.#variantPool(variant);
    this.#pool ??= new HostPool(this.#dialer.poolSource(this, undefined));
    return this.#pool;
  }

  /** How TCP connections get there; a fresh tunnel when identity or trust has changed since the last. */
  tunnel(dial: () => Promise<UpstreamConnection>): HostTunnel {
    this.#followEpoch();
    this.#tunnel ??= new HostTunnel(this.#dialer.alarms, dial);
    return this.#tunnel;
  }

  /** Closes one idle connection; false when there is none. */
  closeIdle(): boolean {
    return this.#pools().some((pool) => pool.closeIdle());
  }

  /** Idle connections close now, busy ones when their request is done. */
  retirePools(): void {
    for (const pool of this.#pools()) pool.retire();
    this.#pool = undefined;
    this.#variants.clear();
    this.#tunnel?.retire();
    this.#tunnel = undefined;
  }

  #followEpoch(): void {
    const epoch = this.#dialer.epochOf(this);
    if (epoch !== this.#epoch) this.retirePools();
    this.#epoch = epoch;
  }

  #pools(): HostPool[] {
    return [...(this.#pool ? [this.#pool] : []), ...this.#variants.values()];
  }

  #variantPool(variant: PoolVariant): HostPool {
    const pool = this.#variants.get(variant.key) ?? new HostPool(this.#dialer.poolSource(this, variant));
    this.#variants.delete(variant.key);
    this.#variants.set(variant.key, pool);
    if (this.#variants.size > MOST_VARIANTS) {
      const [oldest = ""] = this.#variants.keys();
      this.#variants.get(oldest)?.retire();
      this.#variants.delete(oldest);
    }
    return pool;
  }
}
