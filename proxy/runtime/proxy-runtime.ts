import type { Slices, Steps } from "../../mesh/lifecycle/slices.ts";
import { TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import type { Rejection, ResourceUpdate } from "../ads/ads-client.ts";
import { ALL, type Interest, type Interests } from "../ads/interest.ts";
import type { Tables } from "../data-path/connection.ts";
import type { SecretStore } from "../data-path/tls/secret-store.ts";
import type { Resolver } from "../data-path/upstream/dns-endpoints.ts";
import type { UpstreamCluster } from "../data-path/upstream/upstream-cluster.ts";
import type { Cluster, LoadAssignment } from "../model/cluster.ts";
import type { Listener } from "../model/listener.ts";
import type { RouteConfiguration, VirtualHost } from "../model/route.ts";
import type { Secret } from "../model/tls.ts";
import { parseCluster } from "../parse/cluster.ts";
import { parseLoadAssignment } from "../parse/endpoints.ts";
import { parseListener } from "../parse/listener.ts";
import { parseOnDemandHost, parseRouteConfiguration } from "../parse/route.ts";
import { parseSecret } from "../parse/tls.ts";
import { compileRouteTable, type RouteTable } from "../tables/route-table.ts";
import { ClusterSet } from "./cluster-set.ts";
import { type ListenerDepsOf, type ListenerNeeds, ListenerSet } from "./listener-set.ts";
import { OnDemandClusters } from "./on-demand-clusters.ts";
import { OnDemandHosts } from "./on-demand-hosts.ts";
import { ResourceBook } from "./resource-book.ts";
import { type Prepared, type ResourceKind, takeUpdate } from "./take-update.ts";

export interface RuntimeDeps extends ListenerDepsOf {
  readonly secrets: SecretStore;
  readonly resolve: Resolver;
  readonly signal: AbortSignal;
  /** Configuration is taken in them. */
  readonly slices: Slices;
  /** Called when a request makes something wanted that was not. */
  readonly interestsChanged: () => void;
}

/** All that is configured now: xDS resources in, running listeners and clusters out. */
export class ProxyRuntime implements Tables {
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
  readonly #clusters: ClusterSet;
  readonly #routes = new Map<string, RouteTable>();
  readonly #onDemand: OnDemandHosts;
  readonly #onDemandClusters: OnDemandClusters;
  /** Listeners will be looked at, so that who finds something ready need not do it. */
  #activationIsDue = false;

  constructor(deps: RuntimeDeps) {
    this.#deps = deps;
    const asking = { clock: deps.clock, ask: deps.interestsChanged };
    this.#onDemand = new OnDemandHosts(asking);
    this.#onDemandClusters = new OnDemandClusters(asking);
    this.listeners = new ListenerSet({ ...deps, tables: this }, (needs) => this.#missingFor(needs));
    this.#clusters = new ClusterSet({
      ...deps,
      endpointsOf: (service) => this.books.endpoints.get(service)?.model.endpoints,
      warmed: () => void this.#activateSoon(),
    });
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
    return this.#clusters.list();
  }

  interests(): Interests {
    return new Map<TypeUrl, Interest>([
      [TYPE_URL.cluster, ALL.union(new Set(this.#onDemandClusters.names))],
      [TYPE_URL.listener, ALL],
      [TYPE_URL.endpoints, this.#clusters.services()],
      [TYPE_URL.route, this.listeners.wanted().routes],
      [TYPE_URL.virtualHost, this.#onDemand.names],
      [TYPE_URL.secret, this.listeners.wanted().secrets.union(this.#clusters.secrets())],
    ]);
  }

  /**
   * Takes an update, as much of it as can be taken, while traffic goes on; one at a time. Rejects when the signal is
   * aborted: the proxy is being stopped.
   */
  async apply(update: ResourceUpdate, signal: AbortSignal): Promise<readonly Rejection[]> {
    this.#activationIsDue = true;
    const rejections = await this.#take(update, signal);
    this.#prune();
    this.#activationIsDue = false;
    await this.#deps.slices.run(this.listeners.activate(), signal);
    return rejections;
  }

  /** What keeps this proxy from being ready; none: it is. */
  missing(): string[] {
    const reasons: string[] = [];
    if (!this.books.cluster.arrived) reasons.push("clusters have not arrived");
    if (!this.books.listener.arrived) reasons.push("listeners have not arrived");
    // Credentials for servers outside the mesh keep nothing from being ready: the calls that lack one fail.
    for (const name of this.listeners.wanted().secrets.union(this.#clusters.secrets("mesh"))) {
      if (!this.#deps.secrets.has(name)) reasons.push(`secret ${name} has not arrived`);
    }
    for (const { name } of this.books.listener.rejections()) {
      if (!this.listeners.has(name)) reasons.push(`listener ${name} was refused`);
    }
    return [...reasons, ...this.listeners.missing()];
  }

  close(): void {
    this.#clusters.close();
  }

  async #take(update: ResourceUpdate, signal: AbortSignal): Promise<readonly Rejection[]> {
    const { books } = this;
    const take = async <M>(kind: ResourceKind<M>): Promise<readonly Rejection[]> =>
      await takeUpdate(kind, update, this.#deps, signal);
    switch (update.type) {
      case TYPE_URL.cluster:
        return await take({
          book: books.cluster,
          prepare: (bytes, name) => inOneStep(() => this.#prepareCluster(parseCluster(bytes, name))),
          again: (_, name) => this.#onDemandClusters.put(name),
          remove: (name) => {
            this.#clusters.remove(name);
            this.#onDemandClusters.remove(name);
          },
        });
      case TYPE_URL.endpoints:
        return await take({
          book: books.endpoints,
          prepare: (bytes, name) =>
            inOneStep(() => this.#prepareEndpoints(parseLoadAssignment(bytes, name), name)),
          remove: () => {},
        });
      case TYPE_URL.listener:
        return await take({
          book: books.listener,
          prepare: (bytes, name) => inOneStep(() => this.#prepareListener(parseListener(bytes, name))),
          remove: (name) => this.listeners.remove(name),
        });
      case TYPE_URL.route:
        return await take({
          book: books.route,
          prepare: (bytes, name) => this.#prepareRoutes(bytes, name),
          remove: (name) => void this.#routes.delete(name),
        });
      case TYPE_URL.secret:
        return await take({
          book: books.secret,
          prepare: (bytes, name) => inOneStep(() => this.#prepareSecret(parseSecret(bytes, name))),
          // A secret that is gone is not a reason to stop serving: the last one holds until it expires.
          remove: () => {},
        });
      case TYPE_URL.virtualHost:
        return await take({
          book: books.virtualHost,
          prepare: (bytes, name) => this.#prepareHost(bytes, name),
          // It may have been forgotten and asked for again.
          again: (host, name) => this.#onDemand.put(host, name),
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

  #prepareCluster(model: Cluster): Prepared<Cluster> {
    const transports = this.#clusters.prepare(model);
    return {
      model,
      put: () => {
        this.#clusters.put(model, transports);
        this.#onDemandClusters.put(model.name);
      },
    };
  }

  #prepareEndpoints(model: LoadAssignment, name: string): Prepared<LoadAssignment> {
    return { model, put: () => this.#clusters.assign(name, model.endpoints) };
  }

  #prepareListener(model: Listener): Prepared<Listener> {
    const listener = this.listeners.prepare(model);
    return { model, put: async () => await this.listeners.put(listener) };
  }

  #prepareSecret(model: Secret): Prepared<Secret> {
    return { model, put: () => this.#deps.secrets.put(model) };
  }

  *#prepareRoutes(bytes: Uint8Array, name: string): Steps<Prepared<RouteConfiguration>> {
    const model = yield* parseRouteConfiguration(bytes, name);
    const table = yield* compileRouteTable(model, this.#onDemand.hostsOf(name));
    return { model, put: () => void this.#routes.set(name, table) };
  }

  *#prepareHost(bytes: Uint8Array, name: string): Steps<Prepared<VirtualHost>> {
    const model = yield* parseOnDemandHost(bytes, name);
    return { model, put: () => this.#onDemand.put(model, name) };
  }

  /** Something that listeners wait for is there. */
  async #activateSoon(): Promise<void> {
    if (this.#activationIsDue) return;
    this.#activationIsDue = true;
    // What is ready at the same time is seen in one look.
    await Promise.resolve();
    this.#activationIsDue = false;
    const { slices, signal } = this.#deps;
    try {
      await slices.run(this.listeners.activate(), signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Drops what nobody refers to any more: the server is told so with the same interests. */
  #prune(): void {
    const services = this.#clusters.services();
    for (const name of this.books.endpoints.names())
      if (!services.has(name)) this.books.endpoints.delete(name);
    const { routes } = this.listeners.wanted();
    for (const name of this.#routes.keys()) {
      if (routes.has(name)) continue;
      this.#routes.delete(name);
      this.books.route.delete(name);
    }
    this.#onDemand.prune(routes);
    const hosts = this.#onDemand.names;
    for (const name of this.books.virtualHost.names())
      if (!hosts.has(name)) this.books.virtualHost.delete(name);
  }

  /** What a listener still waits for. */
  #missingFor(needs: ListenerNeeds): string[] {
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

/** Of resources that are small. */
function* inOneStep<T>(work: () => T): Steps<T> {
  yield;
  return work();
}
