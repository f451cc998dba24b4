import {
  DYNAMIC_DNS_CLUSTER,
  INBOUND_PASSTHROUGH_CLUSTER,
  PASSTHROUGH_CLUSTER,
} from "../../mesh/xds/names.ts";
import type { Outcome, Upstream } from "./verdict.ts";

/** What goes there has left the mesh's routing. */
const PASSTHROUGH: readonly string[] = [
  PASSTHROUGH_CLUSTER,
  INBOUND_PASSTHROUGH_CLUSTER,
  DYNAMIC_DNS_CLUSTER,
];

/** What becomes of a call that is forwarded: it arrives where any of the upstreams it may go to can take it. */
export function outcomeOf(upstreams: readonly Upstream[]): Outcome {
  const [first] = upstreams;
  const arriving = upstreams.filter(({ error }) => error === undefined);
  const [reached] = arriving;
  if (reached === undefined) {
    const reason = "the route sends its calls to no cluster";
    const error = first?.error ?? { kind: "no-cluster", status: 503, reason };
    return { kind: "error", error };
  }
  const [endpoint] = reached.endpoints;
  if (endpoint !== undefined && PASSTHROUGH.includes(reached.cluster)) {
    return { kind: "passthrough", address: endpoint.address };
  }
  const total = upstreams.reduce((sum, { share }) => sum + share, 0);
  return { kind: "forward", share: arriving.reduce((sum, { share }) => sum + share, 0) / total };
}
