import { isIP } from "node:net";
import * as z from "zod";
import { isDnsSubdomain, isHostName, isMixedCaseLabel } from "./dns-names.ts";
import { quoted } from "./finding.ts";
import { eachEntry, labels } from "./labels.schema.ts";
import { optionalText, portNumber, textOrNone, textThat, uint32 } from "./scalars.schema.ts";
import { withNotice, withReview, writtenField } from "./schema-notice.ts";
import { rule } from "./schema-rule.ts";
import type { WorkloadEntrySpec } from "./workload-entry.ts";

const UNIX = "unix://";
const ADDRESS = "an IP address, a host name or unix:// with an absolute path";

const address = textOrNone(isAddress, ADDRESS);

const serviceAccount = textThat(isDnsSubdomain, "the name of a service account").optional();

const entry = z
  .object({
    address,
    ports: z
      .record(z.string(), portNumber)
      .check(eachEntry((name) => portNameProblem(name)))
      .default({}),
    labels,
    network: optionalText,
    locality: optionalText,
    weight: uint32.default(0),
    serviceAccount,
  })
  .check(
    rule(["address", "ports"], ({ address, ports }, report) => {
      if (isUnixAddress(address) && Object.keys(ports).length > 0)
        report(["ports"], "must not be set with a unix:// address");
    }),
  );

/** WorkloadEntry's spec, by Istio's rules; the endpoints of a ServiceEntry have the same form. */
export const workloadEntrySpec: z.ZodType<WorkloadEntrySpec> = withNotice(
  entry
    .check(
      rule(["address", "network"], ({ address, network }, report) => {
        if (address === "" && network === "") report(["address"], "is required where there is no network");
      }),
    )
    .transform(withDefaults),
  (value) =>
    writtenField(value, "address") === undefined && writtenField(value, "network") !== undefined
      ? "has no address, so it is reached through the gateway of its network alone"
      : undefined,
);

/** The template of a WorkloadGroup: each instance has its own address, and what is written there means nothing. */
export const workloadTemplate: z.ZodType<WorkloadEntrySpec> = withReview(
  entry.transform(withDefaults),
  (value, warn) => {
    if (writtenField(value, "address") !== undefined)
      warn(["address"], "means nothing here: each workload has its own");
  },
);

function withDefaults({ weight, serviceAccount = "", ...rest }: z.infer<typeof entry>): WorkloadEntrySpec {
  return { ...rest, weight: Math.max(1, weight), serviceAccount };
}

function portNameProblem(name: string): string | undefined {
  return isMixedCaseLabel(name)
    ? undefined
    : `${quoted(name)} is not a port's name: letters, digits and dashes`;
}

function isAddress(written: string): boolean {
  return isIP(written) !== 0 || isHostName(written) || /^unix:\/\/[/@][^\0]{0,106}[^\0/]$/.test(written);
}

export function isUnixAddress(address: string): boolean {
  return address.startsWith(UNIX);
}
