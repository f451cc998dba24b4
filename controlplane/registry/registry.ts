import type { Protocol } from "../../mesh/model/service.ts";

/** One instance as a catalog has it. */
export interface CatalogInstance {
  /** The catalog's own id of it, unique in the registry. */
  readonly id: string;
  readonly service: string;
  readonly namespace: string;
  /** The host it runs on, by the catalog's name of it. */
  readonly node: string;
  readonly address: string;
  readonly port: number;
  /** The port that callers name, where the instance says so. */
  readonly servicePort: number | undefined;
  readonly protocol: Protocol | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly healthy: boolean;
  readonly weight: number;
  readonly locality: string;
}

export type RegistryEvent =
  /** All instances of one service; none means that the service is gone. */
  | {
      readonly kind: "service";
      readonly namespace: string;
      readonly service: string;
      readonly instances: readonly CatalogInstance[];
    }
  /** Everything that existed at the start has been told. Once per watch. */
  | { readonly kind: "synced" };

export type RegistryStatus =
  | { readonly state: "starting" }
  | { readonly state: "current"; readonly since: number }
  /** The last known content stays in force. */
  | { readonly state: "stale"; readonly since: number; readonly reason: string };

/** A source of services: Consul, the server's own embedded catalog, later Nomad and Kubernetes. */
export interface Registry {
  /** `consul`, or `consul/dc2` of several that agents call `consul`. */
  readonly name: string;
  readonly status: RegistryStatus;
  /** What of its content cannot be used as it is. Left out: nothing ever. */
  readonly problems?: readonly string[];
  /**
   * Yields each service as it is, then `synced`, then each service again whenever it changes, until the signal is
   * aborted (then it returns). Never throws for an outage: it retries, and `status` tells. What a failing, suddenly
   * empty or rewound source no longer mentions is not yielded as gone.
   */
  watch(signal: AbortSignal): AsyncIterable<RegistryEvent>;
}
