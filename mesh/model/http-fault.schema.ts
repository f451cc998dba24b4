import { z } from "zod";
import { GRPC_STATUS_NAMES } from "./grpc-status.ts";
import { duration, percentage, text, wholePercent } from "./scalars.schema.ts";
import { withNotice } from "./schema-notice.ts";
import { presenceRule, rule } from "./schema-rule.ts";
import type { FaultInjection } from "./virtual-service.ts";

/** Istio reads a missing percentage as none at all, which surprises. */
const NO_PERCENTAGE =
  "has no percentage, so it applies to no request (write `percentage: {value: 100}` for all)";

const percent = z.object({ value: percentage.default(0) }).transform(({ value }) => value);

const delay = withNotice(
  z
    .object({
      fixedDelay: duration(1).optional(),
      exponentialDelay: z.unknown().optional(),
      percentage: percent.optional(),
      percent: wholePercent.optional(),
    })
    .check(
      rule(["exponentialDelay"], ({ exponentialDelay }, report) => {
        if (exponentialDelay !== undefined) report(["exponentialDelay"], "is not supported: use fixedDelay");
      }),
      rule(["fixedDelay", "exponentialDelay"], ({ fixedDelay, exponentialDelay }, report) => {
        if (fixedDelay === undefined && exponentialDelay === undefined) report(["fixedDelay"], "is required");
      }),
    )
    .transform(({ fixedDelay = 0, percentage, percent = 0 }) => ({
      fixedDelayMs: fixedDelay,
      percent: percentage ?? percent,
    })),
  (value) => (lacks(value, "percentage", "percent") ? NO_PERCENTAGE : undefined),
);

const abort = withNotice(
  z
    .object({
      httpStatus: z.int().min(200).max(599).optional(),
      grpcStatus: z.enum(GRPC_STATUS_NAMES).optional(),
      http2Error: text.optional(),
      percentage: percent.optional(),
    })
    .check(
      rule(["httpStatus", "grpcStatus", "http2Error"], ({ httpStatus, grpcStatus, http2Error }, report) => {
        if (http2Error !== undefined)
          report(["http2Error"], "is not supported: use httpStatus or grpcStatus");
        else if (httpStatus === undefined && grpcStatus === undefined)
          report([], "must have httpStatus or grpcStatus");
        else if (httpStatus !== undefined && grpcStatus !== undefined)
          report([], "must have only one of httpStatus and grpcStatus");
      }),
    )
    .transform(({ httpStatus, grpcStatus, percentage = 0 }) => ({
      percent: percentage,
      httpStatus,
      grpcStatus,
    })),
  (value) => (lacks(value, "percentage") ? NO_PERCENTAGE : undefined),
);

/** HTTPFaultInjection. */
export const fault: z.ZodType<FaultInjection> = z
  .object({ delay: delay.optional(), abort: abort.optional() })
  .check(
    presenceRule((present, report) => {
      if (present.size === 0) report([], "must have a delay or an abort");
    }),
  )
  .transform(({ delay, abort }) => ({ delay, abort }));

function lacks(value: unknown, ...fields: readonly string[]): boolean {
  return typeof value === "object" && value !== null && fields.every((field) => !Object.hasOwn(value, field));
}
