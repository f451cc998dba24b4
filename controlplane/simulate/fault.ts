import { HTTPFault } from "../../mesh/xds/gen/envoy/extensions/filters/http/fault/v3/fault.ts";
import type { HttpFilter } from "../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { milliseconds } from "./durations.ts";
import { fractionOf } from "./fraction.ts";
import type { HttpRequest } from "./http-request.ts";
import { matchHeader } from "./match-header.ts";
import { filterConfig, type Routing } from "./routing.ts";
import type { Fault } from "./verdict.ts";

/** The fault that is injected into such requests. */
export function faultOf(
  filters: readonly HttpFilter[],
  routing: Routing,
  request: HttpRequest,
): Fault | undefined {
  const config = filterConfig(filters, "HTTPFault", routing);
  if (config === undefined) return undefined;
  const { delay, abort, headers, upstreamCluster } = HTTPFault.decode(
    ("perRoute" in config ? config.perRoute : config.own).value,
  );
  if (!headers.every((one) => matchHeader(one, request))) return undefined;
  if (upstreamCluster !== "" && upstreamCluster !== routing.route.route?.cluster) return undefined;
  const fault: Fault = {
    delay: delay?.fixedDelay && {
      ms: milliseconds(delay.fixedDelay),
      share: fractionOf(delay.percentage),
    },
    abort: abort && { status: abortStatus(abort), share: fractionOf(abort.percentage) },
  };
  return fault.delay === undefined && fault.abort === undefined ? undefined : fault;
}

function abortStatus({ httpStatus, grpcStatus }: NonNullable<HTTPFault["abort"]>): string {
  return httpStatus === undefined ? `gRPC ${grpcStatus ?? "?"}` : String(httpStatus);
}
