import type { StringMatch } from "../../mesh/model/match.ts";
import type { HttpMatch, HttpRoute } from "../../mesh/model/virtual-service.ts";
import type { Route, RouteMatch } from "../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";

/**
 * Which HTTP rule of its VirtualService a route is: `http[1] "canary"`. Told by its name, and where that leaves several by
 * what it matches. Empty where it cannot be told: then no place is better than a wrong one.
 */
export function ruleOfRoute(rules: readonly HttpRoute[], route: Route): string {
  const named = rules.flatMap((rule, index) => (namesOf(rule).includes(route.name) ? [{ rule, index }] : []));
  const found =
    named.length === 1
      ? named
      : named.filter(({ rule }) => matchesOf(rule, route).some((one) => isLike(one, route.match)));
  const [only] = found;
  if (only === undefined || found.length > 1) return "";
  return `http[${only.index}]${only.rule.name === "" ? "" : ` ${JSON.stringify(only.rule.name)}`}`;
}

function namesOf(rule: HttpRoute): readonly string[] {
  return rule.match.length === 0 ? [rule.name] : rule.match.map((match) => nameWith(rule, match));
}

function nameWith(rule: HttpRoute, match: HttpMatch): string {
  return match.name === "" ? rule.name : `${rule.name}.${match.name}`;
}

function matchesOf(rule: HttpRoute, { name }: Route): readonly (HttpMatch | undefined)[] {
  return rule.match.length === 0 ? [undefined] : rule.match.filter((match) => nameWith(rule, match) === name);
}

/** The same path, and the same headers and parameters looked at. */
function isLike(match: HttpMatch | undefined, route: RouteMatch | undefined): boolean {
  if (route === undefined) return false;
  const headers = [
    ...Object.keys({ ...match?.headers, ...match?.withoutHeaders }).map((name) => name.toLowerCase()),
    ...(["method", "authority", "scheme"] as const).filter((part) => match?.[part]).map((part) => `:${part}`),
  ];
  return (
    isSamePath(match?.uri, route) &&
    sameNames(
      headers,
      route.headers.map(({ name }) => name),
    ) &&
    sameNames(
      Object.keys(match?.queryParams ?? {}),
      route.queryParameters.map(({ name }) => name),
    )
  );
}

function isSamePath(uri: StringMatch | undefined, { path, prefix, safeRegex }: RouteMatch): boolean {
  switch (uri?.kind) {
    case "exact":
      return path === uri.value;
    case "prefix":
      return prefix === uri.value;
    case "regex":
      return safeRegex?.regex === uri.value || (uri.value === "*" && prefix === "/");
    default:
      return prefix === "/";
  }
}

function sameNames(some: readonly string[], others: readonly string[]): boolean {
  return some.toSorted().join(" ") === others.toSorted().join(" ");
}
