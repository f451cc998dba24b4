import { finish, type Steps } from "../../mesh/lifecycle/slices.ts";
import type {
  ForwardAction,
  MessageEdits,
  RetryPolicy,
  Route,
  RouteConfiguration,
  RouteMatch,
  VirtualHost,
  WeightedCluster,
} from "../model/route.ts";
import { type CorsFilter, compileCors } from "./cors.ts";
import type { RequestFacts } from "./facts.ts";
import { compileFault, type FaultFilter } from "./fault.ts";
import { compileHashPolicies, type RequestHasher } from "./hash-policy.ts";
import { type CompiledEdits, compileEdits } from "./header-edits.ts";
import { compileHeader, compilePath, compileQuery } from "./matchers.ts";
import { compileMetadata } from "./metadata.ts";
import { compileRedirect, compileRewrite, type PathEdit } from "./rewrite.ts";
import { type Random, weightedChoice } from "./weighted.ts";

/** The answer to "where does this request go". */
export type Decision =
  | ForwardDecision
  | {
      readonly kind: "redirect";
      readonly route: string;
      readonly status: number;
      readonly location: string;
      readonly edits: readonly CompiledEdits[];
    }
  | {
      readonly kind: "respond";
      readonly route: string;
      readonly status: number;
      readonly body: Uint8Array;
      readonly edits: readonly CompiledEdits[];
    };

/** Only what goes on to an upstream gets faults and CORS, as in Envoy. */
export interface ForwardDecision {
  readonly route: string;
  readonly fault: FaultFilter | undefined;
  readonly cors: CorsFilter | undefined;
  readonly kind: "forward";
  readonly cluster: string;
  readonly action: ForwardAction;
  readonly retry: RetryPolicy | undefined;
  /** Undefined: any host will do. */
  readonly hash: RequestHasher | undefined;
  /** Path with query as the upstream gets it. */
  readonly target: string;
  readonly authority: string;
  readonly rewritten: boolean;
  readonly includeAttemptCount: boolean;
  /** As in `FilterSettings`. */
  readonly saysHttp: boolean;
  readonly requestEdits: readonly CompiledEdits[];
  readonly responseEdits: readonly CompiledEdits[];
}

/** A compiled route configuration. */
export interface RouteTable {
  readonly name: string;
  /** Virtual hosts that are not known can be asked for. */
  readonly onDemand: boolean;
  /** Every cluster that a request can be sent to, and those that get copies. */
  readonly clusters: ReadonlySet<string>;
  /** Undefined when no route matches. */
  decide(request: RequestFacts, random: Random): Decision | undefined;
}

interface CompiledHost {
  readonly requireTls: boolean;
  readonly routes: readonly CompiledRoute[];
}

interface CompiledRoute {
  matches(request: RequestFacts, random: Random): boolean;
  decide(request: RequestFacts, random: Random): Decision;
}

/** In steps of a route each. `asked`: virtual hosts that came by themselves, by their domains; the map may change. */
export function* compileRouteTable(
  config: RouteConfiguration,
  asked: ReadonlyMap<string, VirtualHost> = NO_HOSTS,
): Steps<RouteTable> {
  const hosts: HostEntry[] = [];
  for (const host of config.virtualHosts) hosts.push({ host, compiled: yield* compileHost(config, host) });
  const find = yield* compileDomains(hosts);
  const clusters = yield* clustersOf(config);
  const compiled = new WeakMap<VirtualHost, CompiledHost>();
  const findAsked = (authority: string): CompiledHost | undefined => {
    const host = asked.get(authority);
    if (host === undefined) return undefined;
    const known = compiled.get(host) ?? finish(compileHost(config, host));
    compiled.set(host, known);
    return known;
  };
  return {
    name: config.name,
    onDemand: config.onDemand,
    clusters,
    decide(request, random) {
      const authority = request.authority.toLowerCase();
      const host =
        find(config.ignorePortInHost ? authority.replace(/:\d+$/, "") : authority) ?? findAsked(authority);
      if (host?.requireTls && request.scheme !== "https") return toTls(request);
      return host?.routes.find((route) => route.matches(request, random))?.decide(request, random);
    },
  };
}

const NO_HOSTS: ReadonlyMap<string, VirtualHost> = new Map();

/** Envoy's redirect for `require_tls`: nothing but the scheme changes. */
function toTls({ authority, path, query }: RequestFacts): Decision {
  const location = `https://${authority}${path}${query}`;
  return { kind: "redirect", route: "", status: 301, location, edits: [] };
}

function* clustersOf(config: RouteConfiguration): Steps<Set<string>> {
  const names = new Set<string>();
  for (const { routes } of config.virtualHosts) {
    for (const { action } of routes) {
      if (action.kind === "forward") {
        for (const { name } of action.clusters) names.add(name);
        for (const { cluster } of action.mirrors) names.add(cluster);
      }
      yield;
    }
  }
  return names;
}

interface HostEntry {
  readonly host: VirtualHost;
  readonly compiled: CompiledHost;
}

