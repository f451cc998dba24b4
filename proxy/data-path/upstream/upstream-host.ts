import { Agent, type ClientRequestArgs } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Cluster, Endpoint } from "../../model/cluster.ts";
import { type Host, hostKey } from "../../tables/balancer.ts";
import { newStanding, type Standing } from "../../tables/outlier.ts";
import type { CalledHost } from "../tls/foreign-tls.ts";
import type { PeerCertificate } from "../tls/peer.ts";
import type { CallEnds } from "./proxy-header.ts";
import type { UpstreamConnection } from "./upstream-cluster.ts";

const MOST_IDLE_CONNECTIONS = 64;
/** Of pools that are for one called host, or one caller. The oldest goes. */
const MOST_VARIANTS = 100;

/** A request that goes away leaves its connection to the next one; the connect timeout ends the attempt. */
const NEVER = new AbortController().signal;

/** What sets connections apart from others to the same host. */
export interface PoolVariant {
  /** Equal for calls that can share connections. */
  readonly key: string;
  /** TLS is for this host. */
  readonly called: CalledHost | undefined;
  /** Told to the server before anything else (PROXY protocol). */
  readonly caller: CallEnds | undefined;
}

/** The part of its cluster that a host needs. */
interface Dialer {
  readonly model: Pick<Cluster, "idleTimeoutMs" | "maxRequestsPerConnection" | "maxConnectionMs">;
  /** True while requests wait for a connection. */
  readonly crowded: boolean;
  connect(
    host: UpstreamHost,
    signal: AbortSignal,
    options: { readonly mayWait: boolean; readonly variant: PoolVariant | undefined },
  ): Promise<UpstreamConnection>;
  epochOf(host: UpstreamHost): string;
}

/** One endpoint with its pools of keep-alive HTTP/1.1 connections. */
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
  #epoch = "";

  constructor(endpoint: Endpoint, dialer: Dialer, sinceMs: number) {
    this.key = hostKey(endpoint);
    this.endpoint = endpoint;
    this.#dialer = dialer;
    this.sinceMs = sinceMs;
  }

  /** The pool for the next request: a fresh one when identity or trust has changed since the last. */
  pool(variant?: PoolVariant): Agent {
    const epoch = this.#dialer.epochOf(this);
    if (epoch !== this.#epoch) this.retirePools();
    this.#epoch = epoch;
    if (variant) return this.#variantPool(variant);
    this.#pool ??= new HostPool(this, this.#dialer, undefined);
    return this.#pool;
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
  }

  #pools(): HostPool[] {
    return [...(this.#pool ? [this.#pool] : []), ...this.#variants.values()];
  }

  #variantPool(variant: PoolVariant): HostPool {
    const pool = this.#variants.get(variant.key) ?? new HostPool(this, this.#dialer, variant);
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

const peers = new WeakMap<object, PeerCertificate>();

/** The verified server at the other end of a pooled connection. */
export function peerOf(socket: object): PeerCertificate | undefined {
  return peers.get(socket);
}

class HostPool extends Agent {
  readonly #host: UpstreamHost;
  readonly #dialer: Dialer;
  readonly #variant: PoolVariant | undefined;
  readonly #uses = new WeakMap<Duplex, number>();
  /** Connections that are too old for another request. */
  readonly #old = new WeakSet<Duplex>();

  constructor(host: UpstreamHost, dialer: Dialer, variant: PoolVariant | undefined) {
    super({
      keepAlive: true,
      scheduling: "lifo",
      maxFreeSockets: MOST_IDLE_CONNECTIONS,
      ...(dialer.model.idleTimeoutMs > 0 ? { timeout: dialer.model.idleTimeoutMs } : {}),
    });
    this.#host = host;
    this.#dialer = dialer;
    this.#variant = variant;
  }

  override createConnection(
    _options: ClientRequestArgs,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    void this.#connect(callback);
    return undefined;
  }

  async #connect(settle?: (error: Error | null, stream: Duplex) => void): Promise<void> {
    try {
      const options = { mayWait: true, variant: this.#variant };
      const { socket, peer } = await this.#dialer.connect(this.#host, NEVER, options);
      if (peer) peers.set(socket, peer);
      this.#limitAge(socket);
      settle?.(null, socket);
    } catch (error) {
      // Node's type wants a stream beside an error; there is none.
      settle?.(error as Error, undefined as unknown as Socket);
    }
  }

  /** Asked when a connection has done its request. */
  override keepSocketAlive(socket: Duplex): boolean {
    const most = this.#dialer.model.maxRequestsPerConnection;
    const uses = (this.#uses.get(socket) ?? 0) + 1;
    this.#uses.set(socket, uses);
    // Node's type says void; it is a boolean (documentation of `agent.keepSocketAlive`).
    const spent = (most > 0 && uses >= most) || this.#old.has(socket) || this.#dialer.crowded;
    return !spent && (super.keepSocketAlive(socket) as unknown as boolean);
  }

  #limitAge(socket: Socket): void {
    const { maxConnectionMs } = this.#dialer.model;
    if (maxConnectionMs <= 0) return;
    const timer = setTimeout(() => {
      this.#old.add(socket);
      if (this.#idle().includes(socket)) socket.destroy();
    }, maxConnectionMs);
    socket.once("close", () => clearTimeout(timer));
  }

  #idle(): Socket[] {
    return Object.values(this.freeSockets).flatMap((sockets) => sockets ?? []);
  }

  closeIdle(): boolean {
    const [idle] = this.#idle();
    idle?.destroy();
    return idle !== undefined;
  }

  retire(): void {
    this.maxFreeSockets = 0;
    for (const socket of this.#idle()) socket.destroy();
  }
}
