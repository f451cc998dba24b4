import type { WorkloadId } from "../../../mesh/model/workload.ts";
import type { EncodedResource } from "../../../mesh/xds/encoded-resource.ts";
import type { ConfigSource } from "../../../mesh/xds/gen/envoy/config/core/v3/config_source.ts";
import { RouteConfiguration } from "../../../mesh/xds/gen/envoy/config/route/v3/route.ts";
import { VirtualHost } from "../../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import { ADS } from "../ads.ts";
import { duration } from "../durations.ts";
import { encodedResource } from "../encode.ts";
import type { Scope } from "../memo.ts";
import { isHttp } from "../protocols.ts";
import { namedResource } from "../resource.ts";
import { LONGEST_DIRECT_RESPONSE } from "../routes/route-configuration.ts";
import { routedHost } from "../routes/routed-host.ts";
import { type AskedHost, calledService, parseAskedHost } from "./called-hosts.ts";
import type { EgressClass } from "./egress-class.ts";
import type { PlannedRoutes } from "./egress-plan.ts";
import { type UnknownHosts, unknownHost } from "./route-configuration.ts";

/** Envoy starts without a virtual host only when the wait for the first one is over: it does not hear an empty answer. */
const WITHOUT_WAITING: ConfigSource = { ...ADS, initialFetchTimeout: duration(1) };

/** A route configuration whose virtual hosts come one by one, as they are called (VHDS). */
export function onDemandRouteConfiguration({ name }: PlannedRoutes): EncodedResource {
  const shell = RouteConfiguration.fromPartial({
    name,
    vhds: { configSource: WITHOUT_WAITING },
    validateClusters: false,
    maxDirectResponseBodySizeBytes: LONGEST_DIRECT_RESPONSE,
  });
  return encodedResource(name, RouteConfiguration.encode(shell).finish());
}

/**
 * An answer to each virtual host that the workload's proxy has asked for, under the name that it asked by. Each has the
 * one domain that was called: two that are asked for by two names of one service never claim the same.
 */
export function askedVirtualHosts(
  scope: Scope,
  id: WorkloadId,
  of: EgressClass,
  unknown: UnknownHosts,
): readonly EncodedResource[] {
  if (of.source.kind !== "hosts" || !of.source.onDemand) return [];
  return scope.view.observed(id).flatMap((name) => {
    const asked = parseAskedHost(name);
    if (asked === undefined) return [];
    const key = `asked-host/${name}/${of.key}`;
    return [
      namedResource(
        scope,
        key,
        VirtualHost,
        (inner) => answer(inner, of, asked, unknown),
        () => name,
      ),
    ];
  });
}

function answer(scope: Scope, { client }: EgressClass, asked: AskedHost, unknown: UnknownHosts): VirtualHost {
  const domain = asked.name.slice(asked.routeName.length + 1);
  const service = calledService(scope.view, asked.host, client.namespace);
  const port = service?.ports.find(({ number, protocol }) => number === asked.port && isHttp(protocol));
  const virtualHost =
    service === undefined || port === undefined
      ? unknownHost(unknown)
      : routedHost(scope, client, service.hostname, port.number).virtualHost;
  return { ...virtualHost, name: asked.name, domains: [domain] };
}
