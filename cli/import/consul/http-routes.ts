import type { Route, Router } from "./entry-schemas.ts";
import { type Edited, headerOperations, withInner } from "./header-edits.ts";
import { type Loss, said } from "./manifest.ts";
import { hostOf, namespaceOf } from "./names.ts";
import { retryPolicy } from "./retry-policy.ts";
import { routeMatch } from "./route-match.ts";
import { type Chain, type Named, serviceKey, type Target, targetsOf } from "./service-targets.ts";

type HttpRoute = Readonly<Record<string, unknown>>;

export interface ServiceRoutes {
  readonly routes: readonly HttpRoute[];
  readonly losses: readonly Loss[];
}

interface Surroundings {
  readonly chain: Chain;
  /** Namespace of the object that the routes are for. */
  readonly home: string;
  /** What is done to the headers on every route. */
  readonly edited?: Edited;
}

/** The routes of a service: those of its router, and one for all that they leave over. */
export function httpRoutes(
  { service, namespace }: Pick<Named, "service" | "namespace">,
  router: Router | undefined,
  around: Surroundings,
): ServiceRoutes {
  const { chain, home, edited = {} } = around;
  const losses: Loss[] = [];
  const routes = (router?.Routes ?? []).flatMap((route): readonly HttpRoute[] => {
    const found = routeMatch(route.Match?.HTTP);
    if ("match" in found) return [routeOf(route, found.match, { service, namespace }, around)];
    losses.push({
      kind: "service-router",
      name: service,
      field: `Routes[].Match.HTTP.${found.field}`,
      meaning: `${found.problem}: the route is left out, and its calls take a later one`,
    });
    return [];
  });
  const last = { service, namespace, subset: undefined };
  const timeout = timeoutOf(chain, namespace, service);
  const rest = said({
    route: destinations(targetsOf(chain, last), home),
    timeout,
    retries: { attempts: 0 },
    headers: headerOperations(edited),
  });
  return { routes: [...routes, rest], losses };
}

/** Destinations with weights that are whole numbers, in the proportions of the per cents. */
export function destinations(targets: readonly Target[], home: string): readonly HttpRoute[] {
  const scale = targets.every(({ weight }) => Number.isInteger(weight)) ? 1 : 100;
  return targets.map((target) => {
    const { service, namespace, subset, weight } = target;
    return said({
      destination: said({ host: hostOf(service, namespace, home), subset }),
      weight: targets.length === 1 ? undefined : Math.round(weight * scale),
      headers: headerOperations(target),
    });
  });
}

function routeOf(
  { Destination: to }: Route,
  match: Record<string, unknown> | undefined,
  { service, namespace }: Pick<Named, "service" | "namespace">,
  { chain, home, edited = {} }: Surroundings,
): HttpRoute {
  const named = {
    service: to.Service ?? service,
    namespace: to.Namespace === undefined ? namespace : namespaceOf(to.Namespace, namespace),
    subset: to.ServiceSubset,
  };
  return said({
    match: match === undefined ? undefined : [match],
    rewrite: to.PrefixRewrite === undefined ? undefined : { uri: to.PrefixRewrite },
    route: destinations(targetsOf(chain, named), home),
    timeout: to.RequestTimeout ?? timeoutOf(chain, named.namespace, named.service),
    retries: retryPolicy(to),
    headers: headerOperations(withInner(edited, to)),
  });
}

function timeoutOf(chain: Chain, namespace: string, service: string): string | undefined {
  return chain.resolvers.get(serviceKey(namespace, service))?.RequestTimeout;
}
