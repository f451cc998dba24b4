import type { ConsistentHash } from "../../../mesh/model/destination-rule.ts";
import { RouteAction_HashPolicy } from "../../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import type { Client } from "../../policy/client.ts";
import { destinationPolicy, findDestinationRules } from "../../policy/destination-rules.ts";
import { portPolicy } from "../../policy/port-policy.ts";
import { serviceFor } from "../../policy/services.ts";
import type { SnapshotView } from "../../snapshot/snapshot-view.ts";
import type { ServiceDestination } from "../destinations.ts";
import { duration } from "../durations.ts";

/** What the DestinationRules for a destination say its calls are hashed by; undefined: they are not. */
export function hashPolicyOf(
  view: SnapshotView,
  client: Client,
  { hostname, port, subset }: ServiceDestination,
): RouteAction_HashPolicy | undefined {
  const service = serviceFor(view, hostname, client);
  if (service === undefined) return undefined;
  const policy = destinationPolicy(view, findDestinationRules(view, client, service));
  const base = view.settings.mesh.defaultTrafficPolicy;
  const hash = portPolicy(policy, subset, port, base).loadBalancer?.consistentHash;
  return hash && hashPolicy(hash.key);
}

function hashPolicy(key: ConsistentHash["key"]): RouteAction_HashPolicy {
  switch (key.kind) {
    case "header":
      return RouteAction_HashPolicy.fromPartial({ header: { headerName: key.name } });
    case "cookie":
      return RouteAction_HashPolicy.fromPartial({
        cookie: {
          name: key.name,
          path: key.path,
          attributes: key.attributes.map(({ name, value }) => ({ name, value })),
          ...(key.ttlMs === undefined ? {} : { ttl: duration(key.ttlMs) }),
        },
      });
    case "source-ip":
      return RouteAction_HashPolicy.fromPartial({ connectionProperties: { sourceIp: true } });
    case "query":
      return RouteAction_HashPolicy.fromPartial({ queryParameter: { name: key.name } });
    default:
      return key satisfies never;
  }
}
