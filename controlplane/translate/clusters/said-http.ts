import type { Client } from "../../policy/client.ts";
import { destinationPolicy, findDestinationRules } from "../../policy/destination-rules.ts";
import { portPolicy } from "../../policy/port-policy.ts";
import { serviceFor } from "../../policy/services.ts";
import type { SnapshotView } from "../../snapshot/snapshot-view.ts";
import type { ServiceDestination } from "../destinations.ts";
import type { SaidHttp } from "../filters/alpn-filters.ts";
import { upstreamHttp, usesMeshTls } from "./outbound-cluster.ts";

/**
 * What calls to a destination have to say by themselves: the mesh TLS of a cluster that bytes use too, at a port whose
 * protocol nobody says, does not tell that they are HTTP. Undefined: there is nothing to say, or the cluster says it.
 */
export function saidHttp(
  view: SnapshotView,
  client: Client,
  { hostname, port: number, subset }: ServiceDestination,
): SaidHttp | undefined {
  const service = serviceFor(view, hostname, client);
  const port = service?.ports.find((one) => one.number === number);
  if (service === undefined || port?.protocol !== "auto") return undefined;
  const { mesh } = view.settings;
  const rules = destinationPolicy(view, findDestinationRules(view, client, service));
  const policy = portPolicy(rules, subset, number, mesh.defaultTrafficPolicy);
  if (!usesMeshTls(view, service, policy)) return undefined;
  const http = client.role === "sidecar" ? "as-called" : upstreamHttp(port, policy, mesh);
  return http === "http2" ? undefined : http;
}
