import type { ListenerMatch } from "../../../mesh/model/envoy-filter.ts";
import type { Listener } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import type { FilterChain } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import { VIRTUAL_INBOUND, VIRTUAL_OUTBOUND } from "../../../mesh/xds/names.ts";
import { isNamed } from "./filter-names.ts";

type Match = ListenerMatch | undefined;
type Named = { readonly name: string };

/** Whether a listener is meant itself. */
export function matchesListener(match: Match, listener: Listener): boolean {
  if (match === undefined) return true;
  const { name, portNumber } = match;
  const port = listener.address?.socketAddress?.portValue;
  return (name === "" || name === listener.name) && (portNumber === undefined || portNumber === port);
}

/** Whether something inside a listener may be meant. In those for captured connections the port is a matter of the chains. */
export function matchesWithin(match: Match, listener: Listener): boolean {
  if (match !== undefined && isVirtual(listener)) return match.name === "" || match.name === listener.name;
  return matchesListener(match, listener);
}

/** Whether a chain is meant, in a listener that is. */
export function matchesChain(match: Match, listener: Listener, chain: FilterChain): boolean {
  if (match === undefined) return true;
  const criteria = chain.filterChainMatch;
  const { portNumber, filterChain: wanted } = match;
  if (isVirtual(listener) && portNumber !== undefined && criteria?.destinationPort !== portNumber)
    return false;
  if (wanted === undefined) return true;
  const { name, sni, transportProtocol, applicationProtocols, destinationPort } = wanted;
  return (
    (name === "" || name === chain.name) &&
    (sni === "" || (criteria?.serverNames.includes(sni) ?? false)) &&
    (transportProtocol === "" || criteria?.transportProtocol === transportProtocol) &&
    (applicationProtocols === "" || hasAll(criteria?.applicationProtocols ?? [], applicationProtocols)) &&
    (destinationPort === undefined || criteria?.destinationPort === destinationPort)
  );
}

/** Which filters of a chain are meant; undefined: the patch names none. */
export function networkFilterChosen(match: Match): ((filter: Named) => boolean) | undefined {
  const name = match?.filterChain?.filter?.name;
  return name === undefined ? undefined : (filter) => isNamed(filter, name);
}

/** Which filters of an HTTP connection manager are meant. */
export function httpFilterChosen(match: Match): ((filter: Named) => boolean) | undefined {
  return byName(match?.filterChain?.filter?.subFilter);
}

export function listenerFilterChosen(match: Match): ((filter: Named) => boolean) | undefined {
  return byName(match?.listenerFilter);
}

function byName(name = ""): ((filter: Named) => boolean) | undefined {
  return name === "" ? undefined : (filter) => isNamed(filter, name);
}

function isVirtual({ name }: Listener): boolean {
  return name === VIRTUAL_INBOUND.name || name === VIRTUAL_OUTBOUND.name;
}

function hasAll(protocols: readonly string[], wanted: string): boolean {
  return wanted.split(",").every((one) => protocols.includes(one));
}
