import type { ConfigEntries } from "./config-entries.ts";
import { destinations, httpRoutes } from "./http-routes.ts";
import { type Loss, type Manifest, manifest, said, type Translation } from "./manifest.ts";
import { namespaceOf, objectName } from "./names.ts";
import { byService, chainOf, serviceKey, targetsOf } from "./service-targets.ts";

/** One VirtualService for each service with a router, a splitter, or a resolver that leads elsewhere. */
export function translateRoutes(entries: ConfigEntries, home: string): Translation {
  const chain = chainOf(entries.splitters, entries.resolvers, home);
  const routers = byService(entries.routers, home);
  const leading = entries.resolvers.filter(
    ({ Redirect, DefaultSubset, RequestTimeout }) =>
      (Redirect ?? DefaultSubset ?? RequestTimeout) !== undefined,
  );
  const services = new Map(
    [...entries.routers, ...entries.splitters, ...leading].map(({ Name: service, Namespace }) => {
      const namespace = namespaceOf(Namespace, home);
      return [serviceKey(namespace, service), { service, namespace }];
    }),
  );
  const losses: Loss[] = [];
  const manifests = [...services].map(([key, named]): Manifest => {
    const { service, namespace } = named;
    const found = httpRoutes(named, routers.get(key), { chain, home: namespace });
    losses.push(...found.losses);
    // Routers and splitters are for HTTP alone, a resolver for TCP as well.
    const plain = !routers.has(key) && !chain.splitters.has(key);
    const tcp = plain
      ? [{ route: destinations(targetsOf(chain, { ...named, subset: undefined }), namespace) }]
      : undefined;
    const spec = said({ hosts: [service], http: found.routes, tcp });
    return manifest("networking", "VirtualService", { name: objectName(service), namespace }, spec);
  });
  return { manifests, losses };
}
