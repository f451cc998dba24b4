import type { RouteConfiguration } from "../../mesh/xds/gen/envoy/config/route/v3/route.ts";
import {
  RouteAction_ClusterNotFoundResponseCode as NotFoundCode,
  VirtualHost_TlsRequirementType as RequireTls,
  type Route,
} from "../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import type { HttpConnectionManager } from "../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { originOf } from "../translate/config-metadata.ts";
import type { Call } from "./call.ts";
import { preflightAnswer } from "./cors.ts";
import { findVirtualHost, hostToMatch } from "./find-virtual-host.ts";
import { forward } from "./forward.ts";
import { type HttpRequest, readRequest } from "./http-request.ts";
import { routeMatchText } from "./match-route.ts";
import { outcomeOf } from "./outcome.ts";
import { redirectTo, redirectToTls } from "./redirect.ts";
import { type Routing, type TakenRoute, takeRoutes } from "./routing.ts";
import { guardRequest } from "./security.ts";
import { upstreamOf } from "./upstream.ts";
import {
  type Action,
  failure,
  type RedirectStep,
  type RespondStep,
  type RouteStep,
  type Upstream,
  type Verdict,
} from "./verdict.ts";
import type { XdsConfig } from "./xds-config.ts";

/** The steps from the connection manager on. */
export type HttpSteps = Pick<
  Verdict,
  "policies" | "virtualHost" | "route" | "action" | "upstreams" | "asksFor" | "outcome"
>;

export interface HttpContext {
  readonly config: XdsConfig;
  readonly call: Call;
  readonly restored: boolean;
  readonly pick: number | undefined;
  readonly nowMs: number | undefined;
}

const NO_STEPS = {
  policies: [],
  virtualHost: undefined,
  route: undefined,
  action: undefined,
  upstreams: [],
  asksFor: [],
};

export function simulateHttp(manager: HttpConnectionManager, context: HttpContext): HttpSteps {
  const read = readRequest(manager, context.call);
  if (read.kind === "error") return { ...NO_STEPS, outcome: { kind: "error", error: read.error } };
  if (read.kind === "redirect") return { ...NO_STEPS, action: read.redirect, outcome: read.redirect };
  const { steps, request, refusal } = guardRequest(manager, context.call, read.request, context.nowMs);
  const guarded = { ...NO_STEPS, policies: steps };
  if (refusal !== undefined) return { ...guarded, outcome: { kind: "error", error: refusal } };
  const configuration = manager.routeConfig ?? context.config.routes.get(manager.rds?.routeConfigName ?? "");
  if (configuration === undefined) {
    const name = manager.rds?.routeConfigName ?? "";
    const reason = `there is no route configuration ${JSON.stringify(name)}`;
    return { ...guarded, outcome: { kind: "error", error: failure("no-route-configuration", reason) } };
  }
  return { ...inConfiguration(manager, context, configuration, request), policies: steps };
}

function inConfiguration(
  manager: HttpConnectionManager,
  context: HttpContext,
  configuration: RouteConfiguration,
  request: HttpRequest,
): Omit<HttpSteps, "policies"> {
  const found = findVirtualHost(configuration, request.authority);
  if (found === undefined) {
    const host = hostToMatch(configuration, request.authority);
    const reason = `no virtual host of ${configuration.name} has a domain for ${JSON.stringify(host)}`;
    const asksFor = configuration.vhds === undefined ? [] : [`${configuration.name}/${host}`];
    return {
      ...NO_STEPS,
      asksFor,
      outcome: { kind: "error", error: failure("no-virtual-host", reason, 404) },
    };
  }
  const { virtualHost, domain, host } = found;
  const step = { configuration: configuration.name, name: virtualHost.name, domain, host };
  if (virtualHost.requireTls !== RequireTls.NONE && request.scheme !== "https") {
    const redirect = redirectToTls(request);
    return { ...NO_STEPS, virtualHost: step, action: redirect, outcome: redirect };
  }
  const [taken, ...others] = takeRoutes(virtualHost.routes, request, context.pick);
  if (taken === undefined) {
    const reason = `none of the ${virtualHost.routes.length} routes of ${virtualHost.name} matches`;
    return {
      ...NO_STEPS,
      virtualHost: step,
      outcome: { kind: "error", error: failure("no-route", reason, 404) },
    };
  }
  const routing: Routing = { configuration, virtualHost, ...taken };
  const acted = act(manager, context, routing, request);
  return { virtualHost: step, route: routeStep(taken, others), asksFor: [], ...acted };
}

function routeStep({ route, match, index, share }: TakenRoute, others: readonly TakenRoute[]): RouteStep {
  return {
    name: route.name,
    index,
    match: routeMatchText(match),
    share,
    otherwise: others.map((one) => ({ name: one.route.name, index: one.index, share: one.share })),
    origin: originOf(route),
    route,
  };
}

function act(
  { httpFilters }: HttpConnectionManager,
  context: HttpContext,
  routing: Routing,
  request: HttpRequest,
): Pick<Verdict, "action" | "upstreams" | "outcome"> {
  const answer = preflightAnswer(httpFilters, routing, request) ?? answerOf(routing, request);
  if (answer !== undefined) return { action: answer, upstreams: [], outcome: answer };
  const { route: to } = routing.route;
  const action = to && forward(httpFilters, routing, to, request, context.pick);
  if (to === undefined || action === undefined) {
    const error = failure("not-simulated", "the route's action is an extension that is not simulated");
    return { action, upstreams: [], outcome: { kind: "error", error } };
  }
  const upstreams = upstreamsOf(
    context,
    action.targets,
    routing.route,
    action.edits?.authority ?? request.authority,
  );
  return { action, upstreams, outcome: faultOutcome(action) ?? outcomeOf(upstreams) };
}

function answerOf({ route, match }: Routing, request: HttpRequest): RedirectStep | RespondStep | undefined {
  if (route.redirect !== undefined) return redirectTo(route.redirect, match, request);
  if (route.directResponse === undefined) return undefined;
  const { status, body } = route.directResponse;
  const bytes = body?.inlineBytes;
  const text = body?.inlineString ?? (bytes === undefined ? "" : Buffer.from(bytes).toString());
  return { kind: "respond", status, body: text };
}

const NOT_FOUND_STATUS: Readonly<Record<number, number>> = {
  [NotFoundCode.NOT_FOUND]: 404,
  [NotFoundCode.INTERNAL_SERVER_ERROR]: 500,
};

function upstreamsOf(
  { config, call, restored }: HttpContext,
  targets: readonly Parameters<typeof upstreamOf>[1][],
  { route }: Route,
  authority: string,
): readonly Upstream[] {
  const notFound = NOT_FOUND_STATUS[route?.clusterNotFoundResponseCode ?? 0] ?? 503;
  const to = { call, restored, authority, statuses: { notFound, unhealthy: 503 } };
  return targets.map((target) => upstreamOf(config, target, to));
}

/** A fault that takes every call leaves none for the upstream. */
function faultOutcome(action: Action): Verdict["outcome"] | undefined {
  if (action.kind !== "forward") return undefined;
  const abort = action.edits?.fault?.abort;
  if (abort === undefined || abort.share < 1) return undefined;
  const status = Number(abort.status);
  const reason = `an injected fault answers every call with ${abort.status}`;
  return { kind: "error", error: failure("fault", reason, Number.isNaN(status) ? undefined : status) };
}
