import * as z from "zod";
import { parseCel } from "../cel/parse-cel.ts";
import { matchLabels } from "./labels.schema.ts";
import { text, textThat } from "./scalars.schema.ts";
import { notYet, refused, withNotice } from "./schema-notice.ts";
import { problemCheck, rule } from "./schema-rule.ts";
import type { CustomTag, TelemetrySpec, WorkloadMode } from "./telemetry.ts";

const ELSEWHERE = "would change the telemetry of workloads that it is not for";

const mode = z
  .object({ mode: z.enum(["CLIENT_AND_SERVER", "CLIENT", "SERVER"]).default("CLIENT_AND_SERVER") })
  .transform(({ mode: which }): WorkloadMode => which);

const providers = z
  .array(z.object({ name: textThat((name) => name !== "", "the name of an extensionProvider") }))
  .default([])
  .transform((all) => all.map(({ name }) => name));

const filter = z
  .object({
    expression: withNotice(text.default(""), (written) => {
      const parsed = typeof written === "string" && written !== "" ? parseCel(written) : undefined;
      return parsed !== undefined && "problem" in parsed
        ? `is an expression that only Envoy may know: ${parsed.problem}; the built-in proxy refuses its listeners`
        : undefined;
    }),
  })
  .transform(({ expression }) => (expression === "" ? undefined : expression));

const accessLogging = z
  .object({
    match: mode.default("CLIENT_AND_SERVER"),
    providers,
    disabled: z.boolean().optional(),
    filter: filter.optional(),
  })
  .transform(({ match, ...rest }) => ({ mode: match, disabled: undefined, filter: undefined, ...rest }));

const customTag = z
  .object({
    literal: z.object({ value: textThat((value) => value !== "", "a text") }).optional(),
    environment: z
      .object({ name: textThat((name) => name !== "", "a variable's name"), defaultValue: text.default("") })
      .optional(),
    header: z
      .object({ name: textThat((name) => name !== "", "a header's name"), defaultValue: text.default("") })
      .optional(),
    formatter: notYet(),
  })
  .check(
    rule(["literal", "environment", "header"], ({ literal, environment, header }, report) => {
      const said = [literal, environment, header].filter((one) => one !== undefined);
      if (said.length > 1) report([], "must be one of literal, environment and header");
    }),
  );

const customTags = z
  .record(
    textThat((name) => name !== "", "a tag's name"),
    customTag,
  )
  .transform((tags) =>
    Object.entries(tags).flatMap(([name, { literal, environment, header }]): CustomTag[] => {
      if (literal !== undefined) return [{ name, kind: "literal", value: literal.value }];
      if (environment !== undefined)
        return [{ name, kind: "environment", of: environment.name, fallback: environment.defaultValue }];
      if (header === undefined) return [];
      return [{ name, kind: "header", of: header.name, fallback: header.defaultValue }];
    }),
  );

const tracing = z
  .object({
    match: mode.default("CLIENT_AND_SERVER"),
    providers: providers.check(
      problemCheck((names) => (names.length > 1 ? "must be one: a request has one trace" : undefined)),
    ),
    randomSamplingPercentage: z
      .number()
      .check(problemCheck((share) => (share < 0 || share > 100 ? "must be from 0 to 100" : undefined)))
      .optional(),
    disableSpanReporting: z.boolean().optional(),
    customTags: customTags.optional(),
    useRequestIdForTraceSampling: notYet(),
    enableIstioTags: notYet(),
  })
  .transform(
    ({ match, providers: named, randomSamplingPercentage, disableSpanReporting, customTags: tags }) => ({
      mode: match,
      providers: named,
      randomSamplingPercentage,
      disableSpanReporting,
      customTags: tags,
    }),
  );

/** Telemetry's spec, by Istio's rules. */
export const telemetrySpec: z.ZodType<TelemetrySpec> = z
  .object({
    selector: matchLabels.default({}),
    targetRef: refused(ELSEWHERE),
    targetRefs: refused(ELSEWHERE),
    accessLogging: z.array(accessLogging).default([]),
    tracing: z.array(tracing).default([]),
    metrics: notYet(),
  })
  .transform(({ selector, accessLogging: logs, tracing: traces }) => ({
    selector,
    accessLogging: logs,
    tracing: traces,
  }));
