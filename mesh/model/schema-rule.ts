import * as z from "zod";
import { didYouMean } from "../spelling/closest.ts";
import { type FieldPath, quoted } from "./finding.ts";

/** Tells one violation; the path is relative to the object that the rule belongs to. */
export type Report = (path: FieldPath, message: string) => void;

/**
 * A rule about several fields of one object. It runs as soon as the fields it reads are valid, whatever else is wrong,
 * so that all violations are told at once. It must read no other field.
 */
export function rule<T extends object, K extends keyof T & string>(
  fields: readonly K[],
  check: (value: Pick<T, K>, report: Report) => void,
): z.core.$ZodCheck<T> {
  const read: readonly PropertyKey[] = fields;
  return z.superRefine<T>(
    (value, context) =>
      check(value, (path, message) =>
        context.addIssue({ code: "custom", path: [...path], message, params: { ruleDepth: path.length } }),
      ),
    { when: ({ issues }) => !issues.some((issue) => concerns(issue, read)) },
  );
}

/** A rule about which fields are there, valid or not. An empty list counts as absent. */
export function presenceRule<T extends object>(
  check: (present: ReadonlySet<string>, report: Report) => void,
): z.core.$ZodCheck<T> {
  return rule<T, never>([], (value, report) => {
    const entries = Object.entries(value).filter(([, field]) => !Array.isArray(field) || field.length > 0);
    check(new Set(entries.map(([key]) => key)), report);
  });
}

/** True for an issue of one of the fields, and for one of the object itself, that no other rule of it has raised. */
function concerns(issue: z.core.$ZodRawIssue, fields: readonly PropertyKey[]): boolean {
  // An issue from inside a field has got a longer path on its way here than the one that it was raised with.
  if (issue.code === "custom" && issue.params?.["ruleDepth"] === issue.path?.length) return false;
  const field = issue.path?.[0];
  return field === undefined ? issue.continue !== true : fields.includes(field);
}

/** A check of one value: the function names what is wrong, or returns undefined. */
export function problemCheck<T>(problem: (value: T) => string | undefined): z.core.$ZodCheck<T> {
  return z.superRefine<T>((value, context) => {
    const message = problem(value);
    if (message !== undefined) context.addIssue({ code: "custom", message });
  });
}

/** Zod's issues in our words: what the field must be, what it is instead, and what to write. */
export function describeIssue(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.input === undefined && issue.code !== "custom") return "is required";
  if (issue.input === null && issue.code !== "custom") return "must not be null: leave the field out instead";
  switch (issue.code) {
    case "invalid_type":
      return describeType(String(issue["expected"]), issue.input);
    case "invalid_value": {
      const values = (issue["values"] as readonly unknown[]).map(String);
      return `must be one of ${values.join(", ")}, not ${quoted(issue.input)}${didYouMean(String(issue.input), values)}`;
    }
    case "too_small":
      return describeLimit("at least", issue["origin"], String(issue["minimum"]));
    case "too_big":
      return describeLimit("at most", issue["origin"], String(issue["maximum"]));
    default:
      return undefined;
  }
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a mapping",
  record: "a mapping",
};

function describeType(expected: string, input: unknown): string {
  const wanted = TYPE_NAMES[expected] ?? expected;
  if (expected === "int" && typeof input === "number") return `must be a whole number, not ${input}`;
  const given = Array.isArray(input) ? "a list" : (TYPE_NAMES[typeof input] ?? typeof input);
  const scalar = typeof input === "number" || typeof input === "boolean";
  const hint = expected === "string" && scalar ? `: write it in quotes, "${input}"` : "";
  return `must be ${wanted}, not ${given}${hint}`;
}

function describeLimit(bound: string, origin: unknown, limit: string): string {
  if (origin === "array") return `must have ${bound} ${limit} ${limit === "1" ? "entry" : "entries"}`;
  if (origin === "string")
    return limit === "1" ? "must not be empty" : `must have ${bound} ${limit} characters`;
  return `must be ${bound} ${limit}`;
}
