import * as z from "zod";
import { eachEntry } from "./labels.schema.ts";
import type { HeaderEdits, HeaderOperations, StringMatch } from "./match.ts";
import { regexProblem } from "./regex.ts";
import { text } from "./scalars.schema.ts";
import { withNotice } from "./schema-notice.ts";
import { rule } from "./schema-rule.ts";

/** Envoy's own bound (envoy.config.core.v3.HeaderValue). */
const LONGEST_VALUE = 16_384;
const TOKEN = /^[!#$%&'*+.^`|~\w-]{1,256}$/;
// oxlint-disable-next-line no-control-regex -- control characters are what a header value must not have
const CONTROL = /[\0-\x08\x0a-\x1f\x7f]/;
/** What may begin with a `%` in Envoy's format of a header value: `%%`, `%NAME%`, `%NAME(a)%`, `%NAME(["a", "b"])%`. */
const VARIABLE =
  /%%|%[^%(]*(?:\( *(?:\[ *"(?:[^"\\]|\\.)*"(?: *, *"(?:[^"\\]|\\.)*")* *\] *|[^ [)"](?:[^)"\\]|\\.)*)\) *)?%/sy;

type MatchesByName = Readonly<Record<string, StringMatch>>;

const JWT_CLAIM = /^@request\.auth\.claims(?:\..+|\[.+\])$/i;
const PSEUDO_HEADERS: readonly string[] = [":method", ":scheme", ":authority", ":path", ":status"];

/** StringMatch of a value that every request has; without exact, prefix and regex it says nothing. */
export const valueMatch: z.ZodType<StringMatch | undefined> = anythingOr(stringMatch({ presence: true }));

/** The same for a path, of which every other begins with an empty prefix. */
export const pathMatch: z.ZodType<StringMatch | undefined> = anythingOr(
  stringMatch({ presence: true, emptyPrefix: true }),
);

/** StringMatch of an origin (CORS). */
export const originMatch: z.ZodType<StringMatch> = stringMatch({});

/** StringMatches by header name, in lower case. An empty match asks for presence. */
export const headerMatches: z.ZodType<MatchesByName> = headersBy(stringMatch({ presence: true }));

/** The same for headers that must not match, where the regex `*` asks for presence too. */
export const withoutHeaderMatches: z.ZodType<MatchesByName> = headersBy(
  stringMatch({ presence: true, star: true }),
);

export const queryMatches: z.ZodType<MatchesByName> = z
  .record(z.string(), stringMatch({ presence: true }))
  .check(eachEntry((name) => (name === "" ? "must have a name" : undefined)))
  .default({});

/** Whether a header match asks for a claim of the caller's token, which only a gateway has looked at. */
export function isJwtClaim(name: string): boolean {
  return JWT_CLAIM.test(name);
}

const NO_EDITS: HeaderEdits = { set: {}, add: {}, remove: [] };

/** What a route does to the headers; `host` and `:authority` may be set on a request and nowhere else. */
export const headerOperations: z.ZodType<HeaderOperations> = z
  .object({ request: headerEdits(true), response: headerEdits(false) })
  .default({ request: NO_EDITS, response: NO_EDITS });

/** Whether a header is the request's authority, which HTTP/1.1 calls Host. */
export function isAuthority(name: string): boolean {
  return ["host", ":authority"].includes(name.toLowerCase());
}

interface MatchRules {
  /** None of the three is a match as well, that of presence. */
  readonly presence?: boolean;
  readonly emptyPrefix?: boolean;
  readonly star?: boolean;
}

function stringMatch({
  presence = false,
  emptyPrefix = false,
  star = false,
}: MatchRules): z.ZodType<StringMatch> {
  return z
    .object({ exact: text.optional(), prefix: text.optional(), regex: text.optional() })
    .check(
      rule(["exact", "prefix", "regex"], ({ exact, prefix, regex }, report) => {
        const given = [exact, prefix, regex].filter((each) => each !== undefined).length;
        if (given > 1) report([], "must have only one of exact, prefix and regex");
        if (given === 0 && !presence) report([], "must have one of exact, prefix and regex");
        if (prefix === "" && !emptyPrefix) report(["prefix"], "must not be empty");
        if (exact === "" && !presence) report(["exact"], "must not be empty");
        const problem = regex === undefined || (star && regex === "*") ? undefined : regexProblem(regex);
        if (problem !== undefined) report(["regex"], problem);
      }),
    )
    .transform(({ exact, prefix, regex }): StringMatch => {
      if (exact !== undefined) return { kind: "exact", value: exact };
      if (prefix !== undefined) return { kind: "prefix", value: prefix };
      return regex === undefined || regex === "*" ? { kind: "present" } : { kind: "regex", value: regex };
    });
}

/** A match that may say nothing, which is told to its author. */
function anythingOr(match: z.ZodType<StringMatch>): z.ZodType<StringMatch | undefined> {
  const said = match.transform((written) => (written.kind === "present" ? undefined : written));
  return withNotice(said, (value) =>
    typeof value === "object" && value !== null && Object.keys(value).length === 0
      ? "has no exact, prefix or regex, so it matches everything"
      : undefined,
  );
}

function headersBy(match: z.ZodType<StringMatch>): z.ZodType<MatchesByName> {
  return z
    .record(z.string(), match)
    .check(eachEntry((name) => matchedNameProblem(name)))
    .transform((written) => withLowerCaseKeys(written))
    .default({});
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
  if (isAuthority(name)) {
    return authority ? undefined : `${name.toLowerCase()} can only be set, and only on a request`;
  }
  return headerNameProblem(name);
}

function headerNameProblem(name: string): string | undefined {
  if (name === "") return "must have a name";
  if (name.startsWith(":")) return "must not begin with `:`";
  return TOKEN.test(name) ? undefined : `${JSON.stringify(name.slice(0, 80))} is not a header name`;
}

function headerValueProblem(value: string): string | undefined {
  if (Buffer.byteLength(value) > LONGEST_VALUE) return `is longer than ${LONGEST_VALUE} bytes`;
  if (CONTROL.test(value)) return "must not have control characters";
  return isFormat(value)
    ? undefined
    : "has a `%` that begins no `%VARIABLE%`: write `%%` for the sign itself";
}

/** Goes from one `%` to the next, so that the time is that of the value's length. */
function isFormat(value: string): boolean {
  let at = value.indexOf("%");
  while (at !== -1) {
    VARIABLE.lastIndex = at;
    if (!VARIABLE.test(value)) return false;
    at = value.indexOf("%", VARIABLE.lastIndex);
  }
  return true;
}

function matchedNameProblem(name: string): string | undefined {
  return isJwtClaim(name) || PSEUDO_HEADERS.includes(name) ? undefined : headerNameProblem(name);
}

function withLowerCaseKeys<T>(map: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(
    Object.entries(map).map(([key, value]) => [isJwtClaim(key) ? key : key.toLowerCase(), value]),
  );
}
