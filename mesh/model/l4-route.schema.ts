import { isIP } from "node:net";
import * as z from "zod";
import { checkWeights, destination, gateways, weight, withEffectiveWeights } from "./destination.schema.ts";
import { isIpRange, isWildcardHost } from "./dns-names.ts";
import { labels } from "./labels.schema.ts";
import { anyPort, ipRange, optionalDnsLabel, textOrNone, textThat } from "./scalars.schema.ts";
import { withNotice } from "./schema-notice.ts";
import { rule } from "./schema-rule.ts";
import type { L4Match, TcpRoute, TlsRoute } from "./virtual-service.ts";

const matchFields = {
  destinationSubnets: z.array(ipRange).default([]),
  sourceSubnet: textOrNone(isIpRange, "an IP address or a CIDR range"),
  port: anyPort,
  sourceLabels: labels,
  sourceNamespace: optionalDnsLabel,
  gateways,
};

const route = z.array(z.object({ destination, weight })).min(1);

const sniHost = withNotice(
  textThat(
    (name) => isWildcardHost(name) || isIP(name) !== 0,
    "a server name: labels joined by dots, `*` only at the start",
  ),
  (name) =>
    typeof name === "string" && isIP(name) !== 0
      ? "is an IP address, which clients do not send as a server name (RFC 6066)"
      : undefined,
);

const tcpMatch: z.ZodType<L4Match> = z
  .object(matchFields)
  .transform(({ port, ...rest }) => ({ ...rest, port }));

const tlsMatch = z
  .object({ ...matchFields, sniHosts: z.array(sniHost).min(1) })
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
