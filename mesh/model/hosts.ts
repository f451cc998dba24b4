import { isIP } from "node:net";

/** Namespace of names that have no place for one: `reviews.mesh`, `reviews.service.consul`. */
const ALIAS_NAMESPACE = "default";

/** Tells whether a service with this fully qualified name exists. */
export type KnowsHost = (hostname: string) => boolean;

/**
 * What `host` can mean when it is written in an object of `namespace`, likeliest first. Istio's rule: a name without a dot
 * is a service of that namespace, a name with one is taken as it stands. Beside that: `name.ns`, `name.ns.svc`, and the
 * aliases `name.ns.mesh`, `name.mesh` and `name.service.consul` (of the same namespace, else of `default`).
 */
export function hostMeanings(host: string, namespace: string, domainSuffix: string): readonly string[] {
  const name = normalizeHost(host);
  if (name === "" || name === "*" || isIP(name) !== 0) return [name];
  const qualified = (service: string, of: string): string => `${service}.${of}.svc.${domainSuffix}`;
  const [service = "", second, ...rest] = name.split(".");
  if (second === undefined) return [qualified(service, namespace), name];
  switch (rest.join(".")) {
    case "":
      if (second === "mesh") return [qualified(service, ALIAS_NAMESPACE)];
      return service === "*" ? [name] : [name, qualified(service, second)];
    case "svc":
    case "mesh":
      return [qualified(service, second)];
    case "consul":
      if (second !== "service") return [name];
      return [...new Set([qualified(service, namespace), qualified(service, ALIAS_NAMESPACE)])];
    default:
      return [name];
  }
}

/** The one of its meanings that `knows` says exists; else the likeliest, which of a Consul name is the one in `default`. */
export function resolveHost(
  host: string,
  namespace: string,
  domainSuffix: string,
  knows: KnowsHost = () => false,
): string {
  const meanings = hostMeanings(host, namespace, domainSuffix);
  const likeliest = meanings.at(normalizeHost(host).endsWith(".service.consul") ? -1 : 0) ?? host;
  return meanings.length === 1 ? likeliest : (meanings.find(knows) ?? likeliest);
}

/** Lower case and without the final dot: the form in which host names are compared. */
export function normalizeHost(host: string): string {
  return host.toLowerCase().replace(/(?<=.)\.$/, "");
}

/**
 * Whether `pattern` covers `host`. `*` covers all; `*.example.com` every name below, not `example.com` itself (the
 * star stands for at least one character, as in Envoy). A host with a wildcard is covered when all it covers is.
 */
export function hostMatches(pattern: string, host: string): boolean {
  const wanted = normalizeHost(pattern);
  const given = normalizeHost(host);
  if (!wanted.startsWith("*")) return wanted === given;
  const tail = wanted.slice(1);
  if (given.startsWith("*")) return given.slice(1).endsWith(tail);
  return given.length > tail.length && given.endsWith(tail);
}

/** Sorts the most specific pattern first: names before wildcards, longer wildcards first, then by letter. */
export function bySpecificity(a: string, b: string): number {
  const wild = Number(a.startsWith("*")) - Number(b.startsWith("*"));
  if (wild !== 0) return wild;
  if (a.startsWith("*") && a.length !== b.length) return b.length - a.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The most specific of the patterns that cover `host`. */
export function mostSpecificMatch(patterns: Iterable<string>, host: string): string | undefined {
  let best: string | undefined;
  for (const pattern of patterns) {
    if (hostMatches(pattern, host) && (best === undefined || bySpecificity(pattern, best) < 0))
      best = pattern;
  }
  return best;
}
