import type { OutlierDetection } from "../../mesh/xds/gen/envoy/config/cluster/v3/outlier_detection.ts";
import type { OutlierRules } from "../model/cluster.ts";
import { onlyFields } from "./refuse.ts";
import { milliseconds } from "./values.ts";

const DEFAULT_CONSECUTIVE = 5;

/** Ejection is decided with each outcome, and not at the end of an interval, which therefore has no part. */
export function parseOutlier(parent: string, from: OutlierDetection): OutlierRules {
  onlyFields(`${parent}: outlier_detection`, from, [
    "consecutive5xx",
    "consecutiveGatewayFailure",
    "interval",
    "baseEjectionTime",
    "maxEjectionPercent",
    "enforcingConsecutive5xx",
    "enforcingConsecutiveGatewayFailure",
    "enforcingSuccessRate",
  ]);
  return {
    consecutive5xx: {
      count: from.consecutive5xx ?? DEFAULT_CONSECUTIVE,
      enforcing: (from.enforcingConsecutive5xx ?? 100) / 100,
    },
    consecutiveGateway: {
      count: from.consecutiveGatewayFailure ?? DEFAULT_CONSECUTIVE,
      enforcing: (from.enforcingConsecutiveGatewayFailure ?? 0) / 100,
    },
    baseEjectionMs: milliseconds(from.baseEjectionTime, 30_000),
    maxEjectionPercent: from.maxEjectionPercent ?? 10,
  };
}
