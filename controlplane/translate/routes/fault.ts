import { GRPC_STATUS_NAMES } from "../../../mesh/model/grpc-status.ts";
import type { FaultInjection } from "../../../mesh/model/virtual-service.ts";
import { HTTPFault } from "../../../mesh/xds/gen/envoy/extensions/filters/http/fault/v3/fault.ts";
import type { Any } from "../../../mesh/xds/gen/google/protobuf/any.ts";
import { pack } from "../any.ts";
import { duration } from "../durations.ts";
import { FAULT_FILTER } from "../filters/network-filters.ts";
import { fraction } from "./fractions.ts";

/** What a route hands to the fault filter. */
export function faultConfig(fault: FaultInjection | undefined): { [filter: string]: Any } {
  if (fault === undefined || (fault.delay === undefined && fault.abort === undefined)) return {};
  const { delay, abort } = fault;
  const message = HTTPFault.fromPartial({
    ...(delay && {
      delay: { fixedDelay: duration(delay.fixedDelayMs), percentage: fraction(delay.percent) },
    }),
    ...(abort && { abort: { ...abortStatus(abort), percentage: fraction(abort.percent) } }),
  });
  return { [FAULT_FILTER]: pack("envoy.extensions.filters.http.fault.v3.HTTPFault", HTTPFault, message) };
}

function abortStatus({
  httpStatus,
  grpcStatus,
}: NonNullable<FaultInjection["abort"]>): { httpStatus: number } | { grpcStatus: number } {
  if (grpcStatus === undefined) return { httpStatus: httpStatus ?? 500 };
  const named = GRPC_STATUS_NAMES.findIndex((name) => name === grpcStatus.toUpperCase());
  return { grpcStatus: named >= 0 ? named : Number(grpcStatus) };
}
