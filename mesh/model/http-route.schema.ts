import * as z from "zod";
import { cors } from "./cors.schema.ts";
import { checkWeights, destination, weight, withEffectiveWeights } from "./destination.schema.ts";
import { directResponse } from "./direct-response.schema.ts";
import { isDnsSubdomain } from "./dns-names.ts";
import { fault } from "./http-fault.schema.ts";
import { httpMatch } from "./http-match.schema.ts";
import { mirrorFields, mirroring } from "./http-mirror.schema.ts";
import { redirect, rewrite } from "./http-redirect.schema.ts";
import { retries } from "./http-retry.schema.ts";
import { headerOperations, isAuthority } from "./match.schema.ts";
import type { HeaderEdits } from "./match.ts";
import { duration, optionalDnsLabel, optionalText, textThat } from "./scalars.schema.ts";
import { presenceRule, type Report, rule } from "./schema-rule.ts";
import type { Delegate, HttpRoute } from "./virtual-service.ts";

/** A route does one of these, or leaves them to a delegate. */
const ACTIONS = ["route", "redirect", "directResponse"];

const httpDestination = z.object({ destination, weight, headers: headerOperations });

const delegate: z.ZodType<Delegate> = z.object({
  name: textThat(isDnsSubdomain, "the name of a VirtualService"),
  namespace: optionalDnsLabel,
});

/** HTTPRoute. */
export const httpRoute: z.ZodType<HttpRoute> = z
  .object({
    name: optionalText,
    match: z.array(httpMatch).default([]),
    route: z.array(httpDestination).default([]),
    redirect: redirect.optional(),
    directResponse: directResponse.optional(),
    delegate: delegate.optional(),
    rewrite: rewrite.optional(),
    timeout: duration(1).optional(),
    retries: retries.optional(),
    fault: fault.optional(),
    ...mirrorFields,
    corsPolicy: cors.optional(),
    headers: headerOperations,
  })
  .check(
    presenceRule((present, report) => checkAction(present, report)),
    rule(["route"], ({ route }, report) => checkWeights(route, report)),
    rule(["match", "redirect"], ({ match, redirect }, report) => {
      const prefixes = match.every(({ uri }) => uri === undefined || uri.kind === "prefix");
      if (redirect !== undefined && redirect.prefixRewrite !== "" && !prefixes)
        report(["redirect", "prefixRewrite"], "needs matches whose uri is a prefix");
    }),
    rule(["rewrite", "headers"], ({ rewrite, headers }, report) => {
      if (authoritiesOf(headers.request) + Number((rewrite?.authority ?? "") !== "") > 1)
        report([], "must not set the authority more than once, by rewrite and headers");
    }),
  )
  .transform((route) => ({
    name: route.name,
    match: route.match,
    route: withEffectiveWeights(route.route),
    redirect: route.redirect,
    directResponse: route.directResponse,
    delegate: route.delegate,
    rewrite: route.rewrite,
    timeoutMs: route.timeout,
    retries: route.retries,
    fault: route.fault,
    ...mirroring(route),
    cors: route.corsPolicy,
    headers: route.headers,
  }));

function checkAction(present: ReadonlySet<string>, report: Report): void {
  const actions = ACTIONS.filter((action) => present.has(action));
  if (present.has("delegate")) {
    for (const action of actions) report([action], "must not be together with delegate");
  } else if (actions.length === 0) report([], `must have one of ${ACTIONS.join(", ")}`);
  if (actions.length > 1) report([], `must have only one action, not ${actions.join(" and ")}`);
  const answer = actions.find((action) => action !== "route");
  for (const field of ["rewrite", "fault"]) {
    if (answer !== undefined && present.has(field)) report([field], `must not be together with ${answer}`);
  }
  if (present.has("mirror") && present.has("mirrors"))
    report(["mirrors"], "must not be together with mirror");
}

function authoritiesOf({ set, add }: HeaderEdits): number {
  return [...Object.keys(set), ...Object.keys(add)].filter(isAuthority).length;
}
