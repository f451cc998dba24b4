import * as z from "zod";
import type { ClusterMatch, ListenerMatch, RouteConfigurationMatch } from "./envoy-filter.ts";
import { optionalText, textThat } from "./scalars.schema.ts";

/** 0 matches every port, as in Istio. */
const port = z
  .int()
  .min(0)
  .max(65535)
  .default(0)
  .transform((number) => (number === 0 ? undefined : number));

const name = textThat(() => true, "");

const networkFilter = z
  .object({ name, subFilter: z.object({ name }).optional() })
  .transform(({ name, subFilter }) => ({ name, subFilter: subFilter?.name ?? "" }));

const filterChain = z
  .object({
    name: optionalText,
    sni: optionalText,
    transportProtocol: optionalText,
    applicationProtocols: optionalText,
    destinationPort: port,
    filter: networkFilter.optional(),
  })
  .transform(({ filter, ...rest }) => ({ ...rest, filter }));

/** ListenerMatch. */
export const listenerMatch: z.ZodType<ListenerMatch> = z
  .object({
    name: optionalText,
    portNumber: port,
    portName: optionalText,
    listenerFilter: optionalText,
    filterChain: filterChain.optional(),
  })
  .transform(({ filterChain, ...rest }) => ({ ...rest, filterChain }));

const virtualHost = z
  .object({
    name: optionalText,
    domainName: optionalText,
    route: z
      .object({
        name: optionalText,
        action: z.enum(["ANY", "ROUTE", "REDIRECT", "DIRECT_RESPONSE"]).default("ANY"),
      })
      .optional(),
  })
  .transform(({ name, domainName, route }) => ({ name, domainName, route }));

/** RouteConfigurationMatch. */
export const routeConfigurationMatch: z.ZodType<RouteConfigurationMatch> = z
  .object({
    name: optionalText,
    portNumber: port,
    portName: optionalText,
    gateway: optionalText,
    vhost: virtualHost.optional(),
  })
  .transform(({ vhost, ...rest }) => ({ ...rest, virtualHost: vhost }));

/** ClusterMatch. */
export const clusterMatch: z.ZodType<ClusterMatch> = z.object({
  name: optionalText,
  portNumber: port,
  service: optionalText,
  subset: optionalText,
});
