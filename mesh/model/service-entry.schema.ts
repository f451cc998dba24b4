import * as z from "zod";
import { workloadSelector } from "./labels.schema.ts";
import { type ProtocolName, protocolOf, protocolProblem, unsaidProtocol } from "./protocol.schema.ts";
import {
  ipRange,
  mixedCaseLabel,
  portNumber,
  serviceExportTo,
  textThat,
  wildcardHostButNotAll,
} from "./scalars.schema.ts";
import { withReview } from "./schema-notice.ts";
import { problemCheck, rule } from "./schema-rule.ts";
import type { ServiceEntrySpec } from "./service-entry.ts";
import { reviewServiceEntry } from "./service-entry-review.ts";
import {
  checkAddresses,
  checkEndpointPorts,
  checkHosts,
  checkPorts,
  checkResolution,
  checkSize,
  type SaidPort,
} from "./service-entry-rules.ts";
import { workloadEntrySpec } from "./workload-entry.schema.ts";

/** Empty: nobody said it. UDP is known, and not carried. */
const protocol = z
  .string()
  .check(problemCheck((written) => (/^(?:udp)?$/i.test(written) ? undefined : protocolProblem(written))))
  .transform((written) => written.toUpperCase() as ProtocolName | "UDP" | "")
  .default("");

const port: z.ZodType<SaidPort> = z
  .object({ number: portNumber, protocol, name: mixedCaseLabel, targetPort: portNumber.optional() })
  .transform(({ number, protocol, name, targetPort }) => ({ number, protocol, name, targetPort }));

/** ServiceEntry's spec, by Istio's rules. */
export const serviceEntrySpec: z.ZodType<ServiceEntrySpec> = withReview(
  z
    .object({
      hosts: z.array(wildcardHostButNotAll).min(1).max(256),
      addresses: z.array(ipRange).max(256).default([]),
      ports: z.array(port).max(256).default([]),
      location: z.enum(["MESH_EXTERNAL", "MESH_INTERNAL"]).default("MESH_EXTERNAL"),
      resolution: z.enum(["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"]).default("NONE"),
      endpoints: z.array(workloadEntrySpec).max(4096).default([]),
      workloadSelector: workloadSelector.optional(),
      exportTo: serviceExportTo,
      subjectAltNames: z.array(textThat(() => true, "a subject alternative name")).default([]),
    })
    .check(
      rule(["ports"], ({ ports }, report) => checkPorts(ports, report)),
      rule(["addresses", "resolution"], (entry, report) => checkAddresses(entry, report)),
      rule(["hosts", "ports", "resolution"], (entry, report) => checkHosts(entry, report)),
      rule(["hosts", "ports", "resolution", "endpoints"], (entry, report) => checkResolution(entry, report)),
      rule(["ports", "endpoints"], ({ ports, endpoints }, report) =>
        checkEndpointPorts(endpoints, ports, report),
      ),
      rule(["hosts", "ports", "endpoints"], (entry, report) => checkSize(entry, report)),
      rule(["endpoints", "workloadSelector"], ({ endpoints, workloadSelector }, report) => {
        if (workloadSelector !== undefined && endpoints.length > 0)
          report(["workloadSelector"], "must not be together with endpoints");
      }),
    )
    .transform(({ workloadSelector, ports, ...rest }) => ({
      ...rest,
      ports: ports.flatMap(({ protocol, ...port }) =>
        protocol === "UDP"
          ? []
          : [{ ...port, protocol: protocol === "" ? unsaidProtocol(port.number) : protocolOf(protocol) }],
      ),
      workloadSelector,
    })),
  reviewServiceEntry,
);
