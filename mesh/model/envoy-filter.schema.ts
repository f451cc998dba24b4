import * as z from "zod";
import type { ConfigPatch, EnvoyFilterSpec } from "./envoy-filter.ts";
import { clusterMatch, listenerMatch, routeConfigurationMatch } from "./envoy-filter-match.schema.ts";
import { checkMatchKind, reviewPatch, typeProblems } from "./envoy-filter-rules.ts";
import { workloadSelector } from "./labels.schema.ts";
import { regexProblem } from "./regex.ts";
import { refused, withNotice, withReview } from "./schema-notice.ts";
import { problemCheck, rule } from "./schema-rule.ts";

const APPLY_TO = [
  "LISTENER",
  "FILTER_CHAIN",
  "NETWORK_FILTER",
  "HTTP_FILTER",
  "ROUTE_CONFIGURATION",
  "VIRTUAL_HOST",
  "HTTP_ROUTE",
  "CLUSTER",
  "EXTENSION_CONFIG",
  "BOOTSTRAP",
  "LISTENER_FILTER",
] as const;

const OPERATIONS = [
  "MERGE",
  "ADD",
  "REMOVE",
  "INSERT_BEFORE",
  "INSERT_AFTER",
  "INSERT_FIRST",
  "REPLACE",
  "MERGE_AND_REPLACE_LIST",
] as const;

const CONTEXTS = ["ANY", "SIDECAR_INBOUND", "SIDECAR_OUTBOUND", "GATEWAY", "WAYPOINT"] as const;

/** Istio does not match a longer one either. */
const LONGEST_VERSION = 1024;

const proxyVersion = withNotice(
  z
    .string()
    .check(
      problemCheck((pattern) =>
        pattern === "" || pattern.length > LONGEST_VERSION ? undefined : regexProblem(pattern),
      ),
    )
    .transform((pattern) => (pattern.length > LONGEST_VERSION ? "" : pattern))
    .default(""),
  (pattern) =>
    typeof pattern === "string" && pattern.length > LONGEST_VERSION
      ? `is longer than ${LONGEST_VERSION} characters and is ignored`
      : undefined,
);

const match = z.object({
  context: z
    .enum(CONTEXTS)
    .check(
      problemCheck((context) =>
        context === "WAYPOINT"
          ? "WAYPOINT is of Istio's ambient mode, which Lateen does not have"
          : undefined,
      ),
    )
    .transform((context) => (context === "WAYPOINT" ? "ANY" : context))
    .default("ANY"),
  proxy: z
    .object({ proxyVersion, metadata: z.record(z.string(), z.string()).default({}) })
    .transform(({ proxyVersion, metadata }) => ({ version: proxyVersion, metadata }))
    .default({ version: "", metadata: {} }),
  listener: listenerMatch.optional(),
  routeConfiguration: routeConfigurationMatch.optional(),
  cluster: clusterMatch.optional(),
  waypoint: z.never({ error: "is of Istio's ambient mode, which Lateen does not have" }).optional(),
});

const value = z.record(z.string(), z.unknown()).check(
  z.superRefine<Record<string, unknown>>((value, context) => {
    for (const { path, problem } of typeProblems(value))
      context.addIssue({ code: "custom", path: [...path], message: problem });
  }),
);

const patch = z
  .object({
    operation: z.enum(OPERATIONS),
    value: value.optional(),
    filterClass: z.enum(["UNSPECIFIED", "AUTHN", "AUTHZ", "STATS"]).default("UNSPECIFIED"),
  })
  .check(
    rule(["operation", "value"], ({ operation, value }, report) => {
      if (operation !== "REMOVE" && value === undefined)
        report(["value"], `is required with operation ${operation}`);
    }),
  );

const configPatch: z.ZodType<ConfigPatch> = withReview(
  z
    .object({ applyTo: z.enum(APPLY_TO), match: match.prefault({}), patch })
    .check(rule(["applyTo", "match"], ({ applyTo, match }, report) => checkMatchKind(applyTo, match, report)))
    .transform(({ applyTo, match, patch }) => ({
      applyTo,
      match: {
        context: match.context,
        proxy: match.proxy,
        listener: match.listener,
        route: match.routeConfiguration,
        cluster: match.cluster,
      },
      operation: patch.operation,
      value: patch.operation === "REMOVE" ? undefined : patch.value,
      filterClass: patch.filterClass === "UNSPECIFIED" ? undefined : patch.filterClass,
    })),
  reviewPatch,
);

/** EnvoyFilter's spec, by Istio's rules. */
export const envoyFilterSpec: z.ZodType<EnvoyFilterSpec> = z
  .object({
    workloadSelector: workloadSelector.default({}),
    targetRefs: refused("would apply the filter to workloads that it is not for"),
    configPatches: z.array(configPatch).default([]),
    priority: z
      .int()
      .min(-(2 ** 31))
      .max(2 ** 31 - 1)
      .default(0),
  })
  .transform(({ workloadSelector, configPatches, priority }) => ({
    workloadSelector,
    configPatches,
    priority,
  }));
