import type { ReadinessProbe } from "./readiness-probe.ts";
import type { WorkloadEntrySpec } from "./workload-entry.ts";

/** `networking.istio.io` WorkloadGroup: what the instances of one workload have in common. */
export interface WorkloadGroupSpec {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Its address may be empty. */
  readonly template: WorkloadEntrySpec;
  readonly probe: ReadinessProbe | undefined;
}
