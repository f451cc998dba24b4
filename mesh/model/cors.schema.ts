import * as z from "zod";
import { originMatch } from "./match.schema.ts";
import { duration, text, textThat } from "./scalars.schema.ts";
import { withNotice } from "./schema-notice.ts";
import { problemCheck } from "./schema-rule.ts";
import type { CorsPolicy } from "./virtual-service.ts";

const METHODS = [
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "CONNECT",
  "OPTIONS",
  "TRACE",
  "*",
] as const;

const method = z.enum(METHODS);

const headerName = textThat((name) => /^[!#$%&'*+.^`|~\w-]{1,256}$/.test(name), "a header name");

const maxAge = duration(1).check(
  problemCheck((ms) => (ms % 1000 === 0 ? undefined : "must be a whole number of seconds")),
);

/** CorsPolicy. */
export const cors: z.ZodType<CorsPolicy> = z
  .object({
    allowOrigin: withNotice(z.array(text).default([]), (origins) =>
      origins === undefined ? undefined : "is deprecated: use allowOrigins",
    ),
    allowOrigins: z.array(originMatch).default([]),
    allowMethods: z.array(method).default([]),
    allowHeaders: z.array(headerName).default([]),
    exposeHeaders: z.array(headerName).default([]),
    maxAge: maxAge.optional(),
    allowCredentials: z.boolean().optional(),
    unmatchedPreflights: z.enum(["UNSPECIFIED", "FORWARD", "IGNORE"]).default("UNSPECIFIED"),
  })
  .transform((policy) => ({
    allowOrigins:
      policy.allowOrigins.length > 0
        ? policy.allowOrigins
        : policy.allowOrigin.map((value) => ({ kind: "exact", value }) as const),
    allowMethods: policy.allowMethods,
    allowHeaders: policy.allowHeaders,
    exposeHeaders: policy.exposeHeaders,
    maxAgeMs: policy.maxAge,
    allowCredentials: policy.allowCredentials,
    unmatchedPreflights:
      policy.unmatchedPreflights === "UNSPECIFIED" ? undefined : policy.unmatchedPreflights,
  }));
