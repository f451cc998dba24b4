import * as z from "zod";
import { GRPC_STATUS_NAMES } from "./grpc-status.ts";
import { duration, percentage, text, wholePercent } from "./scalars.schema.ts";
import { withNotice, writtenField } from "./schema-notice.ts";
import { presenceRule, rule } from "./schema-rule.ts";
import type { FaultInjection } from "./virtual-service.ts";

/** Istio reads a missing percentage as none at all, which surprises. */
const NO_PERCENTAGE =
  "has no percentage, so it applies to no request (write `percentage: {value: 100}` for all)";

/** Envoy counts in millionths: what is smaller is none. */
const SMALLEST_PERCENTAGE = 0.0001;

const percent = z
  .object({ value: percentage.default(0) })
  .check(
    rule(["value"], ({ value }, report) => {
      if (value > 0 && value < SMALLEST_PERCENTAGE)
        report(["value"], `must be 0 or at least ${SMALLEST_PERCENTAGE}`);
    }),
  )
  .transform(({ value }) => value);

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
    )
    .transform(({ fixedDelay, percentage, percent = 0 }) =>
      fixedDelay === undefined ? undefined : { fixedDelayMs: fixedDelay, percent: percentage ?? percent },
    ),
  (value) => {
    if (lacks(value, "fixedDelay")) return "has no fixedDelay, so nothing is delayed";
    return lacks(value, "percentage", "percent") ? NO_PERCENTAGE : undefined;
  },
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
        else if (httpStatus !== undefined && grpcStatus !== undefined)
          report([], "must have only one of httpStatus and grpcStatus");
      }),
    )
    .transform(({ httpStatus, grpcStatus, percentage = 0 }) =>
      (httpStatus ?? grpcStatus) === undefined ? undefined : { percent: percentage, httpStatus, grpcStatus },
    ),
  (value) => {
    if (lacks(value, "httpStatus", "grpcStatus"))
      return "has no httpStatus or grpcStatus, so nothing is aborted";
    return lacks(value, "percentage") ? NO_PERCENTAGE : undefined;
  },
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
  return fields.every((field) => writtenField(value, field) === undefined);
}
