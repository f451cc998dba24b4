import type { OutlierDetection } from "../../../mesh/model/destination-rule.ts";
import { OutlierDetection as EnvoyOutlierDetection } from "../../../mesh/xds/gen/envoy/config/cluster/v3/outlier_detection.ts";
import { duration } from "../durations.ts";

/** Only what is asked for ejects; the statistical kind is off, as in Istio. */
export function outlierDetection(rule: OutlierDetection): EnvoyOutlierDetection {
  const { consecutive5xxErrors, consecutiveGatewayErrors, intervalMs, baseEjectionTimeMs } = rule;
  return EnvoyOutlierDetection.fromPartial({
    enforcingSuccessRate: 0,
    ...(consecutive5xxErrors !== undefined && {
      consecutive5xx: consecutive5xxErrors,
      enforcingConsecutive5xx: consecutive5xxErrors > 0 ? 100 : 0,
    }),
    ...(consecutiveGatewayErrors !== undefined && {
      consecutiveGatewayFailure: consecutiveGatewayErrors,
      enforcingConsecutiveGatewayFailure: consecutiveGatewayErrors > 0 ? 100 : 0,
    }),
    ...(intervalMs !== undefined && { interval: duration(intervalMs) }),
    ...(baseEjectionTimeMs !== undefined && { baseEjectionTime: duration(baseEjectionTimeMs) }),
    ...(rule.maxEjectionPercent && { maxEjectionPercent: rule.maxEjectionPercent }),
    ...(rule.splitExternalLocalOriginErrors && {
      splitExternalLocalOriginErrors: true,
      enforcingLocalOriginSuccessRate: 0,
      ...(rule.consecutiveLocalOriginFailures && {
        consecutiveLocalOriginFailure: rule.consecutiveLocalOriginFailures,
        enforcingConsecutiveLocalOriginFailure: 100,
      }),
    }),
  });
}
