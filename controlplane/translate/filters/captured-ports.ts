import { ListenerFilterChainMatchPredicate } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";

export const NO_PREDICATE: ListenerFilterChainMatchPredicate = ListenerFilterChainMatchPredicate.fromPartial(
  {},
);

/** After this long a TCP peer that says nothing is one that waits for the server to speak first. */
export const SERVER_FIRST_AFTER_MS = 3_000;

/** Holds for connections that were going to one of these ports; undefined: there are none. */
export function anyOfPorts(ports: readonly number[]): ListenerFilterChainMatchPredicate | undefined {
  const rules = ports.map((port) => ({
    ...NO_PREDICATE,
    destinationPortRange: { start: port, end: port + 1 },
  }));
  return rules.length > 1 ? { ...NO_PREDICATE, orMatch: { rules } } : rules[0];
}
