import type { Socket } from "node:net";
import { messageOf } from "../../../mesh/errors.ts";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import type { Cluster, Endpoint, Transport } from "../../model/cluster.ts";
import { type Balancer, compileBalancer, hostKey } from "../../tables/balancer.ts";
import { eject, mayEject, noteOutcome, outcomeOf } from "../../tables/outlier.ts";
import type { Random } from "../../tables/weighted.ts";
import { ClientTls } from "../tls/client-tls.ts";
import type { PeerCertificate } from "../tls/peer.ts";
import type { SecretStore } from "../tls/secret-store.ts";
import { dial, UpstreamConnectError } from "./dial.ts";
import { UpstreamHost } from "./upstream-host.ts";

export interface UpstreamDeps {
  readonly secrets: SecretStore;
  readonly clock: Clock;
}

export interface UpstreamConnection {
  readonly socket: Socket;
  /** The server's identity; undefined without TLS. */
  readonly peer: PeerCertificate | undefined;
}

export interface ClusterCounts {
  /** Connections that are open. */
  connections: number;
  /** Requests that are running. */
  active: number;
  /** Requests and connections ever. */
  total: number;
  retries: number;
}

type TlsClients = ReadonlyMap<Transport, ClientTls>;

/** A cluster that is in use: its hosts with their pools, kept over changes of endpoints. */
export class UpstreamCluster {
  readonly counts: ClusterCounts = { connections: 0, active: 0, total: 0, retries: 0 };
  readonly #deps: UpstreamDeps;
  readonly #hosts = new Map<string, UpstreamHost>();
  readonly #warmed = Promise.withResolvers<void>();
  #model: Cluster;
  #balance: Balancer<UpstreamHost> = () => undefined;
  #clients: TlsClients = new Map();
  #warm = false;
  /** When the next ejected host comes back. */
  #nextReturnMs = Number.POSITIVE_INFINITY;

  constructor(model: Cluster, deps: UpstreamDeps) {
    this.#deps = deps;
    this.#model = model;
    this.update(model);
  }

  get model(): Cluster {
    return this.#model;
  }

  get hosts(): Iterable<UpstreamHost> {
    return this.#hosts.values();
  }

  /** True once endpoints are known, be it none. */
  get warm(): boolean {
    return this.#warm;
  }

  /** Resolves when endpoints are known. */
  async whenWarm(): Promise<void> {
    await this.#warmed.promise;
  }

  /** New settings. Requests that run go on; pooled connections of other TLS settings are not used again. */
  update(model: Cluster): void {
    this.#model = model;
    this.#clients = this.#compileClients(model);
    for (const host of this.#hosts.values()) host.retirePool();
    if (model.source.kind === "static") this.assign(model.source.endpoints);
    else this.#rebalance();
  }

  /** The endpoints, in full. Connections to those that are gone finish what they do. */
  assign(endpoints: readonly Endpoint[]): void {
    const wanted = new Set(endpoints.map(hostKey));
    for (const [key, host] of this.#hosts) {
      if (wanted.has(key)) continue;
      this.#hosts.delete(key);
      host.retirePool();
    }
    for (const endpoint of endpoints) this.#place(endpoint);
    this.#rebalance();
    this.#warm = true;
    this.#warmed.resolve();
  }

  /** Undefined when no endpoint is healthy. */
  pick(random: Random, avoid?: ReadonlySet<UpstreamHost>): UpstreamHost | undefined {
    if (this.#deps.clock.monotonic() >= this.#nextReturnMs) this.#rebalance();
    return this.#balance(random, avoid);
  }

  /** How a request to a host ended: its status, or undefined when there was no answer. */
  report(host: UpstreamHost, status: number | undefined, random: Random): void {
    const rules = this.#model.outlier;
    if (rules === undefined || !noteOutcome(host.standing, outcomeOf(status), rules, random)) return;
    const ejected = [...this.#hosts.values()].filter(({ standing }) => standing.ejectedUntilMs > 0).length;
    if (!mayEject(ejected, this.#hosts.size, rules)) return;
    eject(host.standing, rules, this.#deps.clock.monotonic());
    this.#rebalance();
  }

  /** A new connection to a host, over its transport. Rejects with `UpstreamConnectError`. */
  async connect(host: UpstreamHost, signal: AbortSignal): Promise<UpstreamConnection> {
    const { connectTimeoutMs, limits } = this.#model;
    if (this.counts.connections >= limits.maxConnections && !this.#closeIdle()) {
      throw new UpstreamConnectError("UO", "too many connections");
    }
    this.counts.connections++;
    try {
      const raw = await dial(host.endpoint, connectTimeoutMs, signal);
      const connection = await this.#secure(raw, host, signal);
      connection.socket.once("close", () => this.counts.connections--);
      return connection;
    } catch (error) {
      this.counts.connections--;
      throw error;
    }
  }

  /** What pooled connections of a host were made under; another value means that they must not be used again. */
  epochOf(host: UpstreamHost): string {
    const client = this.#clients.get(this.#transportOf(host.endpoint));
    return client === undefined ? "plain" : client.epoch;
  }

  close(): void {
    for (const host of this.#hosts.values()) host.retirePool();
  }

  async #secure(raw: Socket, host: UpstreamHost, signal: AbortSignal): Promise<UpstreamConnection> {
    const client = this.#clients.get(this.#transportOf(host.endpoint));
    if (client === undefined) return { socket: raw, peer: undefined };
    const giveUp = (): void => void raw.destroy();
    const timer = setTimeout(giveUp, this.#model.connectTimeoutMs);
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      return await client.connect(raw, host.key);
    } catch (error) {
      raw.destroy();
      throw new UpstreamConnectError("UF", messageOf(error), error);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", giveUp);
    }
  }

  #place(endpoint: Endpoint): void {
    const host = this.#hosts.get(hostKey(endpoint));
    if (host === undefined) this.#hosts.set(hostKey(endpoint), new UpstreamHost(endpoint, this));
    else host.endpoint = endpoint;
  }

  /** Over the hosts that are not ejected; those whose time is over are back. */
  #rebalance(): void {
    const nowMs = this.#deps.clock.monotonic();
    this.#nextReturnMs = Number.POSITIVE_INFINITY;
    const usable = [...this.#hosts.values()].filter(({ standing }) => {
      if (standing.ejectedUntilMs <= nowMs) standing.ejectedUntilMs = 0;
      else this.#nextReturnMs = Math.min(this.#nextReturnMs, standing.ejectedUntilMs);
      return standing.ejectedUntilMs === 0;
    });
    this.#balance = compileBalancer(this.#model.policy, usable);
  }

  /** Makes room for a connection: one that serves nobody gives way. */
  #closeIdle(): boolean {
    return [...this.#hosts.values()].some((host) => host.closeIdle());
  }

  #transportOf(endpoint: Endpoint): Transport {
    const match = this.#model.transportMatches.find(({ criteria }) =>
      [...criteria].every(([key, value]) => endpoint.transportMatch.get(key) === value),
    );
    return match?.transport ?? this.#model.transport;
  }

  #compileClients(model: Cluster): TlsClients {
    const transports = [model.transport, ...model.transportMatches.map(({ transport }) => transport)];
    const clients = new Map<Transport, ClientTls>();
    for (const transport of transports) {
      if (transport.kind === "tls")
        clients.set(transport, new ClientTls({ tls: transport.tls, ...this.#deps }));
    }
    return clients;
  }
}
