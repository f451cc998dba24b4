import * as z from "zod";
import { eachEntry, matchLabels } from "./labels.schema.ts";
import type { MtlsMode, PeerAuthenticationSpec } from "./peer-authentication.ts";
import { rule } from "./schema-rule.ts";

const mutualTls = z
  .object({ mode: z.enum(["UNSET", "DISABLE", "PERMISSIVE", "STRICT"]).default("UNSET") })
  .transform(({ mode }): MtlsMode => mode);

const portLevelMtls = z
  .record(z.string(), mutualTls)
  .check(
    eachEntry((port) => (isPort(port) ? undefined : "must be a port: a number from 1 to 65535")),
    z.superRefine<Record<string, MtlsMode>>((ports, context) => {
      if (Object.keys(ports).length === 0) context.addIssue({ code: "custom", message: "must have a port" });
    }),
  )
  .transform((ports): ReadonlyMap<number, MtlsMode> => {
    return new Map(Object.entries(ports).map(([port, mode]) => [Number(port), mode]));
  });

/** PeerAuthentication's spec, by Istio's rules. */
export const peerAuthenticationSpec: z.ZodType<PeerAuthenticationSpec> = z
  .object({
    selector: matchLabels.default({}),
    mtls: mutualTls.default("UNSET"),
    portLevelMtls: portLevelMtls.optional(),
  })
  .check(
    rule(["selector", "portLevelMtls"], ({ selector, portLevelMtls }, report) => {
      if (portLevelMtls !== undefined && Object.keys(selector).length === 0)
        report(["portLevelMtls"], "needs a selector: ports are those of certain workloads");
    }),
  )
  .transform(({ selector, mtls, portLevelMtls = new Map() }) => ({ selector, mode: mtls, portLevelMtls }));

function isPort(text: string): boolean {
  return /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65535;
}
