import type { OutlierDetection } from "../../mesh/xds/gen/envoy/config/cluster/v3/outlier_detection.ts";
import type { HttpProtocolOptions_OutlierDetection as HttpErrors } from "../../mesh/xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options.ts";
import type { OutlierRules } from "../model/cluster.ts";
import { onlyFields, unsupported } from "./refuse.ts";
import { milliseconds } from "./values.ts";

const DEFAULT_CONSECUTIVE = 5;

/** Ejection is decided with each outcome, and not at the end of an interval, which therefore has no part. */
export function parseOutlier(
  parent: string,
  from: OutlierDetection,
  errorStatuses: OutlierRules["errorStatuses"],
): OutlierRules {
  onlyFields(`${parent}: outlier_detection`, from, [
    "consecutive5xx",
    "consecutiveGatewayFailure",
    "interval",
    "baseEjectionTime",
    "maxEjectionPercent",
    "enforcingConsecutive5xx",
    "enforcingConsecutiveGatewayFailure",
    "enforcingSuccessRate",
    "maxEjectionTime",
    "splitExternalLocalOriginErrors",
    "consecutiveLocalOriginFailure",
    "enforcingConsecutiveLocalOriginFailure",
    "enforcingLocalOriginSuccessRate",
  ]);
  const baseEjectionMs = milliseconds(from.baseEjectionTime, 30_000);
  return {
    consecutive5xx: {
      count: from.consecutive5xx ?? DEFAULT_CONSECUTIVE,
      enforcing: (from.enforcingConsecutive5xx ?? 100) / 100,
    },
    consecutiveGateway: {
      count: from.consecutiveGatewayFailure ?? DEFAULT_CONSECUTIVE,
      enforcing: (from.enforcingConsecutiveGatewayFailure ?? 0) / 100,
    },
    consecutiveLocal: from.splitExternalLocalOriginErrors
      ? {
          count: from.consecutiveLocalOriginFailure ?? DEFAULT_CONSECUTIVE,
          enforcing: (from.enforcingConsecutiveLocalOriginFailure ?? 100) / 100,
        }
      : undefined,
    baseEjectionMs,
    maxEjectionMs: Math.max(baseEjectionMs, milliseconds(from.maxEjectionTime, 300_000)),
    maxEjectionPercent: from.maxEjectionPercent ?? 10,
    errorStatuses,
  };
}

/** Statuses by number, as in `418|429`. */
export function parseErrorStatuses(
  parent: string,
  from: HttpErrors | undefined,
): OutlierRules["errorStatuses"] {
  const matcher = from?.errorMatcher;
  if (matcher === undefined) return undefined;
  const where = `${parent}: outlier_detection`;
  onlyFields(where, matcher, ["httpResponseHeadersMatch"]);
  const [header, ...others] = matcher.httpResponseHeadersMatch?.headers ?? [];
  const list = header?.name === ":status" ? header.stringMatch?.safeRegex?.regex : undefined;
  if (others.length > 0 || header?.invertMatch || !/^\d{3}(\|\d{3})*$/.test(list ?? ""))
    throw unsupported(where, "an error matcher that is no list of statuses");
  return new Set(list?.split("|").map(Number));
}
