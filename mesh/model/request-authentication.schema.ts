import * as z from "zod";
import { parseKeySet } from "../jwt/key-set.ts";
import { matchLabels } from "./labels.schema.ts";
import type { JwtRule, RequestAuthenticationSpec } from "./request-authentication.ts";
import { duration, flag, optionalText, textOrNone, textThat } from "./scalars.schema.ts";
import { refused, withNotice } from "./schema-notice.ts";
import { problemCheck, rule } from "./schema-rule.ts";

const ELSEWHERE = "would ask for tokens at workloads that it is not for";
const LONGEST_URI = 2048;
const MOST_RULES = 4096;

const said = textThat(() => true, "");
const headerName = textThat(isHeaderName, "a header's name: letters, digits, `-` and `_`");
const optionalHeaderName = textOrNone(isHeaderName, "a header's name: letters, digits, `-` and `_`");

const jwksUri = withNotice(z.string().check(problemCheck(uriProblem)).default(""), (written) =>
  typeof written === "string" && /^http:/i.test(written)
    ? "is fetched without TLS, which the server refuses unless `jwks.allowHttp` is set"
    : undefined,
);

const jwks = z
  .string()
  .check(
    problemCheck((text) => {
      const parsed = text === "" ? undefined : parseKeySet(text);
      return parsed?.kind === "problem" ? `is not a usable JWK set: ${parsed.reason}` : undefined;
    }),
  )
  .default("");

const jwtRule: z.ZodType<JwtRule> = z
  .object({
    issuer: said,
    audiences: z.array(said).default([]),
    jwksUri,
    jwks,
    fromHeaders: z.array(z.object({ name: headerName, prefix: optionalText })).default([]),
    fromParams: z.array(said).default([]),
    fromCookies: z.array(said).default([]),
    outputPayloadToHeader: optionalHeaderName,
    forwardOriginalToken: flag,
    outputClaimToHeaders: z.array(z.object({ header: headerName, claim: said })).default([]),
    timeout: duration(1).optional(),
    spaceDelimitedClaims: z.array(said).max(64).default([]),
  })
  .check(
    rule(["jwks", "jwksUri"], (fields, report) => {
      if (fields.jwks !== "" && fields.jwksUri !== "") report(["jwks"], "must not be set beside jwksUri");
    }),
  )
  .transform(({ timeout, ...fields }) => ({ ...fields, timeoutMs: timeout }));

/** RequestAuthentication's spec, by Istio's rules. */
export const requestAuthenticationSpec: z.ZodType<RequestAuthenticationSpec> = z.object({
  selector: matchLabels.default({}),
  targetRef: refused(ELSEWHERE),
  targetRefs: refused(ELSEWHERE),
  jwtRules: z.array(jwtRule).max(MOST_RULES).default([]),
});

function isHeaderName(name: string): boolean {
  return /^[-\w]+$/.test(name);
}

function uriProblem(written: string): string | undefined {
  if (written === "") return undefined;
  if (written.length > LONGEST_URI) return `must be at most ${LONGEST_URI} characters`;
  const url = URL.parse(written);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:"))
    return "must be a URL that starts with https:// or http://";
  if (url.username !== "" || url.password !== "") return "must not have a user or a password in it";
  return undefined;
}
