import { QUERY_TIMING, type QueryTiming } from "../../../mesh/blocking/blocking-query.ts";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import type { CheckTiming } from "../../../mesh/nomad/allocation-checks.ts";
import type { NomadClient } from "../../../mesh/nomad/nomad-client.ts";
import type { Logger } from "../../../mesh/telemetry/logger.ts";
import { REMOVAL_TIMING, type RemovalTiming } from "../catalog-mirror.ts";
import type { Registry, RegistryEvent, RegistryStatus } from "../registry.ts";
import { NomadWatch, type StreamTiming } from "./nomad-watch.ts";

export type NomadTiming = QueryTiming & RemovalTiming & CheckTiming & StreamTiming;

const NOMAD_TIMING: NomadTiming = {
  ...QUERY_TIMING,
  ...REMOVAL_TIMING,
  checksMs: 3_000,
  silenceMs: 75_000,
  proofMs: 2_000,
  listMs: 5_000,
};

export interface NomadRegistryOptions {
  readonly client: NomadClient;
  /** `*`: all that the token may read. */
  readonly namespace: string;
  readonly clock: Clock;
  /** In [0, 1): spreads retries. */
  readonly random: () => number;
  readonly logger: Logger;
  readonly timing?: Partial<NomadTiming>;
}

/**
 * The native services of a Nomad region, meshed or not; services that jobs register in Consul are Consul's to tell. Whatever
 * Nomad does, what is known stays until Nomad credibly says otherwise; `status` says what is the matter. For one watch at a
 * time.
 */
export class NomadRegistry implements Registry {
  readonly name = "nomad";
  readonly #options: NomadRegistryOptions;
  #watch: NomadWatch | undefined;

  constructor(options: NomadRegistryOptions) {
    this.#options = options;
  }

  get status(): RegistryStatus {
    return this.#watch?.status ?? { state: "starting" };
  }

  async *watch(signal: AbortSignal): AsyncGenerator<RegistryEvent, void> {
    const { timing, ...deps } = this.#options;
    const watch = new NomadWatch({ ...deps, timing: { ...NOMAD_TIMING, ...timing } });
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