/** Envoy's search order: exact, longest `*.suffix`, longest `prefix.*`, `*`. */
function* compileDomains(
  hosts: readonly HostEntry[],
): Steps<(authority: string) => CompiledHost | undefined> {
  const exact = new Map<string, CompiledHost>();
  const suffixes: [string, CompiledHost][] = [];
  const prefixes: [string, CompiledHost][] = [];
  let fallback: CompiledHost | undefined;
  for (const { host, compiled } of hosts) {
    for (const domain of host.domains) {
      if (domain === "*") fallback ??= compiled;
      else if (domain.startsWith("*")) suffixes.push([domain.slice(1), compiled]);
      else if (domain.endsWith("*")) prefixes.push([domain.slice(0, -1), compiled]);
      else if (!exact.has(domain)) exact.set(domain, compiled);
    }
    yield;
  }
  const longestFirst = (a: [string, unknown], b: [string, unknown]): number => b[0].length - a[0].length;
  suffixes.sort(longestFirst);
  prefixes.sort(longestFirst);
  return (authority) =>
    exact.get(authority) ??
    suffixes.find(([suffix]) => authority.length > suffix.length && authority.endsWith(suffix))?.[1] ??
    prefixes.find(([prefix]) => authority.length > prefix.length && authority.startsWith(prefix))?.[1] ??
    fallback;
}

function* compileHost(config: RouteConfiguration, host: VirtualHost): Steps<CompiledHost> {
  const routes: CompiledRoute[] = [];
  for (const route of host.routes) {
    routes.push(compileRoute(config, host, route));
    yield;
  }
  return { requireTls: host.requireTls, routes };
}

function compileRoute(config: RouteConfiguration, host: VirtualHost, route: Route): CompiledRoute {
  return { matches: compileMatch(route.match), decide: compileAction(config, host, route) };
}

function compileMatch(match: RouteMatch): CompiledRoute["matches"] {
  const path = compilePath(match.path);
  const rest = [
    ...match.headers.map(compileHeader),
    ...match.query.map(compileQuery),
    ...match.metadata.map(compileMetadata),
  ];
  return (request, random) =>
    path(request.path) &&
    rest.every((test) => test(request)) &&
    (match.fraction >= 1 || random() < match.fraction);
}

function compileAction(config: RouteConfiguration, host: VirtualHost, route: Route): CompiledRoute["decide"] {
  const { action, name } = route;
  const levels = [route.edits, host.edits, config.edits];
  const edits = levels.map(({ response }) => compileEdits(response));
  switch (action.kind) {
    case "respond": {
      const { status, body } = action;
      const decision: Decision = { kind: "respond", route: name, status, body, edits };
      return () => decision;
    }
    case "redirect": {
      const locate = compileRedirect(action, route.match.path);
      const { status } = action;
      return (request) => ({ kind: "redirect", route: name, status, location: locate(request), edits });
    }
    case "forward":
      return compileForward(action, host, route, levels);
    default:
      return action satisfies never;
  }
}

function compileForward(
  action: ForwardAction,
  host: VirtualHost,
  route: Route,
  levels: readonly MessageEdits[],
): CompiledRoute["decide"] {
  const rewrite: PathEdit | undefined =
    action.pathRewrite && compileRewrite(action.pathRewrite, route.match.path);
  const choose = weightedChoice(action.clusters.map((cluster) => withEdits(cluster, levels)));
  const retry = action.retry ?? host.retry;
  const hash = compileHashPolicies(action.hash);
  const { fault = host.filters.fault, cors = host.filters.cors } = route.filters;
  const filters = { fault: fault && compileFault(fault), cors: cors && compileCors(cors) };
  const saysHttp = route.filters.saysHttp || host.filters.saysHttp;
  return (request, random) => {
    const { cluster, requestEdits, responseEdits } = choose(random);
    const path = rewrite ? rewrite(request.path) : request.path;
    return {
      kind: "forward",
      route: route.name,
      cluster: cluster.name,
      action,
      retry,
      ...filters,
      hash,
      target: path + request.query,
      authority: cluster.authorityRewrite ?? action.authorityRewrite ?? request.authority,
      rewritten: rewrite !== undefined,
      includeAttemptCount: host.includeAttemptCount,
      saysHttp: saysHttp || cluster.saysHttp,
      requestEdits,
      responseEdits,
    };
  };
}

interface WeightedChoice {
  readonly cluster: WeightedCluster;
  readonly weight: number;
  readonly requestEdits: readonly CompiledEdits[];
  readonly responseEdits: readonly CompiledEdits[];
}

function withEdits(cluster: WeightedCluster, levels: readonly MessageEdits[]): WeightedChoice {
  const all = [cluster.edits, ...levels];
  return {
    cluster,
    weight: cluster.weight,
    requestEdits: all.map(({ request }) => compileEdits(request)),
    responseEdits: all.map(({ response }) => compileEdits(response)),
  };
}
