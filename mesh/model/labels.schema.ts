import * as z from "zod";
import { isDnsSubdomain } from "./dns-names.ts";
import { quoted } from "./finding.ts";
import { isFields } from "./plain-data.ts";
import { withNotice } from "./schema-notice.ts";

export type StringMap = Readonly<Record<string, string>>;

const NAME = /^[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?$/;
const LARGEST_ANNOTATIONS = 256 * 1024;

/** Kubernetes' labels: keys are `name` or `prefix/name`, values have at most 63 characters. */
export const labels: z.ZodType<StringMap> = z
  .record(z.string(), z.string())
  .check(eachEntry((key, value) => labelKeyProblem(key) ?? labelValueProblem(value)))
  .default({});

export const annotations: z.ZodType<StringMap> = z
  .record(z.string(), z.string())
  .check(
    eachEntry(labelKeyProblem),
    z.superRefine<Record<string, string>>((map, context) => {
      const size = Object.entries(map).reduce((sum, [key, value]) => sum + key.length + value.length, 0);
      if (size > LARGEST_ANNOTATIONS)
        context.addIssue({ code: "custom", message: "are larger than 256 KiB" });
    }),
  )
  .default({});

const selectorLabels: z.ZodType<StringMap> = z
  .record(z.string(), z.string())
  .check(
    eachEntry((key, value) => {
      if (`${key}${value}`.includes("*")) return "must not have a wildcard: a selector compares whole labels";
      return labelKeyProblem(key) ?? labelValueProblem(value);
    }),
  )
  .default({});

/** `selector.matchLabels` of policies and of DestinationRules. */
export const matchLabels: z.ZodType<StringMap> = withNotice(
  z.object({ matchLabels: selectorLabels }).transform((selector) => selector.matchLabels),
  (selector) => emptyNotice(selector, "matchLabels"),
);

/** `workloadSelector.labels` of ServiceEntries, Sidecars and EnvoyFilters. */
export const workloadSelector: z.ZodType<StringMap> = withNotice(
  z.object({ labels: selectorLabels }).transform((selector) => selector.labels),
  (selector) => emptyNotice(selector, "labels"),
);

function emptyNotice(selector: unknown, field: string): string | undefined {
  if (!isFields(selector)) return undefined;
  const labels = selector[field] ?? {};
  const empty = isFields(labels) && Object.keys(labels).length === 0;
  return empty ? "has no labels, so it selects every workload of the namespace" : undefined;
}

/** Reports what `problem` says about an entry at the entry's own key; entries that are invalid already are left out. */
export function eachEntry<V>(
  problem: (key: string, value: V) => string | undefined,
): z.core.$ZodCheck<Record<string, V>> {
  return z.superRefine<Record<string, V>>(
    (map, context) => {
      const invalid = new Set(context.issues.map((issue) => issue.path?.[0]));
      for (const [key, value] of Object.entries(map)) {
        const message = invalid.has(key) ? undefined : problem(key, value);
        if (message !== undefined) context.addIssue({ code: "custom", path: [key], message });
      }
    },
    { when: ({ issues }) => issues.every((issue) => issue.path?.[0] !== undefined) },
  );
}

function labelKeyProblem(key: string): string | undefined {
  const [prefix = "", name, ...rest] = key.split("/");
  const valid = name === undefined ? NAME.test(prefix) : isDnsSubdomain(prefix) && NAME.test(name);
  if (valid && rest.length === 0) return undefined;
  return `${quoted(key)} is not a valid key: letters, digits, "-", "_" and ".", with an optional "prefix/"`;
}

function labelValueProblem(value: string): string | undefined {
  if (value === "" || NAME.test(value)) return undefined;
  return `${quoted(value)} is not a valid label value: at most 63 letters, digits, "-", "_" and "."`;
}
