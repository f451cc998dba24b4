import type { TLSSocket } from "node:tls";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import type { ClientSessionObserver } from "../../codec/stream.ts";
import type { Cluster, Endpoint } from "../../model/cluster.ts";
import { type Balancer, type Choice, compileBalancer, hostKey } from "../../tables/balancer.ts";
import { eject, mayEject, noteOutcome, outcomeOf } from "../../tables/outlier.ts";
import { RecentCount } from "../../tables/recent-count.ts";
import type { Random } from "../../tables/weighted.ts";
import type { Alarms } from "../../transport/alarms.ts";
import type { Destination } from "../../transport/original-destination.ts";
import { SocketWire } from "../../transport/socket-wire.ts";
import { breakOff } from "../break-off.ts";
import { WireEnd } from "../tcp/byte-end.ts";
import type { SecretStore } from "../tls/secret-store.ts";
import { type CalledHosts, calledHostsOf } from "./called-hosts.ts";
import { type ClientProtocol, openClientSession } from "./client-protocols.ts";
import type { ClusterTransports } from "./cluster-transports.ts";
import { ConnectionSlots } from "./connection-slots.ts";
import { dial, localAddressOf, UpstreamConnectError } from "./dial.ts";
import { DnsEndpoints, type Resolver } from "./dns-endpoints.ts";
import type { Purpose } from "./endpoint-transport.ts";
import { HostPool, type OpenedSession, type PoolSource } from "./host-pool.ts";
import type { OpenedEnd } from "./host-tunnel.ts";
import { membersNow } from "./members.ts";
import { NameCache } from "./name-cache.ts";
import { type PoolVariant, variantOf } from "./pool-variant.ts";
import type { CallEnds } from "./proxy-header.ts";
import { type ClusterCounts, countsOf, type UpstreamConnection } from "./upstream-connection.ts";
import { UpstreamHost } from "./upstream-host.ts";

export interface UpstreamDeps {
  readonly secrets: SecretStore;
  readonly clock: Clock;
  readonly resolve: Resolver;
  readonly alarms: Alarms;
}

/** `destination`: where the caller's connection was going, if it was captured, or of the name that it calls. */
export type HostChoice = Choice<UpstreamHost> & { readonly destination?: Destination | undefined };

const NEVER = new AbortController().signal;

/** A cluster that is in use: its hosts with their pools, kept over changes of endpoints. */
export class UpstreamCluster {
  readonly counts: ClusterCounts;
  /** Where each request says which host it is for. */
  names: NameCache | undefined;
  readonly #slots = new ConnectionSlots();
  readonly #deps: UpstreamDeps;
  readonly #hosts = new Map<string, UpstreamHost>();
  readonly #warmed = Promise.withResolvers<void>();
  #model: Cluster;
  #balance: Balancer<UpstreamHost> = () => undefined;
  /** Set by `update`, which the constructor calls. */
  #transports!: ClusterTransports;
  /** Whether connections to one host may differ: see `variantOf`. */
  #varies = false;
  #warm = false;
  #dns: DnsEndpoints | undefined;
  /** Where those who call say which host it is. */
  #called: CalledHosts | undefined;
  /** Requests of the time that the retry budget looks back. */
  #recent: RecentCount | undefined;
  /** When weights change by themselves: an ejected host comes back, or one that starts slowly gets more. */
  #nextChangeMs = Number.POSITIVE_INFINITY;

