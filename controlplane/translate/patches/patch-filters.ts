import type { Listener } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import type {
  Filter,
  FilterChain,
} from "../../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import {
  HttpConnectionManager,
  type HttpFilter,
} from "../../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { pack } from "../any.ts";
import { editList } from "./edit-list.ts";
import { httpFilterChosen, matchesChain, matchesWithin, networkFilterChosen } from "./listener-match.ts";
import type { MessageOf, Patch } from "./patch.ts";
import { patchRouteConfiguration } from "./patch-routes.ts";
import { isMerge, type Patching } from "./patching.ts";

const MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/** A chain with its filters patched: first what comes and goes, then what is merged, then what is inside. */
export function patchNetworkFilters(patching: Patching, listener: Listener, chain: FilterChain): FilterChain {
  const patches = patching.patches("NETWORK_FILTER").filter((patch) => isFor(patch, listener, chain));
  let { filters } = chain;
  for (const { match, operation, value } of patches) {
    const chosen = networkFilterChosen(match.listener);
    filters = editList(filters, { operation, value: value?.message, chosen });
  }
  const patched = filters.map((filter) => {
    const merged = mergeAll(patching, patches, filter, (patch) => networkFilterChosen(patch.match.listener));
    return patchHttpFilters(patching, listener, chain, merged);
  });
  return { ...chain, filters: patched };
}

/** The filters of a connection manager, and its routes where it has them in itself. */
function patchHttpFilters(
  patching: Patching,
  listener: Listener,
  chain: FilterChain,
  filter: Filter,
): Filter {
  const config = filter.typedConfig;
  if (config === undefined || !config.typeUrl.endsWith(`/${MANAGER}`)) return filter;
  const patches = patching
    .patches("HTTP_FILTER")
    .filter((patch) => isFor(patch, listener, chain))
    .filter(({ match }) => networkFilterChosen(match.listener)?.(filter) ?? true);
  const manager = HttpConnectionManager.decode(config.value);
  const routeConfig = manager.routeConfig && patchRouteConfiguration(patching, manager.routeConfig);
  let httpFilters: HttpFilter[] = manager.httpFilters;
  for (const { match, operation, value } of patches) {
    const chosen = httpFilterChosen(match.listener);
    httpFilters = editList(httpFilters, { operation, value: value?.message, chosen });
  }
  httpFilters = httpFilters.map((one) =>
    mergeAll(patching, patches, one, (patch) => httpFilterChosen(patch.match.listener)),
  );
  const isUntouched = routeConfig === manager.routeConfig && sameItems(httpFilters, manager.httpFilters);
  if (isUntouched) return filter;
  return {
    ...filter,
    typedConfig: pack(MANAGER, HttpConnectionManager, { ...manager, httpFilters, routeConfig }),
  };
}

function sameItems<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((one, index) => one === b[index]);
}

type FilterTarget = "NETWORK_FILTER" | "HTTP_FILTER" | "LISTENER_FILTER";

function isFor({ match }: Patch<FilterTarget>, listener: Listener, chain: FilterChain): boolean {
  return matchesWithin(match.listener, listener) && matchesChain(match.listener, listener, chain);
}

function mergeAll<T extends FilterTarget>(
  patching: Patching,
  patches: readonly Patch<T>[],
  filter: MessageOf[T],
  chosenBy: (patch: Patch<T>) => ((filter: MessageOf[T]) => boolean) | undefined,
): MessageOf[T] {
  return patches
    .filter((patch) => isMerge(patch))
    .reduce(
      (merged, patch) =>
        chosenBy(patch)?.(merged) === false ? merged : mergeFilter(patching, patch, merged),
      filter,
    );
}

/** Of a filter a patch changes its configuration and its name. One that has its configuration elsewhere stays as it is. */
export function mergeFilter<T extends FilterTarget>(
  patching: Patching,
  patch: Patch<T>,
  filter: MessageOf[T],
): MessageOf[T] {
  const over = patch.value?.message;
  if (over === undefined || filter.typedConfig === undefined) return filter;
  const merged = patching.mergeTyped<MessageOf[T]>(patch, filter, over);
  return { ...merged, name: over.name === "" ? filter.name : over.name };
}
