import {
  type Cluster as ClusterMessage,
  Cluster_DiscoveryType as DiscoveryType,
  Cluster_RingHashLbConfig_HashFunction as HashFunction,
  Cluster_LbPolicy as LbPolicy,
  type Cluster_SlowStartConfig as SlowStartMessage,
} from "../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import type { Balancing, BalancingPolicy, SlowStart } from "../model/cluster.ts";
import { invalid, nameOf, onlyFields, unsupported } from "./refuse.ts";
import { milliseconds } from "./values.ts";

/** Envoy's defaults. */
const RING_SIZE = { minimum: 1024, maximum: 8 * 1024 * 1024 } as const;
const MAGLEV_TABLE_SIZE = 65_537;
const LARGEST_MAGLEV_TABLE = 5_000_011;
const PANIC_PERCENT = 50;
const SLOW_START_MINIMUM_PERCENT = 10;

export function parseBalancing(where: string, from: ClusterMessage): Balancing {
  const common = from.commonLbConfig;
  if (common) {
    onlyFields(`${where}: common_lb_config`, common, [
      "healthyPanicThreshold",
      "localityWeightedLbConfig",
      "updateMergeWindow",
      "closeConnectionsOnHostSetChange",
    ]);
  }
  const slowStart = from.leastRequestLbConfig?.slowStartConfig ?? from.roundRobinLbConfig?.slowStartConfig;
  return {
    policy: parsePolicy(where, from),
    panicPercent: common?.healthyPanicThreshold?.value ?? PANIC_PERCENT,
    byLocality: common?.localityWeightedLbConfig !== undefined,
    slowStart: slowStart && parseSlowStart(`${where}: slow_start_config`, slowStart),
  };
}

function parsePolicy(where: string, from: ClusterMessage): BalancingPolicy {
  if (from.leastRequestLbConfig)
    onlyFields(where, from.leastRequestLbConfig, ["choiceCount", "slowStartConfig"]);
  if (from.roundRobinLbConfig) onlyFields(where, from.roundRobinLbConfig, ["slowStartConfig"]);
  switch (from.lbPolicy) {
    case LbPolicy.LEAST_REQUEST:
      return { kind: "LEAST_REQUEST" };
    case LbPolicy.ROUND_ROBIN:
      return { kind: "ROUND_ROBIN" };
    case LbPolicy.RANDOM:
      return { kind: "RANDOM" };
    case LbPolicy.RING_HASH:
      return parseRing(where, from);
    case LbPolicy.MAGLEV:
      return parseMaglev(where, from);
    case LbPolicy.CLUSTER_PROVIDED:
      // What is called says which host it is: there is nothing to choose.
      if (from.type === DiscoveryType.ORIGINAL_DST || from.clusterType) return { kind: "RANDOM" };
      throw unsupported(where, "load balancing policy CLUSTER_PROVIDED");
    default:
      throw unsupported(where, `load balancing policy ${nameOf(LbPolicy, from.lbPolicy)}`);
  }
}

function parseRing(where: string, { ringHashLbConfig: from }: ClusterMessage): BalancingPolicy {
  if (from && from.hashFunction !== HashFunction.XX_HASH) {
    throw unsupported(where, `hash function ${nameOf(HashFunction, from.hashFunction)}`);
  }
  const minimumSize = from?.minimumRingSize ?? RING_SIZE.minimum;
  const maximumSize = from?.maximumRingSize ?? RING_SIZE.maximum;
  if (minimumSize > maximumSize || maximumSize > RING_SIZE.maximum) {
    throw invalid(where, `a hash ring of ${minimumSize} to ${maximumSize} entries`);
  }
  return { kind: "RING_HASH", minimumSize, maximumSize };
}

function parseMaglev(where: string, { maglevLbConfig: from }: ClusterMessage): BalancingPolicy {
  const tableSize = from?.tableSize ?? MAGLEV_TABLE_SIZE;
  if (tableSize > LARGEST_MAGLEV_TABLE || !isPrime(tableSize)) {
    throw invalid(where, `a Maglev table of ${tableSize}, which is no prime up to ${LARGEST_MAGLEV_TABLE}`);
  }
  return { kind: "MAGLEV", tableSize };
}

function isPrime(value: number): boolean {
  if (value < 2) return false;
  for (let divisor = 2; divisor * divisor <= value; divisor++) if (value % divisor === 0) return false;
  return true;
}

/** Nothing changes values while the proxy runs, so `aggression` is its default value. */
function parseSlowStart(where: string, from: SlowStartMessage): SlowStart | undefined {
  onlyFields(where, from, ["slowStartWindow", "aggression", "minWeightPercent"]);
  const windowMs = milliseconds(from.slowStartWindow, 0);
  const aggression = from.aggression?.defaultValue ?? 1;
  if (aggression <= 0) throw invalid(where, `aggression ${aggression} is not above 0`);
  const minimumPercent = from.minWeightPercent?.value ?? SLOW_START_MINIMUM_PERCENT;
  return windowMs > 0 ? { windowMs, aggression, minimumPercent } : undefined;
}
