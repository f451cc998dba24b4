import { z } from "zod";
import { gateways } from "./destination.schema.ts";
import { labels } from "./labels.schema.ts";
import { headerMatches, queryMatches, valueMatch } from "./match.schema.ts";
import { flag, optionalDnsLabel, optionalText, portNumber } from "./scalars.schema.ts";
import { notYet } from "./schema-notice.ts";
import type { HttpMatch } from "./virtual-service.ts";

/** HTTPMatchRequest. */
export const httpMatch: z.ZodType<HttpMatch> = z
  .object({
    name: optionalText,
    uri: valueMatch.optional(),
    ignoreUriCase: flag,
    scheme: valueMatch.optional(),
    method: valueMatch.optional(),
    authority: valueMatch.optional(),
    headers: headerMatches,
    withoutHeaders: headerMatches,
    queryParams: queryMatches,
    port: portNumber.optional(),
    sourceLabels: labels,
    sourceNamespace: optionalDnsLabel,
    gateways,
    statPrefix: notYet(),
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
  }));
