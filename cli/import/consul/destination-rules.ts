import type { ConfigEntries } from "./config-entries.ts";
import type { Resolver, ServiceDefaults } from "./entry-schemas.ts";
import { type Loss, type Manifest, manifest, said, type Translation } from "./manifest.ts";
import { hostOf, namespaceOf, objectName } from "./names.ts";
import { byService, serviceKey } from "./service-targets.ts";
import { subsetLabels } from "./subset-labels.ts";
import { orNothing, overriding, resolverPolicy, upstreamPolicy } from "./traffic-policy.ts";

/** A DestinationRule for each resolver, and one for each upstream that a caller has settings of its own for. */
export function translateDestinations(entries: ConfigEntries, home: string): Translation {
  const losses: Loss[] = [];
  const resolvers = byService(entries.resolvers, home);
  const ofResolvers = entries.resolvers.flatMap((resolver): readonly Manifest[] => {
    losses.push(...lossesOfSubsets(resolver));
    const namespace = namespaceOf(resolver.Namespace, home);
    const spec = said({
      trafficPolicy: orNothing(resolverPolicy(resolver)),
      subsets: subsetsOf(resolver),
    });
    if (Object.keys(spec).length === 0) return [];
    const name = objectName(resolver.Name);
    return [manifest("networking", "DestinationRule", { name, namespace }, { host: resolver.Name, ...spec })];
  });
  const ofCallers = entries.defaults.flatMap((caller) => ofCaller(caller, resolvers, home));
  return { manifests: [...ofResolvers, ...ofCallers], losses };
}

function subsetsOf(resolver: Resolver): readonly Record<string, unknown>[] | undefined {
  const subsets = Object.entries(resolver.Subsets).map(([name, { Filter }]) => ({
    name,
    labels: subsetLabels(name, Filter).labels,
  }));
  return subsets.length === 0 ? undefined : subsets;
}

function lossesOfSubsets(resolver: Resolver): readonly Loss[] {
  return Object.entries(resolver.Subsets).flatMap(([subset, { Filter }]) =>
    subsetLabels(subset, Filter).todo.map((meaning) => ({
      kind: "service-resolver",
      name: resolver.Name,
      field: `Subsets.${subset}.Filter`,
      meaning,
    })),
  );
}

/** A rule for some callers replaces the one for all: it has the settings and the subsets of both. */
function ofCaller(
  { Name: caller, Namespace, UpstreamConfig }: ServiceDefaults,
  resolvers: ReadonlyMap<string, Resolver>,
  home: string,
): readonly Manifest[] {
  const namespace = namespaceOf(Namespace, home);
  return (UpstreamConfig?.Overrides ?? []).flatMap((upstream): readonly Manifest[] => {
    const own = upstreamPolicy(upstream);
    if (Object.keys(own).length === 0) return [];
    const called = upstream.Namespace === undefined ? namespace : namespaceOf(upstream.Namespace, namespace);
    const resolver = resolvers.get(serviceKey(called, upstream.Name));
    const spec = said({
      host: hostOf(upstream.Name, called, namespace),
      workloadSelector: { matchLabels: { app: caller } },
      trafficPolicy: overriding(resolver === undefined ? {} : resolverPolicy(resolver), own),
      subsets: resolver === undefined ? undefined : subsetsOf(resolver),
    });
    const name = objectName(`${caller}-to-${upstream.Name}`);
    return [manifest("networking", "DestinationRule", { name, namespace }, spec)];
  });
}
