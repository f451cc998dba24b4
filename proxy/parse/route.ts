import { finish, type Steps } from "../../mesh/lifecycle/slices.ts";
import { RouteConfiguration as RouteConfigurationMessage } from "../../mesh/xds/gen/envoy/config/route/v3/route.ts";
import {
  type RouteMatch as RouteMatchMessage,
  Route as RouteMessage,
  VirtualHost_TlsRequirementType as TlsRequirement,
  VirtualHost as VirtualHostMessage,
} from "../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import type {
  PathMatch,
  Route,
  RouteAction,
  RouteConfiguration,
  RouteMatch,
  VirtualHost,
} from "../model/route.ts";
import { parseFilterSettings } from "./filter-settings.ts";
import { parseForward } from "./forward.ts";
import { EDIT_FIELDS, parseEdits } from "./header-edits.ts";
import { parseHeaderMatch, parseQueryMatch, parseRegex } from "./match.ts";
import { parseMetadataMatch } from "./metadata-match.ts";
import { parseRedirect } from "./redirect.ts";
import { invalid, onlyFields, required, unsupported } from "./refuse.ts";
import { parseRetry } from "./retry.ts";
import { decode, decodeEach, fraction, fromAds, inlineBytes, split } from "./values.ts";

/** `repeated VirtualHost virtual_hosts = 2` of a route configuration */
const VIRTUAL_HOSTS = 2;
/** `repeated Route routes = 3` of a virtual host */
const ROUTES = 3;

/** A virtual host, with its routes apart: each may be decoded when its turn comes. */
interface HostMessage {
  readonly from: VirtualHostMessage;
  readonly routes: Iterable<RouteMessage>;
}

/** In steps of a route each: there may be many thousands. */
export function* parseRouteConfiguration(bytes: Uint8Array, name: string): Steps<RouteConfiguration> {
  const where = `route configuration ${name}`;
  const { parts, rest } = yield* split(where, bytes, VIRTUAL_HOSTS);
  const hosts: HostMessage[] = [];
  for (const part of parts) hosts.push(yield* splitHost(where, part));
  return yield* readConfiguration(where, decode(where, RouteConfigurationMessage, rest), hosts);
}

/** One that is part of a listener. */
export function readRouteConfiguration(where: string, from: RouteConfigurationMessage): RouteConfiguration {
  const hosts = from.virtualHosts.map((host): HostMessage => ({ from: host, routes: host.routes }));
  return finish(readConfiguration(where, from, hosts));
}

/** A virtual host that comes by itself, of a route configuration with `vhds`. In steps. */
export function* parseOnDemandHost(bytes: Uint8Array, name: string): Steps<VirtualHost> {
  const where = `on-demand host ${name}`;
  return yield* parseVirtualHost(where, yield* splitHost(where, bytes));
}

function* splitHost(where: string, bytes: Uint8Array): Steps<HostMessage> {
  const { parts, rest } = yield* split(where, bytes, ROUTES);
  const from = decode(where, VirtualHostMessage, rest);
  return { from, routes: decodeEach(where, RouteMessage, parts) };
}

/** `validate_clusters` is not enforced: a route to a cluster that is not there answers 503 with the flag NC. */
function* readConfiguration(
  where: string,
  from: RouteConfigurationMessage,
  hosts: readonly HostMessage[],
): Steps<RouteConfiguration> {
  onlyFields(where, from, [
    "name",
    "virtualHosts",
    "vhds",
    ...EDIT_FIELDS,
    "ignorePortInHostMatching",
    "validateClusters",
    "maxDirectResponseBodySizeBytes",
    "metadata",
  ]);
  if (from.vhds) fromAds(`${where}: vhds`, from.vhds.configSource);
  const virtualHosts: VirtualHost[] = [];
  for (const host of hosts) virtualHosts.push(yield* parseVirtualHost(where, host));
  return {
    name: from.name,
    virtualHosts,
    edits: parseEdits(where, from),
    ignorePortInHost: from.ignorePortInHostMatching,
    onDemand: from.vhds !== undefined,
  };
}

