import { HealthChecker, type HealthCheckerDeps } from "../data-path/health/health-checker.ts";
import { secretNames } from "../data-path/tls/contexts.ts";
import { ClusterTransports } from "../data-path/upstream/cluster-transports.ts";
import { UpstreamCluster, type UpstreamDeps } from "../data-path/upstream/upstream-cluster.ts";
import type { Cluster, Endpoint } from "../model/cluster.ts";
import type { UpstreamTls } from "../model/tls.ts";
import { Alarm } from "../transport/alarms.ts";
import { NameCounts } from "./name-counts.ts";

/** Endpoints that have not come, or been looked up, by then are taken for none (Envoy's initial fetch timeout). */
const WARMING_MS = 15_000;

export interface ClusterSetDeps extends UpstreamDeps, HealthCheckerDeps {
  /** Those that have come by the name of a service; undefined: none have. */
  readonly endpointsOf: (service: string) => readonly Endpoint[] | undefined;
  /** Called when the endpoints of a cluster are known. */
  readonly warmed: () => void;
}

/** The clusters of a proxy, and those who check their hosts. */
export class ClusterSet {
  readonly #deps: ClusterSetDeps;
  readonly #running = new Map<string, UpstreamCluster>();
  readonly #checkers = new Map<string, HealthChecker>();
  /** Set for those whose endpoints are waited for. */
  readonly #warming = new Map<UpstreamCluster, Alarm>();
  /** By the service that their endpoints come by. */
  readonly #byService = new Map<string, Set<UpstreamCluster>>();
  /** Made when it is asked for, after each change. */
  #services: ReadonlySet<string> | undefined;
  readonly #secrets = new NameCounts();
  /** Of them, those for calls inside the mesh. */
  readonly #meshSecrets = new NameCounts();

  constructor(deps: ClusterSetDeps) {
    this.#deps = deps;
  }

  get(name: string): UpstreamCluster | undefined {
    return this.#running.get(name);
  }

  /** By name. */
  list(): readonly (readonly [string, UpstreamCluster])[] {
    return [...this.#running].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** What `put` needs beside the model. Throws when the files that its TLS names cannot be read. */
  prepare(model: Cluster): ClusterTransports {
    return new ClusterTransports(model, this.#deps);
  }

  put(model: Cluster, transports: ClusterTransports): void {
    let cluster = this.#running.get(model.name);
    if (cluster === undefined) {
      cluster = new UpstreamCluster(model, transports, this.#deps);
      this.#running.set(model.name, cluster);
    } else {
      this.#unlist(cluster);
      cluster.update(model, transports);
    }
    this.#enlist(cluster);
    this.#checkHealth(cluster);
    const endpoints = model.source.kind === "eds" && this.#deps.endpointsOf(model.source.service);
    if (endpoints) cluster.assign(endpoints);
    this.#warmUp(cluster);
  }

  remove(name: string): void {
    const cluster = this.#running.get(name);
    if (cluster === undefined) return;
    this.#running.delete(name);
    this.#unlist(cluster);
    this.#warming.get(cluster)?.clear();
    this.#warming.delete(cluster);
    this.#checkers.get(name)?.stop();
    this.#checkers.delete(name);
    cluster.close();
  }

  assign(service: string, endpoints: readonly Endpoint[]): void {
    for (const cluster of this.#byService.get(service) ?? []) cluster.assign(endpoints);
  }

  /** Names of services whose endpoints are wanted. The same set as long as nothing changes. */
  services(): ReadonlySet<string> {
    this.#services ??= new Set(this.#byService.keys());
    return this.#services;
  }

  /** Names of secrets that are wanted, or those for calls inside the mesh alone. */
  secrets(kind?: "mesh"): ReadonlySet<string> {
    return (kind === "mesh" ? this.#meshSecrets : this.#secrets).names();
  }

  close(): void {
    for (const alarm of this.#warming.values()) alarm.clear();
    for (const checker of this.#checkers.values()) checker.stop();
    for (const cluster of this.#running.values()) cluster.close();
  }

  #checkHealth(cluster: UpstreamCluster): void {
    const { name, healthCheck } = cluster.model;
    this.#checkers.get(name)?.stop();
    this.#checkers.delete(name);
    if (healthCheck === undefined) cluster.believeAll();
    else this.#checkers.set(name, new HealthChecker(cluster, healthCheck, this.#deps));
  }

  #warmUp(cluster: UpstreamCluster): void {
    if (cluster.warm || this.#warming.has(cluster)) return;
    const alarm = new Alarm(() => {
      // Hosts that are being checked are not well as long as nobody knows.
      if (cluster.model.healthCheck) cluster.endWarming();
      else if (!cluster.warm) cluster.assign([]);
    });
    alarm.set(this.#deps.alarms, WARMING_MS);
    this.#warming.set(cluster, alarm);
    void this.#awaitEndpoints(cluster, alarm);
  }

  async #awaitEndpoints(cluster: UpstreamCluster, alarm: Alarm): Promise<void> {
    await cluster.whenWarm();
    alarm.clear();
    if (this.#warming.delete(cluster)) this.#deps.warmed();
  }

  #enlist(cluster: UpstreamCluster): void {
    const { model } = cluster;
    if (model.source.kind === "eds") {
      const sharers = this.#byService.get(model.source.service);
      if (sharers) sharers.add(cluster);
      else this.#byService.set(model.source.service, new Set([cluster]));
      this.#services = undefined;
    }
    for (const tls of tlsOf(model)) {
      for (const name of secretNames(tls)) {
        this.#secrets.add(name);
        if (tls.kind === "mesh") this.#meshSecrets.add(name);
      }
    }
  }

  #unlist(cluster: UpstreamCluster): void {
    const { model } = cluster;
    if (model.source.kind === "eds") {
      const sharers = this.#byService.get(model.source.service);
      sharers?.delete(cluster);
      if (sharers?.size === 0) this.#byService.delete(model.source.service);
      this.#services = undefined;
    }
    for (const tls of tlsOf(model)) {
      for (const name of secretNames(tls)) {
        this.#secrets.remove(name);
        if (tls.kind === "mesh") this.#meshSecrets.remove(name);
      }
    }
  }
}

function tlsOf({ transport, transportMatches }: Cluster): UpstreamTls[] {
  const all = [transport, ...transportMatches.map((match) => match.transport)];
  return all.flatMap((one) => (one.kind === "tls" ? [one.tls] : []));
}
