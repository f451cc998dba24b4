import type { Protocol } from "./service.ts";
import type { WorkloadEntrySpec } from "./workload-entry.ts";

/** `networking.istio.io` ServiceEntry: a service that no registry knows. */
export interface ServiceEntrySpec {
  readonly hosts: readonly string[];
  readonly addresses: readonly string[];
  readonly ports: readonly ServiceEntryPort[];
  readonly location: "MESH_EXTERNAL" | "MESH_INTERNAL";
  readonly resolution: "NONE" | "STATIC" | "DNS" | "DNS_ROUND_ROBIN" | "DYNAMIC_DNS";
  readonly endpoints: readonly WorkloadEntrySpec[];
  /** Selects WorkloadEntries of the same namespace; undefined when `endpoints` are given. */
  readonly workloadSelector: Readonly<Record<string, string>> | undefined;
  readonly exportTo: readonly string[];
  readonly subjectAltNames: readonly string[];
}

export interface ServiceEntryPort {
  readonly number: number;
  readonly protocol: Protocol;
  readonly name: string;
  readonly targetPort: number | undefined;
}
