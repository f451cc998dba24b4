import type {
  ForwardAction,
  HeaderEdits,
  MessageEdits,
  RetryPolicy,
  Route,
  RouteConfiguration,
  RouteMatch,
  VirtualHost,
  WeightedCluster,
} from "../model/route.ts";
import type { RequestFacts } from "./facts.ts";
import { compileFault, type FaultFilter } from "./fault.ts";
import { compileHeader, compilePath, compileQuery } from "./matchers.ts";
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
      readonly edits: readonly HeaderEdits[];
    }
  | {
      readonly kind: "respond";
      readonly route: string;
      readonly status: number;
      readonly body: Uint8Array;
      readonly edits: readonly HeaderEdits[];
    };

export interface ForwardDecision {
  readonly kind: "forward";
  readonly route: string;
  readonly cluster: string;
  readonly action: ForwardAction;
  readonly retry: RetryPolicy | undefined;
  readonly fault: FaultFilter | undefined;
  /** Path with query as the upstream gets it. */
  readonly target: string;
  readonly authority: string;
  readonly rewritten: boolean;
  readonly includeAttemptCount: boolean;
  readonly requestEdits: readonly HeaderEdits[];
  readonly responseEdits: readonly HeaderEdits[];
}

/** A compiled route configuration. */
export interface RouteTable {
  readonly name: string;
  /** Every cluster that a request can be sent to. */
  readonly clusters: ReadonlySet<string>;
  /** Undefined when no route matches. */
  decide(request: RequestFacts, random: Random): Decision | undefined;
}

interface CompiledHost {
  readonly routes: readonly CompiledRoute[];
}

interface CompiledRoute {
  matches(request: RequestFacts, random: Random): boolean;
  decide(request: RequestFacts, random: Random): Decision;
}

export function compileRouteTable(config: RouteConfiguration): RouteTable {
  const find = compileDomains(
    config.virtualHosts.map((host) => ({ host, compiled: compileHost(config, host) })),
  );
  return {
    name: config.name,
    clusters: new Set(config.virtualHosts.flatMap(({ routes }) => routes.flatMap(clustersOf))),
    decide(request, random) {
      const authority = request.authority.toLowerCase();
      const host = find(config.ignorePortInHost ? authority.replace(/:\d+$/, "") : authority);
      return host?.routes.find((route) => route.matches(request, random))?.decide(request, random);
    },
  };
}

function clustersOf({ action }: Route): string[] {
  return action.kind === "forward" ? action.clusters.map(({ name }) => name) : [];
}

/** Envoy's search order: exact, longest `*.suffix`, longest `prefix.*`, `*`. */
function compileDomains(
  hosts: readonly { readonly host: VirtualHost; readonly compiled: CompiledHost }[],
): (authority: string) => CompiledHost | undefined {
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

function compileHost(config: RouteConfiguration, host: VirtualHost): CompiledHost {
  return { routes: host.routes.map((route) => compileRoute(config, host, route)) };
}

function compileRoute(config: RouteConfiguration, host: VirtualHost, route: Route): CompiledRoute {
  return { matches: compileMatch(route.match), decide: compileAction(config, host, route) };
}

function compileMatch(match: RouteMatch): CompiledRoute["matches"] {
  const path = compilePath(match.path);
  const rest = [...match.headers.map(compileHeader), ...match.query.map(compileQuery)];
  return (request, random) =>
    path(request.path) &&
    rest.every((test) => test(request)) &&
    (match.fraction >= 1 || random() < match.fraction);
}

function compileAction(config: RouteConfiguration, host: VirtualHost, route: Route): CompiledRoute["decide"] {
  const { action, name } = route;
  const levels = [route.edits, host.edits, config.edits];
  const responseEdits = levels.map(({ response }) => response);
  switch (action.kind) {
    case "respond":
      return () => ({
        kind: "respond",
        route: name,
        status: action.status,
        body: action.body,
        edits: responseEdits,
      });
    case "redirect": {
      const locate = compileRedirect(action, route.match.path);
      const { status } = action;
      return (request) => ({
        kind: "redirect",
        route: name,
        status,
        location: locate(request),
        edits: responseEdits,
      });
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
  const fault = route.fault ?? host.fault;
  const injected = fault && compileFault(fault);
  const choose = weightedChoice(action.clusters.map((cluster) => withEdits(cluster, levels)));
  const retry = action.retry ?? host.retry;
  return (request, random) => {
    const { cluster, requestEdits, responseEdits } = choose(random);
    const path = rewrite ? rewrite(request.path) : request.path;
    return {
      kind: "forward",
      route: route.name,
      cluster: cluster.name,
      action,
      retry,
      fault: injected,
      target: path + request.query,
      authority: cluster.authorityRewrite ?? action.authorityRewrite ?? request.authority,
      rewritten: rewrite !== undefined,
      includeAttemptCount: host.includeAttemptCount,
      requestEdits,
      responseEdits,
    };
  };
}

interface WeightedChoice {
  readonly cluster: WeightedCluster;
  readonly weight: number;
  readonly requestEdits: readonly HeaderEdits[];
  readonly responseEdits: readonly HeaderEdits[];
}

function withEdits(cluster: WeightedCluster, levels: readonly MessageEdits[]): WeightedChoice {
  const all = [cluster.edits, ...levels];
  return {
    cluster,
    weight: cluster.weight,
    requestEdits: all.map(({ request }) => request),
    responseEdits: all.map(({ response }) => response),
  };
}
