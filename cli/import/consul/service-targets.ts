import type { HeaderEdits, Resolver, Splitter } from "./entry-schemas.ts";
import { withInner } from "./header-edits.ts";
import { namespaceOf } from "./names.ts";

/** A service as an entry names it, its namespace known. */
export interface Named {
  readonly service: string;
  readonly namespace: string;
  readonly subset: string | undefined;
}

/** Where a share of the calls goes once splitters and resolvers have been followed. */
export interface Target extends Named {
  /** Per cent. */
  readonly weight: number;
  readonly RequestHeaders?: HeaderEdits | undefined;
  readonly ResponseHeaders?: HeaderEdits | undefined;
}

/** The entries by `namespace/service`. */
export interface Chain {
  readonly splitters: ReadonlyMap<string, Splitter>;
  readonly resolvers: ReadonlyMap<string, Resolver>;
}

/** Consul refuses circles; a file may hold one all the same. */
const LONGEST_CHAIN = 16;

export function chainOf(splitters: readonly Splitter[], resolvers: readonly Resolver[], home: string): Chain {
  return { splitters: byService(splitters, home), resolvers: byService(resolvers, home) };
}

export function serviceKey(namespace: string, service: string): string {
  return `${namespace}/${service}`;
}

export function byService<T extends { readonly Name: string; readonly Namespace?: string | undefined }>(
  entries: readonly T[],
  home: string,
): ReadonlyMap<string, T> {
  return new Map(entries.map((entry) => [serviceKey(namespaceOf(entry.Namespace, home), entry.Name), entry]));
}

/** A call of a service follows its splitter unless it is for a subset already; then redirects and default subsets. */
export function targetsOf(chain: Chain, named: Named, depth = 0): readonly Target[] {
  const { service, namespace, subset } = named;
  const splits = chain.splitters.get(serviceKey(namespace, service))?.Splits ?? [];
  if (subset !== undefined || splits.length === 0 || depth > LONGEST_CHAIN)
    return [{ ...resolved(chain, named), weight: 100 }];
  return splits.flatMap((split) => {
    const other = split.Service !== undefined && split.Service !== service;
    const to = {
      service: split.Service ?? service,
      namespace: split.Namespace === undefined ? namespace : namespaceOf(split.Namespace, namespace),
      subset: split.ServiceSubset,
    };
    const targets =
      other && to.subset === undefined
        ? targetsOf(chain, to, depth + 1)
        : [{ ...resolved(chain, to), weight: 100 }];
    return targets.map((target) => ({
      ...target,
      weight: (target.weight * split.Weight) / 100,
      ...withInner(split, target),
    }));
  });
}

function resolved(chain: Chain, named: Named, depth = 0): Named {
  const resolver = chain.resolvers.get(serviceKey(named.namespace, named.service));
  const redirect = resolver?.Redirect;
  if (redirect !== undefined && depth <= LONGEST_CHAIN) {
    const to = {
      service: redirect.Service ?? named.service,
      namespace:
        redirect.Namespace === undefined ? named.namespace : namespaceOf(redirect.Namespace, named.namespace),
      subset: redirect.ServiceSubset,
    };
    const moved = to.service !== named.service || to.namespace !== named.namespace;
    return moved ? resolved(chain, to, depth + 1) : { ...named, subset: to.subset ?? named.subset };
  }
  return { ...named, subset: named.subset ?? resolver?.DefaultSubset };
}
