import * as z from "zod";
import type { DestinationRuleSpec, Subset } from "./destination-rule.ts";
import { OWN_NAMESPACE_ONLY } from "./export-to.ts";
import { labels, matchLabels } from "./labels.schema.ts";
import { exportTo, mixedCaseLabel, wildcardHost } from "./scalars.schema.ts";
import { writtenField, writtenList } from "./schema-notice.ts";
import { rule } from "./schema-rule.ts";
import { trafficPolicy } from "./traffic-policy.schema.ts";

const subset: z.ZodType<Subset> = z
  .object({ name: mixedCaseLabel, labels, trafficPolicy: trafficPolicy.optional() })
  .transform(({ name, labels, trafficPolicy }) => ({ name, labels, trafficPolicy }));

/** DestinationRule's spec, by Istio's rules. */
export const destinationRuleSpec: z.ZodType<DestinationRuleSpec> = z
  .object({
    host: wildcardHost,
    trafficPolicy: trafficPolicy.optional(),
    subsets: z.array(subset).default([]),
    exportTo,
    workloadSelector: matchLabels.optional(),
  })
  .check(
    // Of the names alone: what else is wrong with a subset does not hide that its name is taken.
    rule([], (spec, report) => {
      const seen = new Set<unknown>();
      for (const [index, subset] of writtenList(spec, "subsets").entries()) {
        const name = writtenField(subset, "name");
        if (typeof name !== "string") continue;
        if (seen.has(name)) report(["subsets", index, "name"], `names subset ${name} a second time`);
        seen.add(name);
      }
    }),
    rule(["exportTo", "workloadSelector"], ({ exportTo, workloadSelector }, report) => {
      if (workloadSelector !== undefined && (exportTo.length > 1 || exportTo.includes("*")))
        report(["exportTo"], OWN_NAMESPACE_ONLY);
    }),
  )
  .transform(({ host, trafficPolicy, subsets, exportTo, workloadSelector }) => ({
    host,
    trafficPolicy,
    subsets,
    // A selector, even an empty one, keeps a rule to its own namespace.
    exportTo: workloadSelector !== undefined && exportTo.length === 0 ? ["."] : exportTo,
    workloadSelector: workloadSelector ?? {},
  }));
