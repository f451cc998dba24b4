import { Agent, type ClientRequestArgs } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Endpoint } from "../../model/cluster.ts";
import { type Host, hostKey } from "../../tables/balancer.ts";
import { newStanding, type Standing } from "../../tables/outlier.ts";
import type { PeerCertificate } from "../tls/peer.ts";
import type { UpstreamConnection } from "./upstream-cluster.ts";

const MOST_IDLE_CONNECTIONS = 64;

/** A request that goes away leaves its connection to the next one; the connect timeout ends the attempt. */
const NEVER = new AbortController().signal;

/** The part of its cluster that a host needs. */
interface Dialer {
  readonly model: { readonly idleTimeoutMs: number; readonly maxRequestsPerConnection: number };
  connect(host: UpstreamHost, signal: AbortSignal): Promise<UpstreamConnection>;
  epochOf(host: UpstreamHost): string;
}

/** One endpoint with its pool of keep-alive HTTP/1.1 connections. */
export class UpstreamHost implements Host {
  readonly key: string;
  endpoint: Endpoint;
  active = 0;
  total = 0;
  failures = 0;
  readonly standing: Standing = newStanding();
  readonly #dialer: Dialer;
  #pool: HostPool | undefined;
  #epoch = "";

  constructor(endpoint: Endpoint, dialer: Dialer) {
    this.key = hostKey(endpoint);
    this.endpoint = endpoint;
    this.#dialer = dialer;
  }

  /** The pool for the next request: a fresh one when identity or trust has changed since the last. */
  pool(): Agent {
    const epoch = this.#dialer.epochOf(this);
    if (epoch !== this.#epoch) this.retirePool();
    this.#epoch = epoch;
    this.#pool ??= new HostPool(this, this.#dialer);
    return this.#pool;
  }

  /** Closes one idle connection; false when there is none. */
  closeIdle(): boolean {
    return this.#pool?.closeIdle() ?? false;
  }

  /** Idle connections close now, busy ones when their request is done. */
  retirePool(): void {
    this.#pool?.retire();
    this.#pool = undefined;
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
  readonly #uses = new WeakMap<Duplex, number>();

  constructor(host: UpstreamHost, dialer: Dialer) {
    super({
      keepAlive: true,
      scheduling: "lifo",
      maxFreeSockets: MOST_IDLE_CONNECTIONS,
      ...(dialer.model.idleTimeoutMs > 0 ? { timeout: dialer.model.idleTimeoutMs } : {}),
    });
    this.#host = host;
    this.#dialer = dialer;
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
      const { socket, peer } = await this.#dialer.connect(this.#host, NEVER);
      if (peer) peers.set(socket, peer);
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
    return (most === 0 || uses < most) && (super.keepSocketAlive(socket) as unknown as boolean);
  }

  closeIdle(): boolean {
    const idle = Object.values(this.freeSockets).flatMap((sockets) => sockets ?? [])[0];
    idle?.destroy();
    return idle !== undefined;
  }

  retire(): void {
    this.maxFreeSockets = 0;
    for (const sockets of Object.values(this.freeSockets)) {
      for (const socket of sockets ?? []) socket.destroy();
    }
  }
}
