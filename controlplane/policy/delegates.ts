import type { HeaderOperations, StringMatch } from "../../mesh/model/match.ts";
import type { StoredObject } from "../../mesh/model/object.ts";
import type { Destination, HttpMatch, HttpRoute } from "../../mesh/model/virtual-service.ts";
import { serviceHostname } from "../snapshot/host-names.ts";
import { gatewayKey } from "../snapshot/object-lists.ts";
import type { SnapshotView } from "../snapshot/snapshot-view.ts";
import { virtualServiceVisibility } from "./export-to.ts";

type VirtualService = StoredObject<"VirtualService">;

/** An HTTP route and the VirtualService that it is written in, from whose namespace its short host names are meant. */
export interface OwnedRoute {
  readonly route: HttpRoute;
  readonly owner: VirtualService;
  /** Place in the owner's `spec.http`. */
  readonly index: number;
}

/** A route that delegates, and why what it delegates to (or a part of that) does not count. */
interface DelegateProblem {
  readonly index: number;
  readonly reason: string;
  /** There is nothing to delegate to, so that the whole route is left out. */
  readonly absent: boolean;
}

export interface ExpandedRoutes {
  readonly routes: readonly OwnedRoute[];
  readonly problems: readonly DelegateProblem[];
}

/** Of one VirtualService with its delegates: many matches that delegate to many multiply, and are a few lines to write. */
const MOST_MATCHES = 10_000;

/**
 * The HTTP routes of a VirtualService with those of its delegates in place of the ones that delegate. Istio's rule: one
 * level; a delegate has no hosts and is exported to the namespace of its root; a route of it whose match asks for what
 * the root's match rules out is left out; what it does not say it takes from the root. A delegate with which there would
 * be more than 10,000 matches is left out.
 */
export function expandDelegates(view: SnapshotView, root: VirtualService): ExpandedRoutes {
  const problems: DelegateProblem[] = [];
  let matches = 0;
  const routes = root.spec.http.flatMap((route, index): readonly OwnedRoute[] => {
    if (route.delegate === undefined) return [{ route, owner: root, index }];
    const found = delegateOf(view, root, route.delegate);
    if (typeof found === "string") {
      problems.push({ index, reason: found, absent: true });
      return [];
    }
    const asked = Math.max(1, route.match.length) * matchesIn(found.spec.http);
    if (matches + asked > MOST_MATCHES) {
      const { namespace, name } = found.metadata;
      problems.push({
        index,
        reason: `with those of ${namespace}/${name} there would be more than ${MOST_MATCHES} matches`,
        absent: false,
      });
      return [];
    }
    matches += asked;
    const meant = (destination: Destination): Destination =>
      qualified(destination, root.metadata.namespace, view.settings);
    const parent = {
      ...route,
      mirror: route.mirror && meant(route.mirror),
      mirrors: route.mirrors.map((one) => ({ ...one, destination: meant(one.destination) })),
    };
    return found.spec.http.flatMap((child, at) => {
      const merged = mergeRoute(parent, root.metadata.namespace, child, found.metadata.namespace);
      if (typeof merged !== "string") return [{ route: merged, owner: found, index: at }];
      const { namespace, name } = found.metadata;
      problems.push({ index, reason: `spec.http[${at}] of ${namespace}/${name} ${merged}`, absent: false });
      return [];
    });
  });
  return { routes, problems };
}

/** A route without matches has one: everything. */
function matchesIn(routes: readonly HttpRoute[]): number {
  return routes.reduce((sum, { match }) => sum + Math.max(1, match.length), 0);
}

/** What a route delegates to; a text says why there is nothing to delegate to. */
export function delegateOf(
  view: SnapshotView,
  root: VirtualService,
  { name, namespace }: NonNullable<HttpRoute["delegate"]>,
): VirtualService | string {
  const key = `${namespace || root.metadata.namespace}/${name}`;
  const found = view.virtualServiceNamed(key);
  if (found === undefined) return `there is no VirtualService ${key} to delegate to`;
  if (found.spec.hosts.length > 0)
    return `VirtualService ${key} has hosts, so nothing can be delegated to it`;
  if (virtualServiceVisibility(view, found, root.metadata.namespace) === undefined)
    return `VirtualService ${key} is not exported to namespace ${root.metadata.namespace}`;
  return found;
}

