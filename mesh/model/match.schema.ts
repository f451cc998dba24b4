import { z } from "zod";
import { eachEntry } from "./labels.schema.ts";
import type { HeaderEdits, HeaderOperations, StringMatch } from "./match.ts";
import { regexProblem } from "./regex.ts";
import { text } from "./scalars.schema.ts";
import { rule } from "./schema-rule.ts";

const TOKEN = /^[!#$%&'*+.^`|~\w-]{1,256}$/;
// oxlint-disable-next-line no-control-regex -- control characters are what a header value must not have
const CONTROL = /[\0-\x08\x0a-\x1f\x7f]/;

/** StringMatch of a value that every request has: one of exact, prefix and regex must be there. */
export const valueMatch: z.ZodType<StringMatch> = stringMatch(false);

/** StringMatches by header name, in lower case. An empty match, or the regex `*`, asks for presence. */
export const headerMatches: z.ZodType<Readonly<Record<string, StringMatch>>> = z
  .record(z.string(), stringMatch(true))
  .check(eachEntry((name) => headerNameProblem(name)))
  .transform((matches) => withLowerCaseKeys(matches))
  .default({});

export const queryMatches: z.ZodType<Readonly<Record<string, StringMatch>>> = z
  .record(z.string(), stringMatch(true))
  .check(eachEntry((name) => (name === "" ? "must have a name" : undefined)))
  .default({});

const NO_EDITS: HeaderEdits = { set: {}, add: {}, remove: [] };

/** What a route does to the headers; `host` and `:authority` may be set on a request and nowhere else. */
export const headerOperations: z.ZodType<HeaderOperations> = z
  .object({ request: headerEdits(true), response: headerEdits(false) })
  .default({ request: NO_EDITS, response: NO_EDITS });

function stringMatch(presence: boolean): z.ZodType<StringMatch> {
  return z
    .object({ exact: text.optional(), prefix: text.optional(), regex: text.optional() })
    .check(
      rule(["exact", "prefix", "regex"], ({ exact, prefix, regex }, report) => {
        const given = [exact, prefix, regex].filter((each) => each !== undefined).length;
        if (given > 1) report([], "must have only one of exact, prefix and regex");
        if (given === 0 && !presence) report([], "must have one of exact, prefix and regex");
        if (prefix === "") report(["prefix"], "must not be empty");
        if (exact === "" && !presence) report(["exact"], "must not be empty");
        const problem = regex === undefined || (presence && regex === "*") ? undefined : regexProblem(regex);
        if (problem !== undefined) report(["regex"], problem);
      }),
    )
    .transform(({ exact, prefix, regex }): StringMatch => {
      if (exact !== undefined) return { kind: "exact", value: exact };
      if (prefix !== undefined) return { kind: "prefix", value: prefix };
      return regex === undefined || regex === "*" ? { kind: "present" } : { kind: "regex", value: regex };
    });
}

function headerEdits(authority: boolean): z.ZodType<HeaderEdits> {
  const values = z
    .record(z.string(), z.string())
    .check(eachEntry<string>((name, value) => editProblem(name, authority) ?? headerValueProblem(value)))
    .default({});
  const names = z
    .array(z.string())
    .check(
      z.superRefine<string[]>((list, context) => {
        for (const [index, name] of list.entries()) {
          const message = editProblem(name, false);
          if (message !== undefined) context.addIssue({ code: "custom", path: [index], message });
        }
      }),
    )
    .default([]);
  const edits: z.ZodType<HeaderEdits> = z.object({ set: values, add: values, remove: names });
  return edits.default(NO_EDITS);
}

function editProblem(name: string, authority: boolean): string | undefined {
  const lower = name.toLowerCase();
  if (lower === "host" || lower === ":authority") {
    return authority ? undefined : `${lower} can only be set, and only on a request`;
  }
  return headerNameProblem(name);
}

function headerNameProblem(name: string): string | undefined {
  if (name === "") return "must have a name";
  if (name.startsWith(":")) return "must not begin with `:`";
  return TOKEN.test(name) ? undefined : `${JSON.stringify(name.slice(0, 80))} is not a header name`;
}

function headerValueProblem(value: string): string | undefined {
  return CONTROL.test(value) ? "must not have control characters" : undefined;
}

function withLowerCaseKeys<T>(map: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key.toLowerCase(), value]));
}
