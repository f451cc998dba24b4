import * as z from "zod";

/** Evidence that is JSON of a shape; undefined for anything else. */
export function readEvidence<T>(schema: z.ZodType<T>, evidence: string): T | undefined {
  try {
    return schema.safeParse(JSON.parse(evidence)).data;
  } catch {
    return undefined;
  }
}

/** A certificate chain and a signature with its leaf's key over the statement of possession. */
export const possessionEvidence: z.ZodType<{ readonly chainPem: string; readonly signature: Buffer }> =
  z.strictObject({
    chainPem: z.string().max(32_768),
    signature: z
      .base64()
      .max(2_048)
      .transform((text) => Buffer.from(text, "base64")),
  });
