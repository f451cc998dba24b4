import * as z from "zod";
import type { TlsLimits } from "./mesh-config.ts";
import { text } from "./scalars.schema.ts";
import { withReview } from "./schema-notice.ts";
import { knownCipherSuites, reviewTlsLimits } from "./server-tls-review.ts";

const VERSIONS = ["TLS_AUTO", "TLSV1_2", "TLSV1_3"] as const;

const fields = {
  minProtocolVersion: z.enum(VERSIONS).default("TLS_AUTO"),
  cipherSuites: z.array(text).default([]),
};

const curves = z.array(text).default([]);
const noCurves = z
  .never({ error: "must not be set: Istio's mesh TLS has no choice of curves" })
  .optional()
  .transform((): string[] => []);

/** MeshConfig `meshMTLS`. */
export const meshMtls: z.ZodType<TlsLimits> = withReview(
  z.object({ ...fields, ecdhCurves: noCurves }).transform(toLimits),
  reviewTlsLimits,
);

/** MeshConfig `tlsDefaults`. */
export const tlsDefaults: z.ZodType<TlsLimits> = withReview(
  z.object({ ...fields, ecdhCurves: curves }).transform(toLimits),
  reviewTlsLimits,
);

function toLimits({
  minProtocolVersion,
  cipherSuites,
  ecdhCurves,
}: {
  readonly minProtocolVersion: (typeof VERSIONS)[number];
  readonly cipherSuites: readonly string[];
  readonly ecdhCurves: readonly string[];
}): TlsLimits {
  return {
    minProtocolVersion: minProtocolVersion === "TLS_AUTO" ? undefined : minProtocolVersion,
    cipherSuites: knownCipherSuites(cipherSuites),
    ecdhCurves: ecdhCurves.filter((curve) => curve !== ""),
  };
}
