import { z } from "zod";
import { checkWeights, destination, gateways, weight, withEffectiveWeights } from "./destination.schema.ts";
import { labels } from "./labels.schema.ts";
import { ipRange, optionalDnsLabel, portNumber, wildcardHost } from "./scalars.schema.ts";
import { notYet } from "./schema-notice.ts";
import { rule } from "./schema-rule.ts";
import type { L4Match, TcpRoute, TlsRoute } from "./virtual-service.ts";

const matchFields = {
  destinationSubnets: z.array(ipRange).default([]),
  port: portNumber.optional(),
  sourceLabels: labels,
  sourceNamespace: optionalDnsLabel,
  gateways,
};

const route = z.array(z.object({ destination, weight })).min(1);

const tcpMatch: z.ZodType<L4Match> = z
  .object({ ...matchFields, sourceSubnet: notYet() })
  .transform(({ destinationSubnets, port, sourceLabels, sourceNamespace, gateways }) => ({
    destinationSubnets,
    port,
    sourceLabels,
    sourceNamespace,
    gateways,
  }));

const tlsMatch = z
  .object({ ...matchFields, sniHosts: z.array(wildcardHost).min(1) })
  .transform(({ port, ...rest }) => ({ ...rest, port }));

/** TCPRoute. */
export const tcpRoute: z.ZodType<TcpRoute> = z
  .object({ match: z.array(tcpMatch).default([]), route })
  .check(rule(["route"], ({ route }, report) => checkWeights(route, report)))
  .transform(({ match, route }) => ({ match, route: withEffectiveWeights(route) }));

/** TLSRoute. */
export const tlsRoute: z.ZodType<TlsRoute> = z
  .object({ match: z.array(tlsMatch).min(1), route })
  .check(rule(["route"], ({ route }, report) => checkWeights(route, report)))
  .transform(({ match, route }) => ({ match, route: withEffectiveWeights(route) }));
