import { z } from "zod";
import { checkWeights, destination, weight, withEffectiveWeights } from "./destination.schema.ts";
import { fault } from "./http-fault.schema.ts";
import { httpMatch } from "./http-match.schema.ts";
import { retries } from "./http-retry.schema.ts";
import { headerOperations } from "./match.schema.ts";
import { duration, optionalText, portNumber, text } from "./scalars.schema.ts";
import { notYet, refused } from "./schema-notice.ts";
import { presenceRule, rule } from "./schema-rule.ts";
import type { HttpRedirect, HttpRewrite, HttpRoute } from "./virtual-service.ts";

const LARGEST_BODY = 100 * 1024;

/** A route does one of these. */
const ACTIONS = ["route", "redirect", "directResponse"];

const httpDestination = z.object({ destination, weight, headers: headerOperations });

const redirectCode = z
  .union([z.literal(0), z.literal(301), z.literal(302), z.literal(303), z.literal(307), z.literal(308)], {
    error: "must be one of 301, 302, 303, 307, 308",
  })
  .default(301)
  .transform((code) => (code === 0 ? 301 : code));

const redirect: z.ZodType<HttpRedirect> = z
  .object({
    uri: optionalText,
    authority: optionalText,
    scheme: z.enum(["", "http", "https"]).default(""),
    port: portNumber.optional(),
    redirectCode,
    derivePort: notYet(z.enum(["FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"]).optional()),
    prefixRewrite: notYet(text.optional()),
  })
  .check(
    rule(["port", "derivePort"], ({ port, derivePort }, report) => {
      if (port !== undefined && derivePort !== undefined)
        report([], "must have only one of port and derivePort");
    }),
    rule(["uri", "prefixRewrite"], ({ uri, prefixRewrite }, report) => {
      if (uri !== "" && prefixRewrite !== undefined)
        report([], "must have only one of uri and prefixRewrite");
    }),
  )
  .transform(({ uri, authority, scheme, port, redirectCode: code }) => ({
    uri,
    authority,
    scheme,
    port,
    code,
  }));

const directResponse = z
  .object({
    status: z.int().min(200).max(599),
    body: z
      .object({
        string: z.string().max(LARGEST_BODY).optional(),
        bytes: z.base64({ error: "must be base64" }).optional(),
      })
      .check(
        rule(["string", "bytes"], ({ string, bytes }, report) => {
          if (string !== undefined && bytes !== undefined)
            report([], "must have only one of string and bytes");
        }),
      )
      .transform(({ string, bytes = "" }) => string ?? Buffer.from(bytes, "base64").toString())
      .default(""),
  })
  .transform(({ status, body }) => ({ status, body }));

const rewrite: z.ZodType<HttpRewrite> = z
  .object({
    uri: optionalText,
    authority: optionalText,
    uriRegexRewrite: notYet(z.object({ match: text, rewrite: text }).optional()),
  })
  .check(
    rule(["uri", "authority", "uriRegexRewrite"], ({ uri, authority, uriRegexRewrite }, report) => {
      if (uri === "" && authority === "" && uriRegexRewrite === undefined)
        report([], "must have a uri or an authority");
      if (uri !== "" && uriRegexRewrite !== undefined)
        report([], "must have only one of uri and uriRegexRewrite");
    }),
  )
  .transform(({ uri, authority }) => ({ uri, authority }));

/** HTTPRoute. */
export const httpRoute: z.ZodType<HttpRoute> = z
  .object({
    name: optionalText,
    match: z.array(httpMatch).default([]),
    route: z.array(httpDestination).default([]),
    redirect: redirect.optional(),
    directResponse: directResponse.optional(),
    delegate: refused("would leave the route without an action"),
    rewrite: rewrite.optional(),
    timeout: duration(0).optional(),
    retries: retries.optional(),
    fault: fault.optional(),
    mirror: notYet(destination.optional()),
    mirrors: notYet(),
    mirrorPercent: notYet(),
    mirrorPercentage: notYet(),
    corsPolicy: notYet(),
    headers: headerOperations,
  })
  .check(
    rule(["route"], ({ route }, report) => checkWeights(route, report)),
    presenceRule((present, report) => {
      const actions = ACTIONS.filter((action) => present.has(action));
      if (actions.length === 0 && !present.has("delegate"))
        report([], `must have one of ${ACTIONS.join(", ")}`);
      if (actions.length > 1) report([], `must have only one action, not ${actions.join(" and ")}`);
      const answer = actions.find((action) => action !== "route");
      for (const field of ["rewrite", "fault"]) {
        if (answer !== undefined && present.has(field))
          report([field], `must not be together with ${answer}`);
      }
    }),
  )
  .transform(
    ({ name, match, route, redirect, directResponse, rewrite, timeout, retries, fault, headers }) => ({
      name,
      match,
      route: withEffectiveWeights(route),
      redirect,
      directResponse,
      rewrite,
      timeoutMs: timeout,
      retries,
      fault,
      headers,
    }),
  );
