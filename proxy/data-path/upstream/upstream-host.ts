import type { Endpoint } from "../../model/cluster.ts";
import { type Host, hostKey } from "../../tables/balancer.ts";
import { newStanding, type Standing } from "../../tables/outlier.ts";
import type { Alarms } from "../../transport/alarms.ts";
import type { EndpointTransport } from "./endpoint-transport.ts";
import { HostPool, type PoolSource } from "./host-pool.ts";
import { HostTunnel } from "./host-tunnel.ts";
import type { PoolVariant } from "./pool-variant.ts";
import type { UpstreamConnection } from "./upstream-connection.ts";

/** Of pools that are for one called host, or one caller. The oldest goes. */
const MOST_VARIANTS = 100;

/** The part of its cluster that a host needs. */
interface Dialer {
  readonly alarms: Alarms;
  poolSource(host: UpstreamHost, variant: PoolVariant | undefined): PoolSource;
}

/** One endpoint with its pools of connections that are kept. */
export class UpstreamHost implements Host {
  readonly key: string;
  active = 0;
  total = 0;
  failures = 0;
  readonly standing: Standing = newStanding();
  /** Checks have found it not well, or none has come back yet. */
  failsChecks = false;
  /** Monotonic time at which the endpoint became known. */
  readonly sinceMs: number;
  readonly #dialer: Dialer;
  #endpoint: Endpoint;
  #transport: EndpointTransport;
  #pool: HostPool | undefined;
  readonly #variants = new Map<string, HostPool>();
  #tunnel: HostTunnel | undefined;
  #epoch = "";

  constructor(endpoint: Endpoint, transport: EndpointTransport, dialer: Dialer, sinceMs: number) {
    this.key = hostKey(endpoint);
    this.#endpoint = endpoint;
    this.#transport = transport;
    this.#dialer = dialer;
    this.sinceMs = sinceMs;
  }

  get endpoint(): Endpoint {
    return this.#endpoint;
  }

  /** What its connections go through. */
  get transport(): EndpointTransport {
    return this.#transport;
  }

  /** What is known of it now. Connections through another transport are not used again. */
  become(endpoint: Endpoint, transport: EndpointTransport): void {
    this.#endpoint = endpoint;
    if (this.#transport === transport) return;
    this.#transport = transport;
    this.retirePools();
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
    const { epoch } = this.#transport;
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
