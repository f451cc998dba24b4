import type { PortTrafficPolicy, TrafficPolicy } from "../../mesh/model/destination-rule.ts";
import type { DestinationPolicy } from "./destination-rules.ts";

/** How one port of one subset is called: each block from the closest place that has it. */
export type PortPolicy = Omit<TrafficPolicy, "portLevelSettings">;

const NOTHING: PortPolicy = {
  loadBalancer: undefined,
  connectionPool: undefined,
  outlierDetection: undefined,
  tls: undefined,
  tunnel: undefined,
  proxyProtocol: undefined,
  retryBudget: undefined,
};

/**
 * A port's settings replace those of their level as a whole: blocks that they leave out are the defaults, not inherited.
 * A subset's policy overrides the rule's block by block. `mesh` (`defaultTrafficPolicy`) is below the rule's.
 */
export function portPolicy(
  policy: DestinationPolicy,
  subset: string,
  port: number,
  mesh?: TrafficPolicy,
): PortPolicy {
  const top = policy.trafficPolicy;
  const ofPort = portSettings(top, port);
  const base = overlay(
    overlay(NOTHING, mesh),
    ofPort === undefined ? top : { ...NOTHING, ...blocksOf(ofPort) },
  );
  const own = policy.subsets.find(({ name }) => name === subset)?.trafficPolicy;
  const ownOfPort = portSettings(own, port);
  return ownOfPort === undefined ? overlay(base, own) : { ...base, ...blocksOf(ownOfPort) };
}

function overlay(base: PortPolicy, over: PortPolicy | undefined): PortPolicy {
  if (over === undefined) return base;
  return {
    loadBalancer: over.loadBalancer ?? base.loadBalancer,
    connectionPool: over.connectionPool ?? base.connectionPool,
    outlierDetection: over.outlierDetection ?? base.outlierDetection,
    tls: over.tls ?? base.tls,
    tunnel: over.tunnel ?? base.tunnel,
    proxyProtocol: over.proxyProtocol ?? base.proxyProtocol,
    retryBudget: over.retryBudget ?? base.retryBudget,
  };
}

function blocksOf({
  loadBalancer,
  connectionPool,
  outlierDetection,
  tls,
}: PortTrafficPolicy): Omit<PortTrafficPolicy, "port"> {
  return { loadBalancer, connectionPool, outlierDetection, tls };
}

function portSettings(policy: TrafficPolicy | undefined, port: number): PortTrafficPolicy | undefined {
  return policy?.portLevelSettings.find((one) => one.port === port);
}
