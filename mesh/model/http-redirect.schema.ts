import * as z from "zod";
import { regexProblem, replacementProblem } from "./regex.ts";
import { anyPort, optionalText, text } from "./scalars.schema.ts";
import { rule } from "./schema-rule.ts";
import type { HttpRedirect, HttpRewrite } from "./virtual-service.ts";

const redirectCode = z
  .union([z.literal(0), z.literal(301), z.literal(302), z.literal(303), z.literal(307), z.literal(308)], {
    error: "must be one of 301, 302, 303, 307, 308",
  })
  .default(301)
  .transform((code) => (code === 0 ? 301 : code));

/** HTTPRedirect. */
export const redirect: z.ZodType<HttpRedirect> = z
  .object({
    uri: optionalText,
    authority: optionalText,
    scheme: z.enum(["", "http", "https"]).default(""),
    port: anyPort,
    derivePort: z.enum(["FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"]).optional(),
    prefixRewrite: optionalText,
    redirectCode,
  })
  .check(
    rule(["port", "derivePort"], ({ port, derivePort }, report) => {
      if (port !== undefined && derivePort !== undefined)
        report([], "must have only one of port and derivePort");
    }),
    rule(["uri", "prefixRewrite"], ({ uri, prefixRewrite }, report) => {
      if (uri !== "" && prefixRewrite !== "") report([], "must have only one of uri and prefixRewrite");
    }),
    rule(["uri", "prefixRewrite", "authority", "scheme", "port", "derivePort"], (redirect, report) => {
      const { uri, prefixRewrite, authority, scheme, port, derivePort } = redirect;
      if (`${uri}${prefixRewrite}${authority}${scheme}` === "" && (port ?? derivePort) === undefined)
        report([], "must have a uri, a prefixRewrite, an authority, a scheme or a port");
    }),
  )
  .transform(({ redirectCode: code, uri, authority, scheme, port, derivePort, prefixRewrite }) => ({
    uri,
    authority,
    scheme,
    port,
    derivePort,
    prefixRewrite,
    code,
  }));

const uriRegexRewrite = z.object({ match: text.default(""), rewrite: text.default("") }).check(
  rule(["match", "rewrite"], ({ match, rewrite }, report) => {
    const problem = regexProblem(match);
    if (problem !== undefined) report(["match"], problem);
    const replacement =
      rewrite === ""
        ? "must not be empty"
        : problem === undefined
          ? replacementProblem(match, rewrite)
          : undefined;
    if (replacement !== undefined) report(["rewrite"], replacement);
  }),
);

/** HTTPRewrite. */
export const rewrite: z.ZodType<HttpRewrite> = z
  .object({ uri: optionalText, authority: optionalText, uriRegexRewrite: uriRegexRewrite.optional() })
  .check(
    rule(["uri", "authority", "uriRegexRewrite"], ({ uri, authority, uriRegexRewrite }, report) => {
      if (uri === "" && authority === "" && uriRegexRewrite === undefined)
        report([], "must have a uri, a uriRegexRewrite or an authority");
      if (uri !== "" && uriRegexRewrite !== undefined)
        report([], "must have only one of uri and uriRegexRewrite");
    }),
  )
  .transform(({ uri, authority, uriRegexRewrite: uriRegex }) => ({ uri, authority, uriRegex }));
