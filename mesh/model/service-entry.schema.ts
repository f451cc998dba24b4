import { z } from "zod";
import { workloadSelector } from "./labels.schema.ts";
import { protocol } from "./protocol.schema.ts";
import {
  dnsLabel,
  exportTo,
  ipRange,
  portNumber,
  textThat,
  wildcardHostButNotAll,
} from "./scalars.schema.ts";
import { notYetFor } from "./schema-notice.ts";
import { rule } from "./schema-rule.ts";
import type { ServiceEntryPort, ServiceEntrySpec } from "./service-entry.ts";
import {
  checkAddresses,
  checkEndpointPorts,
  checkHosts,
  checkPorts,
  checkResolution,
} from "./service-entry-rules.ts";
import { workloadEntrySpec } from "./workload-entry.schema.ts";

const port: z.ZodType<ServiceEntryPort> = z
  .object({ number: portNumber, protocol, name: dnsLabel, targetPort: portNumber.optional() })
  .transform(({ number, protocol, name, targetPort }) => ({ number, protocol, name, targetPort }));

/** ServiceEntry's spec, by Istio's rules. */
export const serviceEntrySpec: z.ZodType<ServiceEntrySpec> = z
  .object({
    hosts: z.array(wildcardHostButNotAll).min(1).max(256),
    addresses: z.array(ipRange).max(256).default([]),
    ports: z.array(port).max(256).default([]),
    location: z.enum(["MESH_EXTERNAL", "MESH_INTERNAL"]).default("MESH_EXTERNAL"),
    resolution: notYetFor(
      z.enum(["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"]).default("NONE"),
      ["DYNAMIC_DNS"],
    ),
    endpoints: z.array(workloadEntrySpec).max(4096).default([]),
    workloadSelector: workloadSelector.optional(),
    exportTo,
    subjectAltNames: z.array(textThat(() => true, "a subject alternative name")).default([]),
  })
  .check(
    rule(["ports"], ({ ports }, report) => checkPorts(ports, report)),
    rule(["hosts", "addresses", "ports", "resolution"], (entry, report) => {
      checkAddresses(entry.addresses, entry.resolution, report);
      checkHosts(entry, report);
    }),
    rule(["hosts", "ports", "resolution", "endpoints", "workloadSelector"], (entry, report) => {
      if (entry.workloadSelector !== undefined && entry.endpoints.length > 0)
        report(["workloadSelector"], "must not be together with endpoints");
      checkResolution(entry, report);
      checkEndpointPorts(entry.endpoints, entry.ports, report);
    }),
  )
  .transform(({ workloadSelector, ...rest }) => ({ ...rest, workloadSelector }));
