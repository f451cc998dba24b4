import * as z from "zod";
import { gateways } from "./destination.schema.ts";
import { labels } from "./labels.schema.ts";
import { headerMatches, pathMatch, queryMatches, valueMatch, withoutHeaderMatches } from "./match.schema.ts";
import { anyPort, flag, optionalDnsLabel, optionalText } from "./scalars.schema.ts";
import type { HttpMatch } from "./virtual-service.ts";

/** HTTPMatchRequest. */
export const httpMatch: z.ZodType<HttpMatch> = z
  .object({
    name: optionalText,
    uri: pathMatch.optional(),
    ignoreUriCase: flag,
    scheme: valueMatch.optional(),
    method: valueMatch.optional(),
    authority: valueMatch.optional(),
    headers: headerMatches,
    withoutHeaders: withoutHeaderMatches,
    queryParams: queryMatches,
    port: anyPort,
    sourceLabels: labels,
    sourceNamespace: optionalDnsLabel,
    gateways,
    statPrefix: optionalText,
  })
  .transform((match) => ({
    name: match.name,
    uri: match.uri,
    ignoreUriCase: match.ignoreUriCase,
    scheme: match.scheme,
    method: match.method,
    authority: match.authority,
    headers: match.headers,
    withoutHeaders: match.withoutHeaders,
    queryParams: match.queryParams,
    port: match.port,
    sourceLabels: match.sourceLabels,
    sourceNamespace: match.sourceNamespace,
    gateways: match.gateways,
    statPrefix: match.statPrefix,
  }));
