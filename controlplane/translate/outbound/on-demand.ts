import type { WorkloadId } from "../../../mesh/model/workload.ts";
import type { EncodedResource } from "../../../mesh/xds/encoded-resource.ts";
import type { ConfigSource } from "../../../mesh/xds/gen/envoy/config/core/v3/config_source.ts";
import { RouteConfiguration } from "../../../mesh/xds/gen/envoy/config/route/v3/route.ts";
import { VirtualHost } from "../../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import { ADS } from "../ads.ts";
import { duration } from "../durations.ts";
import { encodedResource } from "../encode.ts";
import type { Scope } from "../memo.ts";
import { mayBeHttp } from "../protocols.ts";
import { namedResource } from "../resource.ts";
import { foreignHostCovering } from "../routes/foreign-hosts.ts";
import { LONGEST_DIRECT_RESPONSE } from "../routes/route-configuration.ts";
import { routedForeignHost, routedHost } from "../routes/routed-host.ts";
import type { RoutedHost } from "../routes/virtual-host.ts";
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
    const key = `asked-host/${name}/${unknown.calls ?? ""}/${of.key}`;
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

function answer(scope: Scope, of: EgressClass, asked: AskedHost, unknown: UnknownHosts): VirtualHost {
  const domain = asked.name.slice(asked.routeName.length + 1);
  const virtualHost = askedHost(scope, of, asked)?.virtualHost ?? unknownHost(unknown);
  return { ...virtualHost, name: asked.name, domains: [domain] };
}

function askedHost(scope: Scope, of: EgressClass, { host, port }: AskedHost): RoutedHost | undefined {
  const { client } = of;
  const service = calledService(scope.view, host, client);
  const served = service?.ports.find(({ number }) => number === port);
  if (service !== undefined && served !== undefined) {
    return mayBeHttp(served.protocol) ? routedHost(scope, client, service.hostname, port) : undefined;
  }
  const pattern = foreignHostCovering(scope.view, client, service?.hostname ?? host, port);
  return pattern === undefined ? undefined : routedForeignHost(scope, client, pattern, port);
}
