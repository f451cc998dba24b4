import type { ListenerFilterChainMatchPredicate } from "../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import type { PortRule } from "../model/listener.ts";
import { invalid, required } from "./refuse.ts";

/** For which connections a listener filter is not asked (`filter_disabled`): by the port that they were going to. */
export function parsePortRule(where: string, from: ListenerFilterChainMatchPredicate): PortRule {
  const { orMatch, andMatch, notMatch, anyMatch, destinationPortRange } = from;
  if (orMatch) return { kind: "or", rules: orMatch.rules.map((rule) => parsePortRule(where, rule)) };
  if (andMatch) return { kind: "and", rules: andMatch.rules.map((rule) => parsePortRule(where, rule)) };
  if (notMatch) return { kind: "not", rule: parsePortRule(where, notMatch) };
  if (anyMatch) return { kind: "any" };
  const { start, end } = required(where, "filter_disabled.destination_port_range", destinationPortRange);
  if (start >= end) throw invalid(where, `a range of ports from ${start} to ${end}`);
  return { kind: "range", start, end };
}
