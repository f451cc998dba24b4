import { isIP } from "node:net";
import { z } from "zod";
import { isDnsSubdomain, isHostName } from "./dns-names.ts";
import { eachEntry, labels } from "./labels.schema.ts";
import { count, optionalText, portNumber, textThat } from "./scalars.schema.ts";
import { rule } from "./schema-rule.ts";
import type { WorkloadEntrySpec } from "./workload-entry.ts";

const UNIX = "unix://";

const address = textThat(
  (written) => isIP(written) !== 0 || isHostName(written) || /^unix:\/\/[/@][^\0]{1,107}$/.test(written),
  "an IP address, a host name or unix:// with an absolute path",
);

const serviceAccount = textThat(isDnsSubdomain, "the name of a service account").optional();

/** WorkloadEntry's spec, by Istio's rules; the endpoints of a ServiceEntry have the same form. */
export const workloadEntrySpec: z.ZodType<WorkloadEntrySpec> = z
  .object({
    address,
    ports: z
      .record(z.string(), portNumber)
      .check(eachEntry((name) => (name === "" ? "must have a name" : undefined)))
      .default({}),
    labels,
    network: optionalText,
    locality: optionalText,
    weight: count.default(0),
    serviceAccount,
  })
  .check(
    rule(["address", "ports"], ({ address, ports }, report) => {
      if (isUnixAddress(address) && Object.keys(ports).length > 0)
        report(["ports"], "must not be set with a unix:// address");
    }),
  )
  .transform(({ weight, serviceAccount = "", ...rest }) => ({
    ...rest,
    weight: Math.max(1, weight),
    serviceAccount,
  }));

export function isUnixAddress(address: string): boolean {
  return address.startsWith(UNIX);
}
