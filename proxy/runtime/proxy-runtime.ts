import { messageOf } from "../../mesh/errors.ts";
import { TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import type { Rejection, ResourceSink, ResourceUpdate } from "../ads/ads-client.ts";
import { ALL, type Interest, type Interests } from "../ads/interest.ts";
import type { Tables } from "../data-path/connection.ts";
import { HealthChecker } from "../data-path/health/health-checker.ts";
import { secretNames } from "../data-path/tls/contexts.ts";
import type { SecretStore } from "../data-path/tls/secret-store.ts";
import type { Resolver } from "../data-path/upstream/dns-endpoints.ts";
import { UpstreamCluster } from "../data-path/upstream/upstream-cluster.ts";
import type { Cluster, LoadAssignment } from "../model/cluster.ts";
import type { Listener } from "../model/listener.ts";
import type { RouteConfiguration, VirtualHost } from "../model/route.ts";
import type { Secret, UpstreamTls } from "../model/tls.ts";
import { parseCluster } from "../parse/cluster.ts";
import { parseLoadAssignment } from "../parse/endpoints.ts";
import { parseListener } from "../parse/listener.ts";
import { parseOnDemandHost, parseRouteConfiguration } from "../parse/route.ts";
import { parseSecret } from "../parse/tls.ts";
import { compileRouteTable, type RouteTable } from "../tables/route-table.ts";
import { type ListenerDepsOf, ListenerSet } from "./listener-set.ts";
import { OnDemandClusters } from "./on-demand-clusters.ts";
import { OnDemandHosts } from "./on-demand-hosts.ts";
import { ResourceBook } from "./resource-book.ts";

/** Endpoints that have not come, or been looked up, by then are taken for none (Envoy's initial fetch timeout). */
const WARMING_MS = 15_000;

export interface RuntimeDeps extends ListenerDepsOf {
  readonly secrets: SecretStore;
  readonly resolve: Resolver;
  readonly signal: AbortSignal;
  /** Called when a request makes something wanted that was not. */
  readonly interestsChanged: () => void;
}

/** All that is configured now: xDS resources in, running listeners and clusters out. */
export class ProxyRuntime implements ResourceSink, Tables {
  readonly books = {
    cluster: new ResourceBook<Cluster>(TYPE_URL.cluster),
    endpoints: new ResourceBook<LoadAssignment>(TYPE_URL.endpoints),
    listener: new ResourceBook<Listener>(TYPE_URL.listener),
    route: new ResourceBook<RouteConfiguration>(TYPE_URL.route),
    virtualHost: new ResourceBook<VirtualHost>(TYPE_URL.virtualHost),
    secret: new ResourceBook<Secret>(TYPE_URL.secret),
  } as const;
  readonly listeners: ListenerSet;
  readonly #deps: RuntimeDeps;
  readonly #clusters = new Map<string, UpstreamCluster>();
  readonly #checkers = new Map<string, HealthChecker>();
  readonly #routes = new Map<string, RouteTable>();
  readonly #onDemand: OnDemandHosts;
  readonly #onDemandClusters: OnDemandClusters;

  constructor(deps: RuntimeDeps) {
    this.#deps = deps;
    const asking = { clock: deps.clock, ask: deps.interestsChanged };
    this.#onDemand = new OnDemandHosts(asking);
    this.#onDemandClusters = new OnDemandClusters(asking);
    this.listeners = new ListenerSet({ ...deps, tables: this }, (listener) => this.#missingFor(listener));
  }

  cluster(name: string): UpstreamCluster | undefined {
    return this.#clusters.get(name);
  }

  routes(name: string): RouteTable | undefined {
    return this.#routes.get(name);
  }

  async askForHost(routes: string, authority: string, gone: AbortSignal): Promise<void> {
    await this.#onDemand.ask(routes, authority, gone);
  }

  async askForCluster(name: string, longestMs: number, gone: AbortSignal): Promise<void> {
    await this.#onDemandClusters.ask(name, longestMs, gone);
  }

  /** By name. */
  clusters(): readonly (readonly [string, UpstreamCluster])[] {
    return [...this.#clusters].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  interests(): Interests {
    return new Map<TypeUrl, Interest>([
      [TYPE_URL.cluster, ALL.union(new Set(this.#onDemandClusters.names))],
      [TYPE_URL.listener, ALL],
      [TYPE_URL.endpoints, this.#wantedEndpoints()],
      [TYPE_URL.route, this.listeners.wantedRoutes()],
      [TYPE_URL.virtualHost, this.#onDemand.names],
      [TYPE_URL.secret, this.#wantedSecrets()],
    ]);
  }

  async apply(update: ResourceUpdate): Promise<readonly Rejection[]> {
    const rejections = await this.#applyByType(update);
    this.#prune();
    this.listeners.activate();
    return rejections;
  }

  /** What keeps this proxy from being ready; none: it is. */
  missing(): string[] {
    const reasons: string[] = [];
    if (!this.books.cluster.arrived) reasons.push("clusters have not arrived");
    if (!this.books.listener.arrived) reasons.push("listeners have not arrived");
    for (const name of this.#wantedSecrets(({ kind }) => kind === "mesh")) {
      if (!this.#deps.secrets.has(name)) reasons.push(`secret ${name} has not arrived`);
    }
    for (const { name } of this.books.listener.rejections()) {
      if (!this.listeners.has(name)) reasons.push(`listener ${name} was refused`);
    }
    return [...reasons, ...this.listeners.missing()];
  }

  close(): void {
    for (const checker of this.#checkers.values()) checker.stop();
    for (const cluster of this.#clusters.values()) cluster.close();
  }

  async #applyByType(update: ResourceUpdate): Promise<readonly Rejection[]> {
    const { books } = this;
    switch (update.type) {
      case TYPE_URL.cluster:
        return await this.#take(books.cluster, update, parseCluster, {
          put: (cluster) => this.#putCluster(cluster),
          remove: (name) => this.#removeCluster(name),
        });
      case TYPE_URL.endpoints:
        return await this.#take(books.endpoints, update, parseLoadAssignment, {
          put: (assignment, name) => this.#assign(name, assignment),
          remove: () => {},
        });
      case TYPE_URL.listener:
        return await this.#take(books.listener, update, parseListener, {
          put: async (listener) => await this.listeners.put(listener),
          remove: (name) => this.listeners.remove(name),
        });
      case TYPE_URL.route:
        return await this.#take(books.route, update, parseRouteConfiguration, {
          put: (config, name) => {
            this.#routes.set(name, compileRouteTable(config, this.#onDemand.hostsOf(name)));
          },
          remove: (name) => void this.#routes.delete(name),
        });
      case TYPE_URL.secret:
        return await this.#take(books.secret, update, parseSecret, {
          put: (secret) => this.#deps.secrets.put(secret),
          // A secret that is gone is not a reason to stop serving: the last one holds until it expires.
          remove: () => {},
        });
      case TYPE_URL.virtualHost:
        return await this.#take(books.virtualHost, update, parseOnDemandHost, {
          put: (host, name) => this.#onDemand.put(host, name),
          remove: (name) => this.#onDemand.remove(name),
        });
      case TYPE_URL.extension:
      case TYPE_URL.hostName:
        // Never asked for: a listener that refers to an extension is refused, and names are the agent's.
        return [];
      default:
        return update.type satisfies never;
    }
  }

  /** Each resource by itself: one that is refused keeps its former version in force and lets the others pass. */
  async #take<M>(
    book: ResourceBook<M>,
    update: ResourceUpdate,
    parse: (bytes: Uint8Array, name: string) => M,
    effect: { put(model: M, name: string): void | Promise<void>; remove(name: string): void },
  ): Promise<readonly Rejection[]> {
    const rejections: Rejection[] = [];
    const nowMs = this.#deps.clock.now();
    for (const name of update.removed) {
      effect.remove(name);
      book.delete(name);
    }
    for (const { name, version, bytes } of update.upserts) {
      try {
        const model = parse(bytes, name);
        await effect.put(model, name);
        book.put({ name, version, bytes, model, updatedMs: nowMs });
      } catch (error) {
        const said = reasonOf(error);
        // The server tells by the names in it which resources of a response were refused.
        const reason = said.includes(name) ? said : `${shortName(update.type)} ${name}: ${said}`;
        rejections.push({ name, reason });
        book.refuse({ name, version, reason, atMs: nowMs });
        this.#deps.logger.warn("resource refused", { type: shortName(update.type), name, version, reason });
      }
    }
    book.arrive();
    return rejections;
  }

  #putCluster(model: Cluster): void {
    const running = this.#clusters.get(model.name);
    if (running) running.update(model);
    const cluster = running ?? new UpstreamCluster(model, this.#deps);
    this.#clusters.set(model.name, cluster);
    this.#onDemandClusters.put(model.name);
    this.#checkHealth(cluster);
    const assignment = model.source.kind === "eds" && this.books.endpoints.get(model.source.service);
    if (assignment) cluster.assign(assignment.model.endpoints);
    if (!cluster.warm) void this.#endWarming(cluster);
  }

  #checkHealth(cluster: UpstreamCluster): void {
    const { name, healthCheck } = cluster.model;
    this.#checkers.get(name)?.stop();
    this.#checkers.delete(name);
    if (healthCheck === undefined) cluster.believeAll();
    else this.#checkers.set(name, new HealthChecker(cluster, healthCheck, this.#deps));
  }

  async #endWarming(cluster: UpstreamCluster): Promise<void> {
    await Promise.race([cluster.whenWarm(), this.#deps.clock.sleep(WARMING_MS, this.#deps.signal)]);
    // Hosts that are being checked are not well as long as nobody knows.
    if (!cluster.warm && cluster.model.healthCheck) cluster.endWarming();
    else if (!cluster.warm) cluster.assign([]);
    this.listeners.activate();
  }

  #removeCluster(name: string): void {
    this.#checkers.get(name)?.stop();
    this.#checkers.delete(name);
    this.#clusters.get(name)?.close();
    this.#clusters.delete(name);
    this.#onDemandClusters.remove(name);
  }

  #assign(service: string, assignment: LoadAssignment): void {
    for (const cluster of this.#clusters.values()) {
      const { source } = cluster.model;
      if (source.kind === "eds" && source.service === service) cluster.assign(assignment.endpoints);
    }
  }

  #wantedEndpoints(): Set<string> {
    const sources = [...this.#clusters.values()].map(({ model }) => model.source);
    return new Set(sources.flatMap((source) => (source.kind === "eds" ? [source.service] : [])));
  }

  /** Credentials for servers outside the mesh keep nothing from being ready: the calls that lack one fail. */
  #wantedSecrets(counts: (tls: UpstreamTls) => boolean = () => true): Set<string> {
    const wanted = new Set(this.listeners.wantedSecrets());
    for (const { model } of this.#clusters.values()) {
      for (const transport of [model.transport, ...model.transportMatches.map((match) => match.transport)]) {
        if (transport.kind !== "tls" || !counts(transport.tls)) continue;
        for (const name of secretNames(transport.tls)) wanted.add(name);
      }
    }
    return wanted;
  }

  /** Drops what nobody refers to any more: the server is told so with the same interests. */
  #prune(): void {
    const endpoints = this.#wantedEndpoints();
    for (const { name } of this.books.endpoints.list())
      if (!endpoints.has(name)) this.books.endpoints.delete(name);
    const routes = this.listeners.wantedRoutes();
    for (const name of this.#routes.keys()) {
      if (routes.has(name)) continue;
      this.#routes.delete(name);
      this.books.route.delete(name);
    }
    this.#onDemand.prune(routes);
    const hosts = this.#onDemand.names;
    for (const { name } of this.books.virtualHost.list())
      if (!hosts.has(name)) this.books.virtualHost.delete(name);
  }

  /** What a listener still waits for. */
  #missingFor(needs: {
    secrets: Iterable<string>;
    routes: Iterable<string>;
    clusters: Iterable<string>;
  }): string[] {
    const missing: string[] = [];
    if (!this.books.cluster.arrived) missing.push("clusters");
    for (const name of needs.secrets) if (!this.#deps.secrets.has(name)) missing.push(`secret ${name}`);
    const clusters = new Set(needs.clusters);
    for (const name of needs.routes) {
      const table = this.#routes.get(name);
      if (table === undefined) missing.push(`routes ${name}`);
      for (const cluster of table?.clusters ?? []) clusters.add(cluster);
    }
    for (const name of clusters)
      if (this.#clusters.get(name)?.warm === false) missing.push(`endpoints of ${name}`);
    return missing;
  }
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? `${String(error.code)}: ` : "";
  return code + messageOf(error);
}

function shortName(type: TypeUrl): string {
  return type.slice(type.lastIndexOf(".") + 1);
}
