import * as z from "zod";
import { annotations, labels } from "./labels.schema.ts";
import { isFields } from "./plain-data.ts";
import { readinessProbe } from "./readiness-probe.schema.ts";
import { withNotice } from "./schema-notice.ts";
import { workloadTemplate } from "./workload-entry.schema.ts";
import type { WorkloadGroupSpec } from "./workload-group.ts";

/** WorkloadGroup's spec, by Istio's rules. */
export const workloadGroupSpec: z.ZodType<WorkloadGroupSpec> = z
  .object({
    metadata: z
      .object({ labels, annotations: withNotice(annotations, annotationsNotice) })
      .default({ labels: {}, annotations: {} }),
    template: workloadTemplate,
    probe: readinessProbe.optional(),
  })
  .transform(({ metadata, template, probe }) => ({ ...metadata, template, probe }));

function annotationsNotice(written: unknown): string | undefined {
  return isFields(written) && Object.keys(written).length > 0
    ? "are kept with the workload, and nothing reads them"
    : undefined;
}
