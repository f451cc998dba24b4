import { hostMatches } from "../../../mesh/model/hosts.ts";
import type { Service } from "../../../mesh/model/service.ts";
import type { HostClaim } from "../../policy/export-to.ts";
import { importsService } from "../../policy/imports.ts";
import { findService, serviceFor } from "../../policy/services.ts";
import {
  type CountingClient,
  countsFor,
  firstWithRoutes,
  type Governing,
  httpHostCovering,
  meshVirtualServices,
  type RoutingClient,
} from "../../policy/virtual-services.ts";
import { patternsCovering } from "../../snapshot/host-names.ts";
import type { SnapshotView } from "../../snapshot/snapshot-view.ts";
import { byText } from "../../snapshot/text-order.ts";
import { mayBeHttp } from "../protocols.ts";

/** Where every host of a VirtualService is called; elsewhere it is beside a service of the same object. */
const FOREIGN_PORT = 80;

/** Hosts without a service for them, by port. */
export type ForeignHosts = ReadonlyMap<number, readonly string[]>;

/**
 * Istio's rule: a VirtualService is in force at port 80 and at the HTTP ports of the services that its hosts mean to a
 * caller. There it routes all its hosts: also those that no registry knows, whose services have other ports, or that a
 * Sidecar does not import.
 */
export function foreignHosts(
  view: SnapshotView,
  caller: CountingClient,
  claims: readonly HostClaim[],
): ForeignHosts {
  const all = new Map<number, Set<string>>();
  for (const claim of claims) {
    if (!countsFor(view, caller, claim)) continue;
    for (const [port, hosts] of foreignHostsOf(view, caller, claim)) {
      const known = all.get(port) ?? new Set();
      all.set(port, known);
      for (const host of hosts) known.add(host);
    }
  }
  return new Map([...all].map(([port, hosts]) => [port, [...hosts].sort(byText)]));
}

/**
 * The host of a VirtualService that a called host falls under, when no service is for it there: the most specific, which
 * may be a wildcard.
 */
export function foreignHostCovering(
  view: SnapshotView,
  client: RoutingClient,
  host: string,
  port: number,
): string | undefined {
  const pattern = httpHostCovering(view, client, host);
  if (pattern === undefined) return undefined;
  const { governing, lost } = foreignRoutes(view, client, pattern, port);
  return governing !== undefined || lost.length > 0 ? pattern : undefined;
}

/** What routes such a host for a client at a port, `host` being as it is in `foreignHosts`. */
export function foreignRoutes(
  view: SnapshotView,
  client: RoutingClient,
  host: string,
  port: number,
): Governing {
  const candidates = meshVirtualServices(view, client, host).filter(
    (one) => foreignHostsOf(view, client, one).get(port)?.includes(host) === true,
  );
  return firstWithRoutes(view, client, candidates, port);
}

/** A host of a VirtualService, as it means something to a caller. */
interface MeantHost {
  /** The service's name where there is one; else as it is written, maybe with a wildcard. */
  readonly host: string;
  /** What the caller can call by it. */
  readonly services: readonly Service[];
}

function foreignHostsOf(view: SnapshotView, caller: CountingClient, claim: HostClaim): ForeignHosts {
  const meant = claim.spec.hosts.map((host) => meantBy(view, caller, host, claim));
  const routed = meant.flatMap(({ host, services }) =>
    services.filter(({ hostname }) => host === hostname || isClaimed(view, caller, hostname, host, claim)),
  );
  const called = routed.flatMap(({ ports }) => ports.filter(({ protocol }) => mayBeHttp(protocol)));
  const ports = new Set([FOREIGN_PORT, ...called.map(({ number }) => number)]);
  return new Map(
    [...ports].map((port) => [
      port,
      meant.filter(({ services }) => !services.some((one) => hasPort(one, port))).map(({ host }) => host),
    ]),
  );
}

function meantBy(
  view: SnapshotView,
  caller: CountingClient,
  written: string,
  { metadata: { namespace } }: HostClaim,
): MeantHost {
  if (written.startsWith("*")) {
    const covered = view.hosts.filter(({ hostname }) => hostMatches(written, hostname));
    const services = new Set(covered.map(({ hostname }) => serviceFor(view, hostname, caller)));
    return { host: written.toLowerCase(), services: [...services].filter(canCall) };
  }
  const service = findService(view, written, namespace, caller);
  if (service === undefined) return { host: written.toLowerCase(), services: [] };
  return { host: service.hostname, services: [service].filter(canCall) };

  function canCall(one: Service | undefined): one is Service {
    return one !== undefined && importsService(caller.imports, one);
  }
}

/** Whether a wildcard is the most specific host that a service is routed by, and this the first VirtualService with it. */
function isClaimed(
  view: SnapshotView,
  caller: CountingClient,
  hostname: string,
  wildcard: string,
  claim: HostClaim,
): boolean {
  for (const pattern of patternsCovering(hostname)) {
    const [first] = meshVirtualServices(view, caller, pattern);
    if (first !== undefined) return pattern === wildcard && isSame(first, claim);
  }
  return false;
}

function isSame(a: HostClaim, b: HostClaim): boolean {
  return a.metadata.namespace === b.metadata.namespace && a.metadata.name === b.metadata.name;
}

function hasPort({ ports }: Service, port: number): boolean {
  return ports.some(({ number }) => number === port);
}
