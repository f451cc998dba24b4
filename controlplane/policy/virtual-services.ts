import { hostMatches, type KnowsHost, resolveHost } from "../../mesh/model/hosts.ts";
import { byPrecedence, type StoredObject } from "../../mesh/model/object.ts";
import { keyOf } from "../snapshot/config-index.ts";
import { patternsCovering } from "../snapshot/host-names.ts";
import { gatewayKey, MESH_GATEWAY } from "../snapshot/object-lists.ts";
import type { SnapshotView } from "../snapshot/snapshot-view.ts";
import type { Client } from "./client.ts";
import { type HostClaim, type Visibility, virtualServiceVisibility } from "./export-to.ts";
import { type ApplicableRoute, applicableHttpRoutes, lacksDelegate } from "./http-routes.ts";
import { importsVirtualService } from "./imports.ts";
import { serviceFor } from "./services.ts";

type VirtualService = StoredObject<"VirtualService">;

/** The side of a call by which VirtualServices are looked up. */
export type RoutingClient = Pick<Client, "namespace" | "labels" | "imports" | "prefers">;

/** As far as it decides which VirtualServices count. */
export type CountingClient = Omit<RoutingClient, "labels">;

const NEAREST_FIRST: readonly Visibility[] = ["private", "exported", "public"];

/** What routes the HTTP calls of a host, and the routes of it that this client can meet at this port. */
interface GoverningRoutes {
  readonly virtualService: VirtualService;
  /** Never empty. */
  readonly routes: readonly ApplicableRoute[];
}

export interface Governing {
  /** Undefined: the service's default route. */
  readonly governing: GoverningRoutes | undefined;
  /** Those before it that would govern, were what they delegate to there. */
  readonly lost: readonly VirtualService[];
}

/**
 * The one VirtualService whose HTTP routes govern a host for a client. The most specific host wins; among those the
 * nearest: private to the client's namespace, exported to it, public; among those the oldest. They are never merged,
 * but one that has no route for this client and port claims nothing.
 */
export function governingRoutes(
  view: SnapshotView,
  client: RoutingClient,
  hostname: string,
  port: number,
): Governing {
  for (const pattern of patternsCovering(hostname)) {
    const candidates = meantVirtualServices(view, client, pattern);
    if (candidates.length > 0) return firstWithRoutes(view, client, candidates, port);
  }
  return { governing: undefined, lost: [] };
}

/** The first of some VirtualServices that has a route for a client at a port. */
export function firstWithRoutes(
  view: SnapshotView,
  client: RoutingClient,
  candidates: readonly VirtualService[],
  port: number,
): Governing {
  const lost: VirtualService[] = [];
  for (const virtualService of candidates) {
    const routes = applicableHttpRoutes(view, virtualService, client, port, undefined);
    if (routes.length > 0) return { governing: { virtualService, routes }, lost };
    if (lacksDelegate(view, virtualService, client, port)) lost.push(virtualService);
  }
  return { governing: undefined, lost };
}

/**
 * All VirtualServices whose TLS and TCP routes count for a host, in order: of these, unlike HTTP's, several may. For a
 * service with a wildcard also those whose hosts it covers.
 */
export function layer4VirtualServices(
  view: SnapshotView,
  client: RoutingClient,
  hostname: string,
): readonly VirtualService[] {
  const all = patternsCovering(hostname).flatMap((pattern) => meantVirtualServices(view, client, pattern));
  if (hostname.startsWith("*")) {
    const { domainSuffix } = view.settings;
    const within = view
      .virtualServicesOf(MESH_GATEWAY)
      .filter(({ spec, metadata }) =>
        spec.hosts.some((host) => hostMatches(hostname, resolveHost(host, metadata.namespace, domainSuffix))),
      );
    all.push(...within);
  }
  const unique = [...new Map(all.map((one) => [keyOf(one), one])).values()].sort(byPrecedence);
  return counted(view, unique, client);
}

/** Those for the proxies of the mesh that have exactly this host and count for a client, nearest first. */
export function meshVirtualServices(
  view: SnapshotView,
  client: CountingClient,
  pattern: string,
): readonly VirtualService[] {
  const all = view
    .virtualServices(pattern)
    .filter(({ spec, metadata }) => isFor(spec.gateways, metadata.namespace, MESH_GATEWAY));
  return counted(view, all, client);
}

/**
 * The host that VirtualServices with HTTP routes have which count for a client and cover a called host: the most
 * specific, which may be a wildcard.
 */
export function httpHostCovering(
  view: SnapshotView,
  client: CountingClient,
  host: string,
): string | undefined {
  return patternsCovering(host).find((pattern) =>
    meshVirtualServices(view, client, pattern).some(({ spec }) => spec.http.length > 0),
  );
}

/** Of these, those whose hosts mean it: a host like `reviews.shop` can mean two things, of which the one that is there counts. */
function meantVirtualServices(
  view: SnapshotView,
  client: RoutingClient,
  pattern: string,
): readonly VirtualService[] {
  const { domainSuffix } = view.settings;
  const knows = known(view, client);
  return meshVirtualServices(view, client, pattern).filter(({ spec, metadata }) =>
    spec.hosts.some((host) => resolveHost(host, metadata.namespace, domainSuffix, knows) === pattern),
  );
}

/** Whether a list of gateways, written in a namespace, names this one (`mesh` or `namespace/name`). None means `mesh`. */
export function isFor(gateways: readonly string[], namespace: string, gateway: string): boolean {
  if (gateways.length === 0) return gateway === MESH_GATEWAY;
  return gateways.some((one) => gatewayKey(one, namespace) === gateway);
}

/** Whether a client's namespace sees a VirtualService and, where a Sidecar holds for it, imports it. */
export function countsFor(view: SnapshotView, client: CountingClient, one: HostClaim): boolean {
  return (
    virtualServiceVisibility(view, one, client.namespace) !== undefined &&
    importsVirtualService(view.settings, client.imports, one, known(view, client))
  );
}

/** Those that count for a client; nearest first. */
function counted(
  view: SnapshotView,
  list: readonly VirtualService[],
  client: CountingClient,
): readonly VirtualService[] {
  const knows = known(view, client);
  const imported = list.filter((one) => importsVirtualService(view.settings, client.imports, one, knows));
  return nearestFirst(view, imported, client.namespace);
}

/** Which services there are for a client. */
function known(view: SnapshotView, client: CountingClient): KnowsHost {
  return (hostname) => serviceFor(view, hostname, client) !== undefined;
}

/** Those that a namespace sees: private to it, exported to it, public; each in the order that they are given in. */
export function nearestFirst(
  view: SnapshotView,
  list: readonly VirtualService[],
  from: string,
): readonly VirtualService[] {
  if (list.length === 0) return list;
  const seen = list.map((one) => ({ one, how: virtualServiceVisibility(view, one, from) }));
  return NEAREST_FIRST.flatMap((wanted) => seen.filter(({ how }) => how === wanted).map(({ one }) => one));
}
