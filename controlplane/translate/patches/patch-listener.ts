import type { Listener } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import type {
  FilterChain,
  ListenerFilter,
} from "../../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import { editList } from "./edit-list.ts";
import { listenerFilterChosen, matchesChain, matchesListener, matchesWithin } from "./listener-match.ts";
import type { Patch } from "./patch.ts";
import { mergeFilter, patchNetworkFilters } from "./patch-filters.ts";
import { isMerge, type Patching } from "./patching.ts";

/** The listener with its patches, from the outside to the inside; undefined when one removes it. */
export function patchListener(patching: Patching, listener: Listener): Listener | undefined {
  let patched = listener;
  for (const patch of patching.patches("LISTENER")) {
    if (!matchesListener(patch.match.listener, patched)) continue;
    if (patch.operation === "REMOVE") return undefined;
    // Its name is what it is known by, and what the next patches look for.
    if (isMerge(patch)) patched = { ...patching.merge(patch, patched), name: listener.name };
  }
  patched = { ...patched, listenerFilters: listenerFilters(patching, patched) };
  const chains = patched.filterChains.flatMap((chain) => patchChain(patching, patched, chain) ?? []);
  const last = patched.defaultFilterChain;
  return {
    ...patched,
    filterChains: [...chains, ...addedChains(patching, patched)],
    defaultFilterChain: last && patchChain(patching, patched, last),
  };
}

function listenerFilters(patching: Patching, listener: Listener): ListenerFilter[] {
  let filters = listener.listenerFilters;
  for (const patch of patching.patches("LISTENER_FILTER")) {
    const { match, operation, value } = patch;
    if (!matchesWithin(match.listener, listener)) continue;
    const chosen = listenerFilterChosen(match.listener);
    filters = isMerge(patch)
      ? filters.map((filter) =>
          chosen === undefined || chosen(filter) ? mergeFilter(patching, patch, filter) : filter,
        )
      : editList(filters, { operation, value: value?.message, chosen });
  }
  return filters;
}

function patchChain(patching: Patching, listener: Listener, chain: FilterChain): FilterChain | undefined {
  let patched = chain;
  for (const patch of patching.patches("FILTER_CHAIN")) {
    const { listener: match } = patch.match;
    if (!matchesWithin(match, listener) || !matchesChain(match, listener, patched)) continue;
    if (patch.operation === "REMOVE") return undefined;
    if (isMerge(patch)) patched = mergeChain(patching, patch, patched);
  }
  return patchNetworkFilters(patching, listener, patched);
}

/** Transport sockets of one name have their configuration merged; then nothing else of the patch is looked at, as in Istio. */
function mergeChain(patching: Patching, patch: Patch<"FILTER_CHAIN">, chain: FilterChain): FilterChain {
  const socket = patch.value?.message.transportSocket;
  const { transportSocket } = chain;
  if (socket === undefined || transportSocket?.name !== socket.name) return patching.merge(patch, chain);
  return { ...chain, transportSocket: patching.mergeTyped(patch, transportSocket, socket) };
}

/** A chain without a filter would do nothing and is not added. */
function addedChains(patching: Patching, listener: Listener): FilterChain[] {
  return patching.patches("FILTER_CHAIN").flatMap(({ match, operation, value }) => {
    const isAdded = operation === "ADD" && matchesWithin(match.listener, listener);
    return isAdded && value !== undefined && value.message.filters.length > 0 ? [value.message] : [];
  });
}