function* parseVirtualHost(parent: string, { from, routes: messages }: HostMessage): Steps<VirtualHost> {
  const where = `${parent}: virtual host "${from.name}"`;
  onlyFields(where, from, [
    "name",
    "domains",
    "routes",
    ...EDIT_FIELDS,
    "typedPerFilterConfig",
    "retryPolicy",
    "includeRequestAttemptCount",
    "requireTls",
    "metadata",
  ]);
  if (from.requireTls === TlsRequirement.EXTERNAL_ONLY) throw unsupported(where, "require_tls EXTERNAL_ONLY");
  if (from.domains.length === 0) throw invalid(where, "no domains");
  const routes: Route[] = [];
  for (const message of messages) {
    routes.push(parseRoute(where, message, routes.length));
    yield;
  }
  return {
    name: from.name,
    domains: from.domains.map((domain) => domain.toLowerCase()),
    routes,
    edits: parseEdits(where, from),
    retry: from.retryPolicy && parseRetry(where, from.retryPolicy),
    filters: parseFilterSettings(where, from.typedPerFilterConfig),
    requireTls: from.requireTls === TlsRequirement.ALL,
    includeAttemptCount: from.includeRequestAttemptCount,
  };
}

function parseRoute(parent: string, from: RouteMessage, index: number): Route {
  const where = `${parent}: route "${from.name || index}"`;
  onlyFields(where, from, [
    "name",
    "match",
    "route",
    "redirect",
    "directResponse",
    "metadata",
    "decorator",
    "typedPerFilterConfig",
    ...EDIT_FIELDS,
    "statPrefix",
  ]);
  return {
    name: from.name,
    match: parseMatch(where, required(where, "match", from.match)),
    action: parseAction(where, from),
    edits: parseEdits(where, from),
    filters: parseFilterSettings(where, from.typedPerFilterConfig),
  };
}

function parseMatch(where: string, from: RouteMatchMessage): RouteMatch {
  onlyFields(`${where}: match`, from, [
    "prefix",
    "path",
    "safeRegex",
    "pathSeparatedPrefix",
    "caseSensitive",
    "runtimeFraction",
    "headers",
    "queryParameters",
    "dynamicMetadata",
  ]);
  return {
    path: parsePath(where, from),
    headers: from.headers.map((header) => parseHeaderMatch(where, header)),
    query: from.queryParameters.map((parameter) => parseQueryMatch(where, parameter)),
    fraction: fraction(from.runtimeFraction?.defaultValue, 1),
    metadata: from.dynamicMetadata.map((matcher) => parseMetadataMatch(where, matcher)),
  };
}

function parsePath(where: string, from: RouteMatchMessage): PathMatch {
  const ignoreCase = from.caseSensitive === false;
  if (from.prefix !== undefined) return { kind: "prefix", value: from.prefix, ignoreCase };
  if (from.path !== undefined) return { kind: "exact", value: from.path, ignoreCase };
  if (from.pathSeparatedPrefix !== undefined) {
    return { kind: "path-prefix", value: from.pathSeparatedPrefix, ignoreCase };
  }
  if (from.safeRegex !== undefined) return { kind: "regex", value: parseRegex(where, from.safeRegex) };
  throw invalid(where, "a route without a path match");
}

function parseAction(where: string, from: RouteMessage): RouteAction {
  if (from.route) return parseForward(where, from.route);
  if (from.redirect) return parseRedirect(where, from.redirect);
  if (from.directResponse) {
    const { status, body } = from.directResponse;
    if (status < 200 || status > 599) throw invalid(where, `direct response with status ${status}`);
    return { kind: "respond", status, body: inlineBytes(where, body) };
  }
  throw invalid(where, "a route without an action");
}
