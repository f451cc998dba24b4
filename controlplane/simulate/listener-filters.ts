import type { Listener } from "../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import type {
  ListenerFilter,
  ListenerFilterChainMatchPredicate,
} from "../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import type { Call } from "./call.ts";
import { holds } from "./xds-config.ts";

/** What the listener filters find out about a connection before a filter chain is chosen. */
export interface Detected {
  readonly transport: "tls" | "raw_buffer";
  /** Lower case; empty when there is none. */
  readonly serverName: string;
  readonly alpn: readonly string[];
}

/** `listeners`: those that the connection goes through, in order. What no inspector looked at are raw bytes. */
export function detect(listeners: readonly Listener[], call: Call): Detected {
  const raw: Detected = { transport: "raw_buffer", serverName: "", alpn: [] };
  if (call.tls !== undefined) {
    if (!listeners.some((one) => isActive(one, call.port, isTlsInspector))) return raw;
    return { transport: "tls", serverName: call.tls.sni.toLowerCase(), alpn: call.tls.alpn };
  }
  if (!listeners.some((one) => isActive(one, call.port, isHttpInspector))) return raw;
  return { ...raw, alpn: call.protocol === "http" ? ["http/1.1"] : call.protocol === "http2" ? ["h2c"] : [] };
}

/** True when the listener learns where an intercepted connection wanted to go. */
export function restoresDestination({ useOriginalDst, listenerFilters }: Listener): boolean {
  return (
    useOriginalDst === true ||
    listenerFilters.some(
      ({ name, typedConfig }) =>
        name === "envoy.filters.listener.original_dst" || holds(typedConfig, "OriginalDst"),
    )
  );
}

function isActive(
  { listenerFilters }: Listener,
  port: number,
  wanted: (filter: ListenerFilter) => boolean,
): boolean {
  return listenerFilters.some(
    (filter) => wanted(filter) && !(filter.filterDisabled && holdsFor(filter.filterDisabled, port)),
  );
}

function holdsFor(predicate: ListenerFilterChainMatchPredicate, port: number): boolean {
  const { orMatch, andMatch, notMatch, anyMatch, destinationPortRange } = predicate;
  if (orMatch !== undefined) return orMatch.rules.some((rule) => holdsFor(rule, port));
  if (andMatch !== undefined) return andMatch.rules.every((rule) => holdsFor(rule, port));
  if (notMatch !== undefined) return !holdsFor(notMatch, port);
  if (destinationPortRange !== undefined) {
    return port >= destinationPortRange.start && port < destinationPortRange.end;
  }
  return anyMatch === true;
}

function isTlsInspector({ name, typedConfig }: ListenerFilter): boolean {
  return name === "envoy.filters.listener.tls_inspector" || holds(typedConfig, "TlsInspector");
}

function isHttpInspector({ name, typedConfig }: ListenerFilter): boolean {
  return name === "envoy.filters.listener.http_inspector" || holds(typedConfig, "HttpInspector");
}