/** A text says why the child's route does not count. */
function mergeRoute(
  root: HttpRoute,
  rootNamespace: string,
  child: HttpRoute,
  childNamespace: string,
): HttpRoute | string {
  if (child.delegate !== undefined) return "delegates again, which a delegate must not";
  const match = mergeMatches(
    root.match.map((one) => withGateways(one, rootNamespace)),
    child.match.map((one) => withGateways(one, childNamespace)),
  );
  if (match === undefined) return "matches what this route does not";
  return {
    ...child,
    name: joined(root.name, child.name),
    match,
    directResponse: child.directResponse ?? root.directResponse,
    rewrite: child.rewrite ?? root.rewrite,
    timeoutMs: child.timeoutMs ?? root.timeoutMs,
    retries: child.retries ?? root.retries,
    fault: child.fault ?? root.fault,
    mirror: child.mirror ?? root.mirror,
    mirrorPercent: child.mirrorPercent ?? root.mirrorPercent,
    mirrors: child.mirrors.length > 0 ? child.mirrors : root.mirrors,
    cors: child.cors ?? root.cors,
    headers: saysNothing(child.headers) ? root.headers : child.headers,
  };
}

/** Every match of the child has to fit into one of the root's; it is merged with each that it fits into. */
function mergeMatches(
  root: readonly HttpMatch[],
  child: readonly HttpMatch[],
): readonly HttpMatch[] | undefined {
  if (root.length === 0) return child;
  if (child.length === 0) return root;
  const merged: HttpMatch[] = [];
  for (const inner of child) {
    const fitting = root.filter((outer) => !conflicts(outer, inner));
    if (fitting.length === 0) return undefined;
    merged.push(...fitting.map((outer) => mergeMatch(outer, inner)));
  }
  return merged;
}

function mergeMatch(root: HttpMatch, child: HttpMatch): HttpMatch {
  return {
    name: joined(root.name, child.name),
    uri: child.uri ?? root.uri,
    ignoreUriCase: child.ignoreUriCase,
    scheme: child.scheme ?? root.scheme,
    method: child.method ?? root.method,
    authority: child.authority ?? root.authority,
    headers: { ...root.headers, ...child.headers },
    withoutHeaders: { ...root.withoutHeaders, ...child.withoutHeaders },
    queryParams: { ...root.queryParams, ...child.queryParams },
    port: child.port ?? root.port,
    sourceLabels: { ...root.sourceLabels, ...child.sourceLabels },
    sourceNamespace: child.sourceNamespace || root.sourceNamespace,
    gateways: child.gateways.length > 0 ? child.gateways : root.gateways,
    statPrefix: child.statPrefix || root.statPrefix,
  };
}

function conflicts(root: HttpMatch, child: HttpMatch): boolean {
  return (
    valueConflicts(root.uri, child.uri) ||
    valueConflicts(root.scheme, child.scheme) ||
    valueConflicts(root.method, child.method) ||
    valueConflicts(root.authority, child.authority) ||
    anyConflicts(root.headers, child.headers) ||
    anyConflicts(root.withoutHeaders, child.withoutHeaders) ||
    anyConflicts(root.queryParams, child.queryParams) ||
    root.ignoreUriCase !== child.ignoreUriCase ||
    (root.port !== undefined && child.port !== undefined && root.port !== child.port) ||
    (root.sourceNamespace !== "" && child.sourceNamespace !== root.sourceNamespace) ||
    Object.entries(child.sourceLabels).some(([key, value]) => (root.sourceLabels[key] ?? value) !== value) ||
    (root.gateways.length > 0 && child.gateways.some((gateway) => !root.gateways.includes(gateway)))
  );
}

function anyConflicts(
  root: Readonly<Record<string, StringMatch>>,
  child: Readonly<Record<string, StringMatch>>,
): boolean {
  return Object.entries(child).some(([name, match]) => valueConflicts(root[name], match));
}

/** Whether the child's values are not all among the root's, as far as that can be told: of a regex it cannot. */
function valueConflicts(root: StringMatch | undefined, child: StringMatch | undefined): boolean {
  if (root === undefined || child === undefined) return false;
  if (root.kind === "exact") return child.kind !== "exact" || child.value !== root.value;
  if (root.kind === "prefix") {
    return !((child.kind === "exact" || child.kind === "prefix") && child.value.startsWith(root.value));
  }
  return true;
}

function withGateways(match: HttpMatch, namespace: string): HttpMatch {
  return { ...match, gateways: match.gateways.map((gateway) => gatewayKey(gateway, namespace)) };
}

/** A short host name keeps the meaning that it has where it was written. */
function qualified(
  destination: Destination,
  namespace: string,
  settings: SnapshotView["settings"],
): Destination {
  if (destination.host.includes(".")) return destination;
  return { ...destination, host: serviceHostname(destination.host, namespace, settings) };
}

function joined(root: string, child: string): string {
  return root === "" || child === "" ? root + child : `${root}-${child}`;
}

function saysNothing({ request, response }: HeaderOperations): boolean {
  return [request, response].every(
    ({ set, add, remove }) =>
      Object.keys(set).length === 0 && Object.keys(add).length === 0 && remove.length === 0,
  );
}
