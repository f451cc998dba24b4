import type { LoadBalancer, OutlierDetection, Warmup } from "../../../mesh/model/destination-rule.ts";
import {
  type Cluster,
  Cluster_CommonLbConfig,
  Cluster_LbPolicy,
  Cluster_SlowStartConfig,
} from "../../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import { duration } from "../durations.ts";

/** Istio's, and Envoy's own. */
const MINIMUM_RING_SIZE = 1024;

/** Envoy wants a name by which the value could be changed while it runs. */
const AGGRESSION_KEY = "lateen.warmup.aggression";

type Balancer = Pick<
  Cluster,
  "lbPolicy" | "ringHashLbConfig" | "maglevLbConfig" | "roundRobinLbConfig" | "leastRequestLbConfig"
>;

/** The balancer of a cluster whose endpoints are known. PASSTHROUGH needs none: see `discovery.ts`. */
export function balancer(settings: LoadBalancer | undefined): Balancer {
  const hash = settings?.consistentHash?.algorithm;
  switch (hash?.kind) {
    case "ring":
      return {
        lbPolicy: Cluster_LbPolicy.RING_HASH,
        ringHashLbConfig: {
          minimumRingSize: hash.minimumRingSize || MINIMUM_RING_SIZE,
          hashFunction: 0,
          maximumRingSize: undefined,
        },
      };
    case "maglev":
      return {
        lbPolicy: Cluster_LbPolicy.MAGLEV,
        ...(hash.tableSize && { maglevLbConfig: { tableSize: hash.tableSize } }),
      };
    case undefined:
      return simpleBalancer(settings);
    default:
      return hash satisfies never;
  }
}

function simpleBalancer(settings: LoadBalancer | undefined): Balancer {
  const slowStartConfig = settings?.warmup && slowStart(settings.warmup);
  const simple = settings?.simple;
  switch (simple) {
    case undefined:
    case "LEAST_REQUEST":
    case "PASSTHROUGH":
      return {
        lbPolicy: Cluster_LbPolicy.LEAST_REQUEST,
        ...(slowStartConfig && {
          leastRequestLbConfig: { choiceCount: undefined, activeRequestBias: undefined, slowStartConfig },
        }),
      };
    case "ROUND_ROBIN":
      return {
        lbPolicy: Cluster_LbPolicy.ROUND_ROBIN,
        ...(slowStartConfig && { roundRobinLbConfig: { slowStartConfig } }),
      };
    case "RANDOM":
      return { lbPolicy: Cluster_LbPolicy.RANDOM };
    default:
      return simple satisfies never;
  }
}

function slowStart({ durationMs, minimumPercent, aggression }: Warmup): Cluster_SlowStartConfig {
  return Cluster_SlowStartConfig.fromPartial({
    slowStartWindow: duration(durationMs),
    ...(aggression !== undefined && { aggression: { defaultValue: aggression, runtimeKey: AGGRESSION_KEY } }),
    ...(minimumPercent !== undefined && { minWeightPercent: { value: minimumPercent } }),
  });
}

/** Panic, in which Envoy calls unhealthy endpoints too, is off where outliers are detected, unless it is set. */
export function commonBalancing(
  outliers: OutlierDetection | undefined,
  weighsLocalities: boolean,
): Pick<Cluster, "commonLbConfig"> | undefined {
  if (outliers === undefined && !weighsLocalities) return undefined;
  return {
    commonLbConfig: Cluster_CommonLbConfig.fromPartial({
      ...(outliers && { healthyPanicThreshold: { value: outliers.minHealthPercent ?? 0 } }),
      ...(weighsLocalities && { localityWeightedLbConfig: {} }),
    }),
  };
}
