import * as z from "zod";
import { text } from "./scalars.schema.ts";
import { withNotice, writtenField } from "./schema-notice.ts";
import { problemCheck, rule } from "./schema-rule.ts";
import type { HttpRoute } from "./virtual-service.ts";

type DirectResponse = NonNullable<HttpRoute["directResponse"]>;

const LARGEST_BODY = 1024 * 1024;
const LARGE_BODY = 100 * 1024;

const body = withNotice(
  z
    .object({ string: text.optional(), bytes: z.base64({ error: "must be base64" }).optional() })
    .check(
      rule(["string", "bytes"], ({ string, bytes }, report) => {
        if (string !== undefined && bytes !== undefined) report([], "must have only one of string and bytes");
      }),
    )
    .transform(({ string, bytes }) =>
      bytes === undefined ? (string ?? "") : new Uint8Array(Buffer.from(bytes, "base64")),
    )
    .check(
      problemCheck((content) =>
        Buffer.byteLength(content) > LARGEST_BODY ? "must not be larger than 1 MiB" : undefined,
      ),
    ),
  (body) => (sizeOf(body) > LARGE_BODY ? "is large: every proxy keeps it in memory" : undefined),
);

/** HTTPDirectResponse. */
export const directResponse: z.ZodType<DirectResponse> = z
  .object({ status: z.int().min(200).max(599), body: body.default("") })
  .transform(({ status, body }) => ({ status, body }));

/** Bytes of a body as it was written; base64 has four characters for three of them. */
function sizeOf(body: unknown): number {
  const string = writtenField(body, "string");
  const bytes = writtenField(body, "bytes");
  return typeof string === "string"
    ? Buffer.byteLength(string)
    : typeof bytes === "string"
      ? bytes.length * 0.75
      : 0;
}
