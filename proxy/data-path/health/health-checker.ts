import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import type { HealthCheck } from "../../model/health-check.ts";
import { type Health, nextCheckMs, noteCheck, UNKNOWN_HEALTH } from "../../tables/health.ts";
import type { Random } from "../../tables/weighted.ts";
import type { UpstreamCluster } from "../upstream/upstream-cluster.ts";
import type { UpstreamHost } from "../upstream/upstream-host.ts";
import { probeHost } from "./probe-host.ts";

export interface HealthCheckerDeps {
  readonly clock: Clock;
  readonly random: Random;
}

/** Checks the hosts of a cluster for as long as they are there, one check of each at a time. */
export class HealthChecker {
  readonly #cluster: UpstreamCluster;
  readonly #rules: HealthCheck;
  readonly #deps: HealthCheckerDeps;
  readonly #running = new Map<UpstreamHost, AbortController>();
  /** Of which nobody knows yet whether they are well: the cluster warms meanwhile. */
  readonly #unknown = new Set<UpstreamHost>();

  constructor(cluster: UpstreamCluster, rules: HealthCheck, deps: HealthCheckerDeps) {
    this.#cluster = cluster;
    this.#rules = rules;
    this.#deps = deps;
    cluster.onHosts = () => this.#follow();
    this.#follow();
  }

  stop(): void {
    this.#cluster.onHosts = undefined;
    for (const running of this.#running.values()) running.abort();
    this.#running.clear();
  }

  #follow(): void {
    const hosts = new Set(this.#cluster.hosts);
    for (const [host, running] of this.#running) {
      if (hosts.has(host)) continue;
      running.abort();
      this.#running.delete(host);
      this.#know(host);
    }
    for (const host of hosts) {
      if (this.#running.has(host)) continue;
      const running = new AbortController();
      this.#running.set(host, running);
      this.#unknown.add(host);
      void this.#watch(host, running.signal);
    }
  }

  #know(host: UpstreamHost): void {
    this.#unknown.delete(host);
    if (this.#unknown.size === 0) this.#cluster.endWarming();
  }

  async #watch(host: UpstreamHost, gone: AbortSignal): Promise<void> {
    const { clock, random } = this.#deps;
    const rules = this.#rules;
    const cluster = this.#cluster;
    const pool = cluster.checkPool(host);
    let health: Health = UNKNOWN_HEALTH;
    await clock.sleep(random() * rules.initialJitterMs, gone);
    while (!gone.aborted) {
      const { timeoutMs, probe } = rules;
      const outcome = await probeHost(probe, { cluster, host, pool, timeoutMs, gone });
      if (gone.aborted) break;
      const before = health;
      health = noteCheck(before, outcome, rules);
      if (health.isWell !== before.isWell || !before.known) cluster.setHealth(host, health.isWell);
      this.#know(host);
      await clock.sleep(nextCheckMs(rules, health, cluster.counts.total > 0, random()), gone);
    }
    pool.retire();
  }
}
