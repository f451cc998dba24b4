import { QUERY_TIMING, type QueryTiming } from "../../../mesh/blocking/blocking-query.ts";
import { CATALOG_READING } from "../../../mesh/consul/catalog-reading.ts";
import type { ConsulClient } from "../../../mesh/consul/consul-client.ts";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../../mesh/telemetry/logger.ts";
import { REMOVAL_TIMING, type RemovalTiming } from "../catalog-mirror.ts";
import type { Registry, RegistryEvent, RegistryStatus } from "../registry.ts";
import { CatalogWatch } from "./catalog-watch.ts";
import type { ScopeReading } from "./parse-answers.ts";

export interface ConsulRegistryOptions {
  readonly client: ConsulClient;
  readonly clock: Clock;
  /** In [0, 1): spreads retries. */
  readonly random: () => number;
  readonly logger: Logger;
  readonly timing?: Partial<QueryTiming & RemovalTiming>;
  /** Default `consul`: agents call it so too, up to a slash. */
  readonly name?: string;
  readonly reading?: ScopeReading;
}

const SCOPE_READING: ScopeReading = { ...CATALOG_READING, locality: "" };

/**
 * All services of a Consul datacenter (and namespace, where the client names one), meshed or not. Whatever Consul does, what is known stays until Consul credibly
 * says otherwise; `status` says what is the matter. For one watch at a time.
 */
export class ConsulRegistry implements Registry {
  readonly name: string;
  readonly #options: ConsulRegistryOptions;
  #watch: CatalogWatch | undefined;

  constructor(options: ConsulRegistryOptions) {
    this.name = options.name ?? "consul";
    this.#options = options;
  }

  get status(): RegistryStatus {
    return this.#watch?.status ?? { state: "starting" };
  }

  get problems(): readonly string[] {
    return this.#watch?.problems ?? [];
  }

  /** Lets go of instances that are held because too many vanished at once: an operator's word that they are gone. */
  release(): void {
    this.#watch?.release();
  }

  async *watch(signal: AbortSignal): AsyncGenerator<RegistryEvent, void> {
    const { timing, reading = SCOPE_READING, ...deps } = this.#options;
    const times = { ...QUERY_TIMING, ...REMOVAL_TIMING, ...timing };
    const watch = new CatalogWatch({ ...deps, timing: times, reading });
    this.#watch = watch;
    const stop = new AbortController();
    const linked = AbortSignal.any([signal, stop.signal]);
    // A failure here is a defect of ours: it ends the reading too, and is thrown once everything has stopped.
    const running = watch.run(linked).finally(() => stop.abort());
    running.catch(() => undefined);
    try {
      yield* watch.events.read(linked);
    } finally {
      stop.abort();
      await running;
    }
  }
}
