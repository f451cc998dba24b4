import * as z from "zod";
import { isDnsLabel, isIpRange, isMixedCaseLabel, isWildcardHost } from "./dns-names.ts";
import { parseDuration } from "./duration.ts";
import { quoted } from "./finding.ts";
import { problemCheck } from "./schema-rule.ts";

const LARGEST_INT32 = 2 ** 31 - 1;
const LARGEST_UINT32 = 2 ** 32 - 1;

export const text: z.ZodType<string> = z.string();
export const optionalText: z.ZodType<string> = z.string().default("");
export const flag: z.ZodType<boolean> = z.boolean().default(false);
/** A non-negative number of things. */
export const count: z.ZodType<number> = z.int().min(0).max(LARGEST_INT32);
export const uint32: z.ZodType<number> = z.int().min(0).max(LARGEST_UINT32);
/** A limit that is not there when it is 0: the wire format of Istio cannot tell the two apart. */
export const limit: z.ZodType<number | undefined> = count
  .transform((written) => (written === 0 ? undefined : written))
  .optional();
export const portNumber: z.ZodType<number> = z.int().min(1).max(65535);
/** A port that a match may name; 0 names none, as in Istio. */
export const anyPort: z.ZodType<number | undefined> = z
  .int()
  .min(0)
  .max(65535)
  .transform((written) => (written === 0 ? undefined : written))
  .optional();
export const percentage: z.ZodType<number> = z.number().min(0).max(100);
export const wholePercent: z.ZodType<number> = z.int().min(0).max(100);

/** Istio's `{number: 9080}`. */
export const portSelector: z.ZodType<number> = z
  .object({ number: portNumber })
  .transform(({ number }) => number);

/** A duration in milliseconds, at least `atLeastMs`; `0s` turns the thing off where the least is 0. */
export function duration(atLeastMs: 0 | 1): z.ZodType<number> {
  return z
    .string({ error: ({ input }) => durationTypeProblem(input) })
    .transform((written, context): number => {
      const parsed = parseDuration(written);
      const problem =
        "problem" in parsed ? parsed.problem : parsed.ms < atLeastMs ? "must be at least 1ms" : undefined;
      if (problem !== undefined) context.issues.push({ code: "custom", message: problem, input: written });
      return "ms" in parsed ? parsed.ms : 0;
    });
}

function durationTypeProblem(input: unknown): string | undefined {
  return typeof input === "number" ? `must be a duration with a unit, like ${input}s` : undefined;
}

/** A string for which `valid` holds; `what` ends the message "… is not". */
export function textThat(valid: (written: string) => boolean, what: string): z.ZodType<string> {
  return z
    .string()
    .check(
      problemCheck((written) =>
        written === ""
          ? "must not be empty"
          : valid(written)
            ? undefined
            : `${quoted(written)} is not ${what}`,
      ),
    );
}

/** The same, or empty (the default) when there is none. */
export function textOrNone(valid: (written: string) => boolean, what: string): z.ZodType<string> {
  return z
    .string()
    .check(
      problemCheck((written) =>
        written === "" || valid(written) ? undefined : `${quoted(written)} is not ${what}`,
      ),
    )
    .default("");
}

const LABEL_RULE = "a DNS label: small letters, digits and dashes, at most 63 characters";
const MIXED_CASE_RULE = "a DNS label: letters, digits and dashes, at most 63 characters";

export const dnsLabel: z.ZodType<string> = textThat(isDnsLabel, LABEL_RULE);
/** What a subset and a port are called. */
export const mixedCaseLabel: z.ZodType<string> = textThat(isMixedCaseLabel, MIXED_CASE_RULE);
/** A name of a namespace, or empty when there is none. */
export const optionalDnsLabel: z.ZodType<string> = textOrNone(isDnsLabel, LABEL_RULE);
/** A name of a subset, or empty when there is none. */
export const optionalMixedCaseLabel: z.ZodType<string> = textOrNone(isMixedCaseLabel, MIXED_CASE_RULE);
export const wildcardHost: z.ZodType<string> = textThat(
  isWildcardHost,
  "a host name: labels joined by dots, `*` only at the start",
);
export const ipRange: z.ZodType<string> = textThat(isIpRange, "an IP address or a CIDR range");

export const wildcardHostButNotAll: z.ZodType<string> = wildcardHost.check(
  problemCheck((host) => (host === "*" ? "must not be `*` alone" : undefined)),
);

/** Where an object is seen: `*` everywhere, `.` in its own namespace, or namespaces. Empty: the mesh's default. */
export const exportTo: z.ZodType<readonly string[]> = visibility(["*", "."]);
/** The same for a service, which may also be seen nowhere (`~`). */
export const serviceExportTo: z.ZodType<readonly string[]> = visibility(["*", ".", "~"]);

function visibility(signs: readonly string[]): z.ZodType<readonly string[]> {
  const rule = `${signs.map((sign) => `\`${sign}\``).join(", ")} or the name of a namespace`;
  return z
    .array(textThat((name) => signs.includes(name) || isDnsLabel(name), rule))
    .check(problemCheck(exportToProblem))
    .default([]);
}

function exportToProblem(names: readonly string[]): string | undefined {
  if (new Set(names).size < names.length) return "names a namespace twice";
  const alone = names.find((name) => name === "*" || name === "~");
  return alone !== undefined && names.length > 1 ? `\`${alone}\` must stand alone` : undefined;
}
