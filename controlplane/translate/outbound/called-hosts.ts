import { isIP } from "node:net";
import type { Service } from "../../../mesh/model/service.ts";
import type { WorkloadId } from "../../../mesh/model/workload.ts";
import { findService, type ServiceClient, serviceFor } from "../../policy/services.ts";
import { patternsCovering } from "../../snapshot/host-names.ts";
import type { SnapshotView } from "../../snapshot/snapshot-view.ts";

/** The port of a call that does not say one. */
const HTTP_PORT = 80;

/** Of a route configuration's name and of a host's (RFC 1035) with its port; a longer one is no service's. */
const LONGEST_ASKED = 512;

/** What a workload has called. */
export interface CalledHost {
  /** As the caller wrote it, in lower case, without its port. */
  readonly host: string;
  readonly port: number;
}

/** A virtual host that a workload's proxy asked for: `http_proxy/reviews:9080`, `9080/reviews.default`. */
export interface AskedHost extends CalledHost {
  readonly name: string;
  readonly routeName: string;
}

/** What a workload's proxy asked for, by the name of a virtual host or of a cluster; undefined: it is neither. */
export function parseAsked(name: string): CalledHost | undefined {
  return name.length > LONGEST_ASKED ? undefined : (parseAskedHost(name) ?? parseAskedCluster(name));
}

/** A cluster that a connection is for: `outbound|5432||db.default.svc.cluster.local`. */
function parseAskedCluster(name: string): CalledHost | undefined {
  const [, port, host] = /^outbound\|(\d{1,5})\|[^|/]*\|([^|/]+)$/.exec(name) ?? [];
  return port === undefined || host === undefined ? undefined : { host, port: Number(port) };
}

/** Undefined: it is not such a name. A route configuration by itself is asked for with its first subscription. */
export function parseAskedHost(name: string): AskedHost | undefined {
  const slash = name.indexOf("/");
  if (slash <= 0 || slash === name.length - 1) return undefined;
  const routeName = name.slice(0, slash);
  const [, host = "", portText] = /^(.*?)(?::(\d{1,5}))?$/.exec(name.slice(slash + 1).toLowerCase()) ?? [];
  if (host === "") return undefined;
  const ofRoutes = /^\d{1,5}$/.test(routeName) ? Number(routeName) : undefined;
  return {
    name,
    routeName,
    host,
    port: ofRoutes ?? (portText === undefined ? HTTP_PORT : Number(portText)),
  };
}

/** The service that a host header means to a client: by name, by wildcard, by address. */
export function calledService(view: SnapshotView, host: string, client: ServiceClient): Service | undefined {
  if (isIP(host) !== 0) {
    return view.hosts
      .map(({ hostname }) => serviceFor(view, hostname, client))
      .find((service) => service?.addresses.includes(host) === true);
  }
  const named = findService(view, host, client.namespace, client);
  if (named !== undefined) return named;
  return patternsCovering(host)
    .map((pattern) => serviceFor(view, pattern, client))
    .find((service) => service !== undefined);
}

/** What a workload has called so far. */
export function calledHosts(view: SnapshotView, id: WorkloadId): readonly CalledHost[] {
  return view.observed(id).flatMap((name) => parseAsked(name) ?? []);
}
