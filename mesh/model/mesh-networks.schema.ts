import { isIP } from "node:net";
import * as z from "zod";
import { isHostName } from "./dns-names.ts";
import type { MeshNetwork } from "./mesh-config.ts";
import { ipRange, mixedCaseLabel, optionalText, portNumber, textThat } from "./scalars.schema.ts";
import { notYet, withNotice } from "./schema-notice.ts";
import { presenceRule } from "./schema-rule.ts";

const endpoint = z
  .object({
    fromCidr: ipRange.optional(),
    fromRegistry: notYet(mixedCaseLabel.optional()),
  })
  .check(
    presenceRule((present, report) => {
      if (present.has("fromCidr") && present.has("fromRegistry"))
        report([], "must have only one of fromCidr and fromRegistry");
    }),
  );

const gateway = z
  .object({
    address: textThat(
      (text) => isIP(text) !== 0 || isHostName(text),
      "an IP address or a host name",
    ).optional(),
    registryServiceName: textThat(isHostName, "the host name of a service").optional(),
    port: portNumber,
    locality: withNotice(optionalText, (written) =>
      written === undefined ? undefined : "has no effect, as in Istio: all of a network's gateways are used",
    ),
  })
  .check(
    presenceRule((present, report) => {
      if (present.has("address") === present.has("registryServiceName"))
        report([], "must have either address or registryServiceName");
    }),
  )
  .transform(({ address = "", registryServiceName = "", port, locality }) => ({
    address,
    service: registryServiceName,
    port,
    locality,
  }));

const network: z.ZodType<MeshNetwork> = z
  .object({ endpoints: z.array(endpoint).default([]), gateways: z.array(gateway).default([]) })
  .transform(({ endpoints, gateways }) => ({
    cidrs: endpoints.flatMap(({ fromCidr }) => fromCidr ?? []),
    gateways,
  }));

/** `networks` of Istio's MeshNetworks, by name. */
export const networks: z.ZodType<Readonly<Record<string, MeshNetwork>>> = z.record(z.string(), network);

/** MeshNetworks. */
export const meshNetworks: z.ZodType<Readonly<Record<string, MeshNetwork>>> = z
  .object({ networks: networks.default({}) })
  .transform(({ networks }) => networks);
