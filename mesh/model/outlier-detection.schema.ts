import * as z from "zod";
import type { OutlierDetection } from "./destination-rule.ts";
import { count, duration, flag, uint32, wholePercent } from "./scalars.schema.ts";
import { withNotice } from "./schema-notice.ts";
import { rule } from "./schema-rule.ts";

/** OutlierDetection. */
export const outlierDetection: z.ZodType<OutlierDetection> = z
  .object({
    consecutive5xxErrors: uint32.optional(),
    consecutiveGatewayErrors: uint32.optional(),
    consecutiveErrors: withNotice(count.optional(), (value) =>
      value === undefined
        ? undefined
        : "is deprecated and does nothing: use consecutive5xxErrors or consecutiveGatewayErrors",
    ),
    splitExternalLocalOriginErrors: flag,
    consecutiveLocalOriginFailures: uint32.optional(),
    interval: duration(1).optional(),
    baseEjectionTime: duration(1).optional(),
    maxEjectionPercent: wholePercent.optional(),
    minHealthPercent: wholePercent.optional(),
    outlierDetectionHttpErrorCodes: z.array(z.int().min(100).max(599)).default([]),
  })
  .check(
    rule(["splitExternalLocalOriginErrors", "consecutiveLocalOriginFailures"], (settings, report) => {
      const { splitExternalLocalOriginErrors: split, consecutiveLocalOriginFailures: failures = 0 } =
        settings;
      if (!split && failures > 0)
        report(["consecutiveLocalOriginFailures"], "needs splitExternalLocalOriginErrors: true");
    }),
  )
  .transform((settings) => ({
    consecutive5xxErrors: settings.consecutive5xxErrors,
    consecutiveGatewayErrors: settings.consecutiveGatewayErrors,
    splitExternalLocalOriginErrors: settings.splitExternalLocalOriginErrors,
    consecutiveLocalOriginFailures: settings.consecutiveLocalOriginFailures,
    httpErrorCodes: settings.outlierDetectionHttpErrorCodes,
    intervalMs: settings.interval,
    baseEjectionTimeMs: settings.baseEjectionTime,
    // 0 is Envoy's default, as in Istio, whose wire format cannot tell it from nothing.
    maxEjectionPercent: settings.maxEjectionPercent === 0 ? undefined : settings.maxEjectionPercent,
    minHealthPercent: settings.minHealthPercent,
  }));
