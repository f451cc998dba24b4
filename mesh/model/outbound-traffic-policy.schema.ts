import * as z from "zod";
import { clientTls } from "./client-tls.schema.ts";
import type { MeshConfigSpec } from "./mesh-config.ts";
import { withReview, writtenField } from "./schema-notice.ts";
import { rule } from "./schema-rule.ts";

/** MeshConfig `outboundTrafficPolicy`. */
export const meshOutboundPolicy: z.ZodType<
  Pick<MeshConfigSpec, "unknownHostTls"> & {
    readonly mode: NonNullable<MeshConfigSpec["outboundTrafficPolicy"]>;
  }
> = withReview(
  z
    .object({
      mode: z.enum(["REGISTRY_ONLY", "ALLOW_ANY", "ALLOW_ANY_DYNAMIC_DNS"]).default("REGISTRY_ONLY"),
      tls: clientTls.optional(),
    })
    .check(
      rule(["tls"], ({ tls }, report) => {
        if (tls?.mode === "ISTIO_MUTUAL")
          report(["tls", "mode"], "must be SIMPLE or MUTUAL: hosts that nobody knows are not of the mesh");
        if (tls !== undefined && tls.credentialName !== "")
          report(["tls", "credentialName"], "must not be set: Secrets are for gateways; name files");
      }),
    )
    .transform(({ mode, tls }) => ({ mode, unknownHostTls: tls?.mode === "DISABLE" ? undefined : tls })),
  (written, warn) => {
    if (
      writtenField(written, "tls") !== undefined &&
      writtenField(written, "mode") !== "ALLOW_ANY_DYNAMIC_DNS"
    )
      warn(["tls"], "does nothing without mode ALLOW_ANY_DYNAMIC_DNS");
  },
);
