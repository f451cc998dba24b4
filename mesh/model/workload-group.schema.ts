import { z } from "zod";
import { annotations, labels } from "./labels.schema.ts";
import { readinessProbe } from "./readiness-probe.schema.ts";
import { workloadTemplate } from "./workload-entry.schema.ts";
import type { WorkloadGroupSpec } from "./workload-group.ts";

/** WorkloadGroup's spec, by Istio's rules. */
export const workloadGroupSpec: z.ZodType<WorkloadGroupSpec> = z
  .object({
    metadata: z.object({ labels, annotations }).default({ labels: {}, annotations: {} }),
    template: workloadTemplate,
    probe: readinessProbe.optional(),
  })
  .transform(({ metadata, template, probe }) => ({ ...metadata, template, probe }));