  constructor(model: Cluster, transports: ClusterTransports, deps: UpstreamDeps) {
    this.#deps = deps;
    this.#model = model;
    this.counts = countsOf(this.#slots);
    this.update(model, transports);
  }

  get alarms(): Alarms {
    return this.#deps.alarms;
  }

  get model(): Cluster {
    return this.#model;
  }

  get hosts(): Iterable<UpstreamHost> {
    return this.#called ?? this.#hosts.values();
  }

  /** Called after each change of the endpoints. */
  onHosts: (() => void) | undefined;

  /** True once endpoints are known, be it none. */
  get warm(): boolean {
    return this.#warm;
  }

  /** Resolves when endpoints are known. */
  async whenWarm(): Promise<void> {
    await this.#warmed.promise;
  }

  /** New settings. Requests that run go on; pooled connections of other TLS settings are not used again. */
  update(model: Cluster, transports: ClusterTransports): void {
    this.#transports = transports;
    this.#model = model;
    this.#varies =
      this.#transports.tellCaller || model.hostTls.sni || model.hostTls.verify || model.http === "as-called";
    const { intervalMs = 0 } = model.limits.retryBudget ?? {};
    if (this.#recent?.intervalMs !== intervalMs)
      this.#recent = intervalMs > 0 ? new RecentCount(intervalMs) : undefined;
    for (const host of this.hosts) host.become(host.endpoint, this.#transports.of(host.endpoint));
    this.#dns?.stop();
    this.#dns = undefined;
    this.#called?.close();
    this.#called = calledHostsOf(model, this.#deps.clock, (endpoint) => this.#newHost(endpoint));
    this.names =
      model.source.kind === "dynamic-dns" ? new NameCache(model.source.family, this.#deps) : undefined;
    if (model.source.kind === "static") this.assign(model.source.endpoints);
    else if (this.#called) this.assign([]);
    else this.#rebalance();
    if (model.source.kind === "dns") {
      this.#dns = new DnsEndpoints(model.source, this.#deps);
      void this.#dns.run((endpoints) => this.assign(endpoints));
    }
  }

  /** The endpoints, in full. Connections to those that are gone finish what they do. */
  assign(endpoints: readonly Endpoint[]): void {
    const wanted = new Set(endpoints.map(hostKey));
    for (const [key, host] of this.#hosts) {
      if (wanted.has(key)) continue;
      this.#hosts.delete(key);
      host.retirePools();
    }
    for (const endpoint of endpoints) this.#place(endpoint);
    this.#rebalance();
    if (this.#model.healthCheck === undefined || this.#hosts.size === 0) this.endWarming();
    this.onHosts?.();
  }

  /** Endpoints are known as well as they will be: what waits for them goes on. */
  endWarming(): void {
    this.#warm = true;
    this.#warmed.resolve();
  }

  /** What checks have found. */
  setHealth(host: UpstreamHost, isWell: boolean): void {
    host.failsChecks = !isWell;
    this.#rebalance();
  }

  /** Nobody checks them any more. */
  believeAll(): void {
    for (const host of this.#hosts.values()) if (host.failsChecks) this.setHealth(host, true);
  }

  /** Connections to check a host with, which wait for nobody, and are none of those that there may be. */
  checkPool(host: UpstreamHost): HostPool {
    return new HostPool({
      ...this.poolSource(host, undefined),
      crowded: false,
      takeSlot: (taker) => void taker(),
      enter() {},
      arrive() {},
      open: async (observer) =>
        this.#openSession(await this.#dial(host, "http", NEVER, undefined), undefined, observer),
    });
  }

  /** One of them, for bytes. */
  async connectForCheck(host: UpstreamHost, signal: AbortSignal): Promise<UpstreamConnection> {
    return await this.#dial(host, "bytes", signal, undefined);
  }

  /** Undefined when no endpoint is healthy, or when nobody knows where a call was going. */
  pick(random: Random, choice?: HostChoice): UpstreamHost | undefined {
    if (this.#called) return choice?.destination && this.#called.at(choice.destination);
    if (this.#deps.clock.monotonic() >= this.#nextChangeMs) this.#rebalance();
    return this.#balance(random, choice);
  }

  /** Whether its retries leave room for another (Envoy: a budget counts instead of the limit). */
  get mayRetry(): boolean {
    const { retryBudget, maxRetries } = this.#model.limits;
    const { active, retries } = this.counts;
    if (retryBudget === undefined) return retries < maxRetries;
    const requests = Math.max(active, this.#recent?.at(this.#deps.clock.monotonic()) ?? 0);
    return retries < Math.max(retryBudget.minimum, Math.floor((requests * retryBudget.percent) / 100));
  }

  /** A request runs: it is one of `counts.active` until its end. */
  begin(): void {
    this.counts.active++;
    this.#recent?.note(this.#deps.clock.monotonic());
  }

  /** What sets the connections for a call apart from others to the same host; undefined: nothing. */
  variantOf(
    host: UpstreamHost,
    authority: string,
    ends: CallEnds,
    call: { readonly isHttp2?: boolean; readonly saysHttp?: boolean } = {},
  ): PoolVariant | undefined {
    const { isMesh, transport } = host.transport;
    const saysHttp = call.saysHttp === true && isMesh;
    if (!this.#varies && !saysHttp) return undefined;
    return variantOf(this.#model, transport, authority, ends, { isHttp2: call.isHttp2 === true, saysHttp });
  }

  /** How a request to a host ended: its status, or undefined when there was no answer. */
  report(host: UpstreamHost, status: number | "unconnected" | undefined, random: Random): void {
    const rules = this.#model.outlier;
    if (rules === undefined || !noteOutcome(host.standing, outcomeOf(status, rules), rules, random)) return;
    const ejected = [...this.#hosts.values()].filter(({ standing }) => standing.ejectedUntilMs > 0).length;
    if (!mayEject(ejected, this.#hosts.size, rules)) return;
    eject(host.standing, rules, this.#deps.clock.monotonic());
    this.#rebalance();
  }

  /** A new connection to a host, over its transport. Rejects with `UpstreamConnectError`. */
  async connect(
    host: UpstreamHost,
    signal: AbortSignal,
    variant: PoolVariant | undefined,
  ): Promise<UpstreamConnection> {
    this.#slots.take(this.#roomForOneMore());
    return await this.#dialForSlot(host, "bytes", signal, variant);
  }

  /** A TCP connection of its own to a host, through a tunnel where there is one; `release` when it is over. */
  async openBytes(
    host: UpstreamHost,
    signal: AbortSignal,
    variant: PoolVariant | undefined,
  ): Promise<OpenedEnd & { readonly release: () => void }> {
    const slots = this.#slots;
    slots.take(this.#roomForOneMore());
    try {
      const opened = host.transport.mayTunnel("bytes")
        ? await host.tunnel(() => this.#dial(host, "bytes", NEVER, variant)).open()
        : await this.#openAlone(host, signal, variant);
      return { ...opened, release: () => slots.release() };
    } catch (error) {
      slots.release();
      throw error;
    }
  }

  /** What a pool of connections to a host lives on. */
  poolSource(host: UpstreamHost, variant: PoolVariant | undefined): PoolSource {
    const slots = this.#slots;
    const limits = (): Cluster => this.#model;
    return {
      alarms: this.#deps.alarms,
      get limits() {
        return limits();
      },
      mayShare: this.#httpOf(variant) !== "http1" || host.transport.mayTunnel("http", variant?.saysHttp),
      get crowded() {
        return slots.wanted;
      },
      takeSlot: (taker) => {
        if (slots.open >= this.#roomForOneMore()) {
          slots.wait(taker);
          return;
        }
        slots.take(Number.POSITIVE_INFINITY);
        taker();
      },
      leaveLine: (taker) => slots.leave(taker),
      enter: () => slots.enter(this.#model.limits.maxPending),
      arrive: () => slots.arrive(),
      // A request that goes away leaves its connection to the next one; the connect timeout ends the attempt.
      open: async (observer) =>
        this.#openSession(await this.#dialForSlot(host, "http", NEVER, variant), variant, observer),
    };
  }

  close(): void {
    this.#dns?.stop();
    for (const host of this.hosts) host.retirePools();
  }

  /** How many connections there may be: one that serves nobody gives way to another, and counts until it is gone. */
  #roomForOneMore(): number {
    const { maxConnections } = this.#model.limits;
    return this.#slots.open >= maxConnections && this.#closeIdle()
      ? Number.POSITIVE_INFINITY
      : maxConnections;
  }

  #httpOf(variant: PoolVariant | undefined): ClientProtocol["http"] {
    const { http } = this.#model;
    if (http !== "as-called") return http;
    return variant?.http2 ? "http2" : "http1";
  }

  #openSession(
    { socket, peer }: UpstreamConnection,
    variant: PoolVariant | undefined,
    observer: ClientSessionObserver,
  ): OpenedSession {
    const wire = new SocketWire(socket, breakOff);
    const { alpnProtocol } = socket as Partial<TLSSocket>;
    const protocol = {
      http: this.#httpOf(variant),
      http2: this.#model.http2,
      agreed: alpnProtocol || undefined,
    };
    const session = openClientSession(protocol, wire, observer, this.#deps.alarms);
    return { session, peer, localAddress: localAddressOf(socket) };
  }

  async #openAlone(
    host: UpstreamHost,
    signal: AbortSignal,
    variant: PoolVariant | undefined,
  ): Promise<OpenedEnd> {
    const { socket, peer } = await this.#dial(host, "bytes", signal, variant);
    const wire = new SocketWire(socket, breakOff);
    return { end: new WireEnd(wire, () => socket.destroy()), peer, localAddress: localAddressOf(socket) };
  }

  /** With a slot that was taken, until the connection is gone. */
  async #dialForSlot(
    host: UpstreamHost,
    purpose: Purpose,
    signal: AbortSignal,
    variant: PoolVariant | undefined,
  ): Promise<UpstreamConnection> {
    try {
      const connection = await this.#dial(host, purpose, signal, variant);
      connection.socket.once("close", () => this.#slots.release());
      return connection;
    } catch (error) {
      this.#slots.release();
      throw error;
    }
  }

  async #dial(
    host: UpstreamHost,
    purpose: Purpose,
    signal: AbortSignal,
    variant: PoolVariant | undefined,
  ): Promise<UpstreamConnection> {
    const { connectTimeoutMs, keepAliveMs, sourceAddresses } = this.#model;
    const raw = await dial(host.endpoint, connectTimeoutMs, signal, sourceAddresses);
    if (keepAliveMs !== undefined) raw.setKeepAlive(true, keepAliveMs);
    const http = variant?.saysHttp ? this.#httpOf(variant) : undefined;
    const how = { ...variant, http };
    const connection = await host.transport.secure(raw, host.key, purpose, how, signal);
    if (connection.socket.destroyed)
      throw new UpstreamConnectError("UF", "the connection was closed at once");
    return connection;
  }

  #place(endpoint: Endpoint): void {
    const host = this.#hosts.get(hostKey(endpoint));
    if (host === undefined) this.#hosts.set(hostKey(endpoint), this.#newHost(endpoint));
    else host.become(endpoint, this.#transports.of(endpoint));
  }

  #newHost(endpoint: Endpoint): UpstreamHost {
    const transport = this.#transports.of(endpoint);
    const host = new UpstreamHost(endpoint, transport, this, this.#deps.clock.monotonic());
    host.failsChecks = this.#model.healthCheck !== undefined;
    return host;
  }

  /** With the hosts as they are now: those whose time is over are back. */
  #rebalance(): void {
    const { balancing } = this.#model;
    const { members, nextChangeMs } = membersNow(
      this.#hosts.values(),
      balancing.slowStart,
      this.#deps.clock.monotonic(),
    );
    this.#nextChangeMs = nextChangeMs;
    this.#balance = compileBalancer(balancing, members);
  }

  #closeIdle(): boolean {
    return [...this.hosts].some((host) => host.closeIdle());
  }
}
